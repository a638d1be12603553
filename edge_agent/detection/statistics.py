"""What detectors measure of a window: a few numbers that do not change with gain.

Every statistic removes the window's mean level, or looks at differences in dB only, so that moving the microphone's
gain changes nothing.
"""

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.features import BANDS

FloatArray = NDArray[np.float64]

COARSE_BANDS = 16
TRANSIENT_BANDS = 32
RANK_DECAYS = (1.0, 0.98, 0.9, 0.5)
_SMALLEST_FLUX_DB = 0.02


def _group_means(groups: int) -> NDArray[np.float32]:
    """`[BANDS, groups]`: the product with it is the mean of each group of neighbouring bands."""
    size = BANDS // groups
    return np.kron(np.eye(groups), np.full((size, 1), 1.0 / size)).astype(np.float32)


_COARSE = _group_means(COARSE_BANDS)
_TRANSIENT = _group_means(TRANSIENT_BANDS)


def shape(log_mel_db: NDArray[np.float32]) -> FloatArray:
    """Mean spectrum less its level.

    Args:
        log_mel_db: `[frames, 128]`, dB.

    Returns:
        `[128]`, dB; sums to zero.
    """
    mean = log_mel_db.mean(axis=0, dtype=np.float64)
    return np.asarray(mean - mean.mean())


def texture(log_mel_db: NDArray[np.float32]) -> FloatArray:
    """How fast coarse bands fluctuate: log of the mean absolute step from frame to frame.

    Noise is independent between fine bands and averages out in a coarse one; what remains is what moves together:
    knocks, rattle, chatter, amplitude modulation. It separates machines whose mean spectrum is the same.

    Args:
        log_mel_db: `[frames, 128]`, dB, at least two frames.

    Returns:
        `[16]`, natural logarithm of dB per frame.
    """
    coarse = log_mel_db @ _COARSE
    flux = np.abs(np.diff(coarse, axis=0)).mean(axis=0, dtype=np.float64)
    return np.asarray(np.log(flux + _SMALLEST_FLUX_DB))


def transient(log_mel_db: NDArray[np.float32]) -> FloatArray:
    """Spectrum by global weighted rank pooling: from the mean of all frames to the loudest moments.

    Each coarse band's frames are ranked by level and weighted by `r ** rank`, for r of 1, 0.98, 0.9 and 0.5
    (A. Kolesnikov, C. Lampert, Seed, expand and constrain, ECCV 2016; for machine sound, K. Dohi et al., 2021). The
    spectrum of a valve's clicks lives in the loudest frames; the mean drowns it.

    Args:
        log_mel_db: `[frames, 128]`, dB.

    Returns:
        `[4 * 32]`, dB, one spectrum of 32 bands per r, less the window's level.
    """
    coarse = np.ascontiguousarray((log_mel_db @ _TRANSIENT).T)
    coarse.sort(axis=1)
    pooled = coarse[:, ::-1].astype(np.float64) @ _rank_weights(coarse.shape[1])
    return np.asarray((pooled - pooled[:, 0].mean()).T.reshape(-1))


def _rank_weights(frames: int) -> FloatArray:
    """`[frames, len(RANK_DECAYS)]`, each column sums to one."""
    ranks = np.arange(frames, dtype=np.float64)[:, None]
    weights = np.asarray(RANK_DECAYS)[None, :] ** ranks
    return np.asarray(weights / weights.sum(axis=0))


def spread_to_bands(values: FloatArray) -> FloatArray:
    """Share one value per coarse band equally among its mel bands: `[groups]` to `[128]` with the same sum."""
    size = BANDS // len(values)
    return np.repeat(values / size, size)
