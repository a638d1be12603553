"""D2: the spectrum of the loudest moments."""

from typing import ClassVar

from edge_agent.detection import statistics
from edge_agent.detection.detector import FloatArray
from edge_agent.detection.features import WindowFeatures
from edge_agent.detection.gaussian import GaussianDetector


class TransientDetector(GaussianDetector):
    """Distance of the rank-weighted spectra from the machine's own, for machines that click, knock or hiss."""

    name: ClassVar[str] = "transient"
    dimensions: ClassVar[int] = len(statistics.RANK_DECAYS) * statistics.TRANSIENT_BANDS
    min_frames: ClassVar[int] = 8
    statistic = staticmethod(statistics.transient)

    def contributions(self, window: WindowFeatures) -> FloatArray | None:
        """Share of each mel band in `score`, `[128]`, over all ranks."""
        if window.frames < self.min_frames:
            return None
        per_rank = self.dimension_contributions(window).reshape(len(statistics.RANK_DECAYS), statistics.TRANSIENT_BANDS)
        return statistics.spread_to_bands(per_rank.sum(axis=0))
