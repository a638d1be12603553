"""One-class support vector machine and local outlier factor on principal components."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from training_hub.evaluation.baselines.features import Feature
from training_hub.evaluation.listen import HeardClip
from training_hub.evaluation.scorer import FitContext

_COMPONENTS = 16
_NEIGHBOURS = 10
_NU = 0.1


class PrincipalOutlierScorer:
    """Standardise, project on at most 16 principal components, then a one-class model of scikit-learn.

    Args:
        feature: What is looked at.
        make: The one-class model for a number of clips; its `decision_function` falls with abnormality.
    """

    def __init__(self, feature: Feature, make: Callable[[int], Any]) -> None:
        self._feature, self._make = feature, make
        self._model: Pipeline | None = None

    def fit(self, normals: Sequence[HeardClip], context: FitContext) -> None:
        """Fit all three steps on the normal clips."""
        values = np.array([self._feature(clip) for clip in normals])
        components = max(1, min(_COMPONENTS, len(values) - 1, values.shape[1]))
        self._model = make_pipeline(StandardScaler(), PCA(components, svd_solver="full"), self._make(len(values)))
        self._model.fit(values)

    def score(self, clip: HeardClip) -> float:
        """Negative decision function."""
        assert self._model is not None  # fit comes first
        return -float(self._model.decision_function(self._feature(clip)[None])[0])


def one_class_svm(clips: int) -> OneClassSVM:
    """B. Schölkopf et al., Estimating the support of a high-dimensional distribution (2001)."""
    return OneClassSVM(kernel="rbf", gamma="scale", nu=_NU)


def local_outlier_factor(clips: int) -> LocalOutlierFactor:
    """M. Breunig et al., LOF: identifying density-based local outliers (2000)."""
    return LocalOutlierFactor(n_neighbors=max(1, min(_NEIGHBOURS, clips - 1)), novelty=True)
