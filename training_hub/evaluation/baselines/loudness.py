"""Loudness alone: what any detector must beat, and what a data set must not give away."""

from collections.abc import Sequence

import numpy as np

from training_hub.evaluation.listen import HeardClip
from training_hub.evaluation.scorer import FitContext


class LoudnessScorer:
    """Distance of a clip's level from the median of the normal ones, dB, in either direction."""

    def __init__(self) -> None:
        self._centre_dbfs = 0.0

    def fit(self, normals: Sequence[HeardClip], context: FitContext) -> None:
        """Median level."""
        self._centre_dbfs = float(np.median([clip.level_dbfs for clip in normals]))

    def score(self, clip: HeardClip) -> float:
        """DB away from it."""
        return abs(clip.level_dbfs - self._centre_dbfs)
