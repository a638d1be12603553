"""D7: what stands out of its neighbourhood, where other sounds are about."""

from typing import ClassVar

import numpy as np

from edge_agent.detection import statistics
from edge_agent.detection.detector import FloatArray, TrainingSet
from edge_agent.detection.features import BANDS, WindowFeatures
from edge_agent.detection.floor import FloorDetector
from edge_agent.detection.gaussian import GaussianDetector


class ReliefDetector(GaussianDetector):
    """Distance of the relief of the upper bands from the machine's own: for machines that work amid other sounds."""

    name: ClassVar[str] = "relief"
    dimensions: ClassVar[int] = statistics.RELIEF_BANDS
    min_frames: ClassVar[int] = FloorDetector.min_frames
    aligns_level: ClassVar[bool] = False
    statistic = staticmethod(statistics.relief)

    @classmethod
    def measure(cls, window: WindowFeatures) -> FloatArray:
        """From the floor, which another detector looks at too."""
        return statistics.relief_of(window.measured(statistics.floor))

    @classmethod
    def relevance(cls, training: TrainingSet) -> float:
        """What the floor lacks: none where spectra hardly differ from clip to clip, as they do amid other sounds."""
        return 1.0 - FloorDetector.steadiness(training)

    @staticmethod
    def kept_dimensions(kept: FloatArray) -> FloatArray:
        """The upper bands' own shares."""
        return kept[:, -statistics.RELIEF_BANDS :]

    @staticmethod
    def per_band(parts: FloatArray) -> FloatArray:
        """The upper bands' own parts."""
        return np.concatenate([np.zeros((*parts.shape[:-1], BANDS - parts.shape[-1])), parts], axis=-1)
