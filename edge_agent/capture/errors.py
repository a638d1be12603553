"""What goes wrong with a source; kept apart from the arrays, as the device's child process loads no numpy."""

from __future__ import annotations

from edge_agent.capture.reasons import Lost


class SourceError(Exception):
    """A source cannot be opened or read; the message names it, what is wrong and the mend.

    Args:
        message: What happened.
        reason: How the samples that are missed until the source is back are booked.
        hold_s: How long to wait before it is opened again, where only a person can mend it.
    """

    def __init__(self, message: str, reason: Lost = Lost.UNPLUGGED, *, hold_s: float = 0.0) -> None:
        super().__init__(message)
        self.reason = reason
        self.hold_s = hold_s
