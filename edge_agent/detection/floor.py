"""D6: the spectrum of the quiet moments."""

from typing import ClassVar

from edge_agent.detection import statistics
from edge_agent.detection.detector import TrainingSet
from edge_agent.detection.features import BANDS
from edge_agent.detection.gaussian import GaussianDetector


class FloorDetector(GaussianDetector):
    """Distance of the spectrum that bands fall back to from the machine's own: it hears through passing sounds."""

    name: ClassVar[str] = "floor"
    dimensions: ClassVar[int] = BANDS
    min_frames: ClassVar[int] = 32
    usual_scatter: ClassVar[float] = 2.5
    statistic = staticmethod(statistics.floor)

    @classmethod
    def relevance(cls, training: TrainingSet) -> float:
        """Always all: where other sounds are about, it is the one to listen to."""
        return 1.0
