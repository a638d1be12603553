"""The one error of the demo."""

from edge_agent.errors import CommandError


class DemoError(CommandError):
    """A part of the demo did not start or did not answer; the message names it and the mend."""
