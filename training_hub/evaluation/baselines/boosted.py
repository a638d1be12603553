"""Boosted trees on 64 hand-made features: supervised, the usual method of the trade press."""

from collections.abc import Sequence

import librosa
import numpy as np
import xgboost
from numpy.typing import NDArray

from training_hub.evaluation.errors import EvaluationError
from training_hub.evaluation.listen import HeardClip
from training_hub.evaluation.scorer import FitContext

_RATE_HZ = 16_000
_N_FFT, _HOP = 1024, 512
_TREES = 150
_MFCC = 20


class BoostedTreesScorer:
    """Log-odds of "faulty" by XGBoost (T. Chen, C. Guestrin 2016) on librosa's features; one core."""

    def __init__(self) -> None:
        self._model: xgboost.XGBClassifier | None = None
        self._known: dict[str, NDArray[np.float32]] = {}

    def fit(self, normals: Sequence[HeardClip], context: FitContext) -> None:
        """Train on normal clips against labelled anomalies of other recordings."""
        values = np.array([self._features(clip) for clip in (*normals, *context.anomalies)])
        labels = np.array([0] * len(normals) + [1] * len(context.anomalies))
        self._model = xgboost.XGBClassifier(
            n_estimators=_TREES,
            max_depth=3,
            learning_rate=0.1,
            min_child_weight=0.1,  # the usual 1 splits nothing where a dozen clips are all there is
            n_jobs=1,
            random_state=context.seed,
            verbosity=0,
        ).fit(values, labels)

    def score(self, clip: HeardClip) -> float:
        """Log-odds."""
        assert self._model is not None  # fit comes first
        return float(self._model.predict(self._features(clip)[None], output_margin=True)[0])

    def _features(self, clip: HeardClip) -> NDArray[np.float32]:
        name = clip.clip.name
        if name not in self._known:
            self._known[name] = features_of(clip)
        return self._known[name]


def features_of(clip: HeardClip) -> NDArray[np.float32]:
    """64 numbers: mean and deviation of 20 MFCC, of six shape features, and the mean of 12 chroma.

    Raises:
        EvaluationError: The clip exists as frames only.
    """
    if clip.clip.read_audio is None:
        raise EvaluationError(f"clip {clip.clip.name}: features of boosted trees need audio")
    audio = clip.clip.read_audio()
    magnitude = np.abs(librosa.stft(audio, n_fft=_N_FFT, hop_length=_HOP))
    mfcc = librosa.feature.mfcc(y=audio, sr=_RATE_HZ, n_mfcc=_MFCC, n_fft=_N_FFT, hop_length=_HOP)
    shapes = np.concatenate(
        [
            librosa.feature.spectral_centroid(S=magnitude, sr=_RATE_HZ),
            librosa.feature.spectral_bandwidth(S=magnitude, sr=_RATE_HZ),
            librosa.feature.spectral_rolloff(S=magnitude, sr=_RATE_HZ),
            librosa.feature.spectral_flatness(S=magnitude),
            librosa.feature.zero_crossing_rate(audio, frame_length=_N_FFT, hop_length=_HOP),
            librosa.feature.rms(S=magnitude, frame_length=_N_FFT),
        ]
    )
    chroma = librosa.feature.chroma_stft(S=magnitude**2, sr=_RATE_HZ, tuning=0.0)
    parts = [mfcc.mean(axis=1), mfcc.std(axis=1), shapes.mean(axis=1), shapes.std(axis=1), chroma.mean(axis=1)]
    return np.concatenate(parts).astype(np.float32)
