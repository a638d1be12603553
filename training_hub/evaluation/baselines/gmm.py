"""Gaussian mixture with diagonal covariances on the mean log-mel."""

from collections.abc import Sequence

import numpy as np
from sklearn.mixture import GaussianMixture

from training_hub.evaluation.baselines.features import mean_log_mel
from training_hub.evaluation.listen import HeardClip
from training_hub.evaluation.scorer import FitContext

_CLIPS_PER_COMPONENT = 8
_MOST_COMPONENTS = 4
_REGULARISATION_DB2 = 0.1


class GaussianMixtureScorer:
    """Negative log-likelihood under a mixture that grows with the number of clips."""

    def __init__(self) -> None:
        self._model: GaussianMixture | None = None

    def fit(self, normals: Sequence[HeardClip], context: FitContext) -> None:
        """Fit by expectation maximisation."""
        components = max(1, min(_MOST_COMPONENTS, len(normals) // _CLIPS_PER_COMPONENT))
        self._model = GaussianMixture(
            components, covariance_type="diag", reg_covar=_REGULARISATION_DB2, random_state=context.seed
        ).fit(np.array([mean_log_mel(clip) for clip in normals]))

    def score(self, clip: HeardClip) -> float:
        """Negative log-likelihood."""
        assert self._model is not None  # fit comes first
        return -float(self._model.score_samples(mean_log_mel(clip)[None])[0])
