"""The one exception of the package."""

from __future__ import annotations


class ObserveError(Exception):
    """The agent cannot show its state; the message names what and the mend."""
