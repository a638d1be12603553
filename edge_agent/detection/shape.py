"""D1: the mean spectrum."""

from typing import ClassVar

from edge_agent.detection import statistics
from edge_agent.detection.features import BANDS
from edge_agent.detection.gaussian import GaussianDetector


class ShapeDetector(GaussianDetector):
    """Distance of the mean spectrum, its level taken away, from the machine's own.

    Few-shot Mahalanobis with a covariance shared by the type: most of what varies between windows of one machine
    (load, speed, room) varies alike in machines of its type, so ten clips need to give the centre only.
    """

    name: ClassVar[str] = "shape"
    dimensions: ClassVar[int] = BANDS
    usual_scatter: ClassVar[float] = 2.5
    statistic = staticmethod(statistics.spectrum)
