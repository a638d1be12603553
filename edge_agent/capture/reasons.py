"""Why samples were not scored: the two bounded sets of reasons that the ledger and metrics know."""

from __future__ import annotations

from enum import StrEnum


class Lost(StrEnum):
    """Why samples never reached scoring although they should have: somebody should look into it."""

    GAP = "gap"
    """The sample clock jumped and the source gave no cause."""
    OVERRUN = "overrun"
    """The device's or the reader's buffer overflowed before it was read."""
    UNPLUGGED = "unplugged"
    """The device went away; counted from the wall time it was away."""
    FROZEN = "frozen"
    """The device stopped delivering and was restarted."""
    SHED = "shed"
    """Captured, then dropped on purpose because the machine fell behind."""


class Skipped(StrEnum):
    """Why samples that were captured were, rightly, not scored."""

    LOW_COVERAGE = "low_coverage"
    """Too much of the window was lost for a score to mean anything."""
    TAIL = "tail"
    """The rest at the end of a recording, too short to be scored."""
    BETWEEN_WINDOWS = "between_windows"
    """No window holds it: the hop is longer than the window, or the window grid was started anew."""
    INPUT_FAULT = "input_fault"
    """Input health says that this is not the machine's sound (dead, muffled, clipped, ...)."""
    INVALID_SAMPLE = "invalid_sample"
    """The device delivered NaN or infinite samples."""
    UNCOMMISSIONED = "uncommissioned"
    """The machine has no profile yet: features were computed, but there is nothing to compare with."""
    UNKNOWN_MACHINE = "unknown_machine"
    """The channel is routed by identity, and the sound was no known machine with enough confidence."""
    MODEL_FAULT = "model_fault"
    """The model failed on this window."""
    SHUTDOWN = "shutdown"
    """The agent was stopped before the window was complete."""
