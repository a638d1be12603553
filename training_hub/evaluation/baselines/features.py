"""What the classical baselines look at. The level is removed everywhere, so that none loses by gain alone."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from training_hub.evaluation.listen import HeardClip

FloatArray = NDArray[np.float64]
Feature = Callable[[HeardClip], FloatArray]


def level_removed(clip: HeardClip) -> NDArray[np.float32]:
    """Log-mel frames less their mean, `[frames, 128]`, dB."""
    return np.asarray(clip.log_mel_db - clip.log_mel_db.mean(dtype=np.float64), np.float32)


def mean_log_mel(clip: HeardClip) -> FloatArray:
    """Mean spectrum less its level, `[128]`, dB."""
    mean = clip.log_mel_db.mean(axis=0, dtype=np.float64)
    return np.asarray(mean - mean.mean())


def mean_embedding(clip: HeardClip) -> FloatArray:
    """Mean of the encoder's embeddings at unit length, `[size]`."""
    mean = clip.embeddings.mean(axis=0, dtype=np.float64)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12))


def stacked_frames(frames: NDArray[np.float32], count: int = 5) -> NDArray[np.float32]:
    """Every run of `count` frames as one vector, `[frames - count + 1, count * 128]`: what the DCASE baseline takes."""
    windows = np.lib.stride_tricks.sliding_window_view(frames, count, axis=0)  # [n, 128, count]
    return np.ascontiguousarray(windows.transpose(0, 2, 1)).reshape(len(windows), -1)


def patches(frames: NDArray[np.float32], length: int = 64, hop: int = 32) -> NDArray[np.float32]:
    """Cut frames into patches `[n, length, 128]`; a shorter clip is repeated to fill one."""
    if len(frames) < length:
        frames = np.take(frames, np.arange(length), axis=0, mode="wrap")
    return np.stack([frames[start : start + length] for start in range(0, len(frames) - length + 1, hop)])
