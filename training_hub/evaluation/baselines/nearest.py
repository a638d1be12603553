"""Distance to the nearest normal clip."""

from collections.abc import Sequence

import numpy as np

from training_hub.evaluation.baselines.features import Feature, FloatArray
from training_hub.evaluation.listen import HeardClip
from training_hub.evaluation.scorer import FitContext


class NearestNeighbourScorer:
    """Mean cosine distance to the k nearest normal clips.

    Args:
        feature: What is looked at.
        k: Neighbours.
    """

    def __init__(self, feature: Feature, k: int = 1) -> None:
        self._feature, self._k = feature, k
        self._bank: FloatArray = np.zeros((0, 0))

    def fit(self, normals: Sequence[HeardClip], context: FitContext) -> None:
        """Keep them all."""
        self._bank = np.array([_unit(self._feature(clip)) for clip in normals])

    def score(self, clip: HeardClip) -> float:
        """Cosine distance, 0 to 2."""
        nearest = np.sort(1.0 - self._bank @ _unit(self._feature(clip)))[: self._k]
        return float(nearest.mean())


def _unit(values: FloatArray) -> FloatArray:
    return np.asarray(values / max(float(np.linalg.norm(values)), 1e-12))
