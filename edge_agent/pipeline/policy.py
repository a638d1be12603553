"""Which windows are scored."""

from dataclasses import dataclass
from enum import StrEnum

from edge_agent.pipeline.window import AnalysedWindow


class Unscorable(StrEnum):
    """Why a window is not scored; the values are those that the ledger books."""

    LOW_COVERAGE = "low_coverage"
    TAIL = "tail"
    MODEL_FAULT = "model_fault"


@dataclass(frozen=True, slots=True)
class ScorePolicy:
    """What a window must hold to be scored.

    Attributes:
        window_s: Length of a full window.
        min_coverage: Least share of a window's samples that must be present. What remains of a recording after its
            last full window counts as a window of full length here, so a short rest is left out.
        min_s: Least sound in a recording that is shorter than a window; such a one is scored on what it holds.
    """

    window_s: float = 10.0
    min_coverage: float = 0.8
    min_s: float = 0.5

    def reject(self, window: AnalysedWindow) -> Unscorable | None:
        """Why `window` is not scored; None if it is."""
        present_s = window.coverage * window.duration_s
        if window.index == 0 and window.duration_s < self.window_s:
            if window.duration_s < self.min_s:
                return Unscorable.TAIL
            needed_s = self.min_coverage * window.duration_s
        elif window.duration_s < self.min_coverage * self.window_s:
            return Unscorable.TAIL
        else:
            needed_s = self.min_coverage * self.window_s
        if present_s < needed_s or window.features.frames < 1:
            return Unscorable.LOW_COVERAGE
        return Unscorable.MODEL_FAULT if window.fault else None
