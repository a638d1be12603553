"""Mahalanobis distance of the mean log-mel with a plain Ledoit-Wolf precision: the strongest simple method."""

from collections.abc import Sequence

import numpy as np
from sklearn.covariance import LedoitWolf

from training_hub.evaluation.baselines.features import FloatArray, mean_log_mel
from training_hub.evaluation.listen import HeardClip
from training_hub.evaluation.scorer import FitContext


class LedoitWolfScorer:
    """O. Ledoit, M. Wolf, A well-conditioned estimator for large-dimensional covariance matrices (2004).

    Args:
        shared: Take the covariance from the other machines of the type where there are any, and only the centre from
            the machine itself; else both from the machine's own clips.
    """

    def __init__(self, *, shared: bool) -> None:
        self._shared = shared
        self._centre: FloatArray = np.zeros(0)
        self._precision: FloatArray = np.zeros((0, 0))

    def fit(self, normals: Sequence[HeardClip], context: FitContext) -> None:
        """Centre and precision."""
        values = np.array([mean_log_mel(clip) for clip in normals])
        self._centre = values.mean(axis=0)
        residuals = values - self._centre
        if self._shared and context.siblings:
            residuals = _within_machine(context.siblings)
        self._precision = LedoitWolf(assume_centered=True).fit(residuals).precision_

    def score(self, clip: HeardClip) -> float:
        """Squared distance."""
        deviation = mean_log_mel(clip) - self._centre
        return float(deviation @ self._precision @ deviation)


def _within_machine(clips: Sequence[HeardClip]) -> FloatArray:
    """Deviations of each machine's clips from its own centre, `[n, 128]`."""
    rows = []
    for machine_id in sorted({clip.clip.machine_id for clip in clips}):
        values = np.array([mean_log_mel(clip) for clip in clips if clip.clip.machine_id == machine_id])
        rows.append(values - values.mean(axis=0))
    return np.concatenate(rows)
