"""D2: the spectrum of the loudest moments."""

from typing import ClassVar

import numpy as np

from edge_agent.detection import statistics
from edge_agent.detection.detector import FloatArray, TrainingSet
from edge_agent.detection.features import WindowFeatures
from edge_agent.detection.gaussian import GaussianDetector

STEADY_DB = 4.0
IMPULSIVE_DB = 8.0


class TransientDetector(GaussianDetector):
    """Distance of the rank-weighted spectra from the machine's own, for machines that click, knock or hiss."""

    name: ClassVar[str] = "transient"
    dimensions: ClassVar[int] = len(statistics.RANK_DECAYS) * statistics.COARSE_BANDS
    min_frames: ClassVar[int] = 8
    usual_scatter: ClassVar[float] = 2.5
    statistic = staticmethod(statistics.transient)

    @classmethod
    def measure(cls, window: WindowFeatures) -> FloatArray:
        """From the coarse bands, which another detector looks at too."""
        return statistics.transient_of(window.measured(statistics.coarse))

    @classmethod
    def relevance(cls, training: TrainingSet) -> float:
        """None for machines as steady as noise, all for impulsive ones: on a steady sound the ranks are mere chance.

        A machine's own knocks resemble each other; where the loudest moments differ, they are of passing sounds.
        """
        usable = [window.log_mel_db for window in training.windows if window.frames >= cls.min_frames]
        if not usable:
            return 0.0
        usual_db = float(np.median([statistics.impulsiveness_db(frames) for frames in usable]))
        impulsive = float(np.clip((usual_db - STEADY_DB) / (IMPULSIVE_DB - STEADY_DB), 0.0, 1.0))
        return impulsive * cls.steadiness(training) if impulsive else 0.0

    @staticmethod
    def kept_dimensions(kept: FloatArray) -> FloatArray:
        """Means over the mel bands of each coarse band, the same for all ranks."""
        return np.tile(statistics.coarse_means(kept), (1, len(statistics.RANK_DECAYS)))

    @staticmethod
    def per_band(parts: FloatArray) -> FloatArray:
        """A coarse band's parts over all ranks, spread over its mel bands."""
        per_rank = parts.reshape(*parts.shape[:-1], len(statistics.RANK_DECAYS), statistics.COARSE_BANDS)
        return statistics.spread_to_bands(per_rank.sum(axis=-2))
