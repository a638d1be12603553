"""What detectors measure of a window: a few numbers that do not change with gain.

Spectra are in dB, where a gain is a constant added to all bands: detectors take it away by aligning a spectrum with the
machine's own. The other statistics look at differences in dB only.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.features import BANDS

FloatArray = NDArray[np.float64]

COARSE_BANDS = 16
RANK_DECAYS = (1.0, 0.98, 0.9, 0.5)
_SMALLEST_FLUX_DB = 0.02
_FLOOR_BLOCK = 4
_FLOOR_SHARE = 0.4
RELIEF_BANDS = BANDS // 2
_RELIEF_NEIGHBOURS = 8


def _group_means(groups: int) -> NDArray[np.float32]:
    """`[BANDS, groups]`: the product with it is the mean of each group of neighbouring bands."""
    size = BANDS // groups
    return np.kron(np.eye(groups), np.full((size, 1), 1.0 / size)).astype(np.float32)


def _above_neighbours(neighbours: int) -> NDArray[np.float64]:
    """`[BANDS, RELIEF_BANDS]`: the product with it is the upper bands less the mean of those about each.

    Beyond the last band the last one is repeated.
    """
    means = np.zeros((BANDS, BANDS))
    for band in range(BANDS):
        for other in range(band - neighbours, band + neighbours + 1):
            means[min(max(other, 0), BANDS - 1), band] += 1.0 / (2 * neighbours + 1)
    return np.asarray((np.eye(BANDS) - means)[:, BANDS - RELIEF_BANDS :])


_COARSE = _group_means(COARSE_BANDS)
_RELIEF = _above_neighbours(_RELIEF_NEIGHBOURS)


def spectrum(log_mel_db: NDArray[np.float32]) -> FloatArray:
    """Mean spectrum.

    Args:
        log_mel_db: `[frames, 128]`, dB.

    Returns:
        `[128]`, dB.
    """
    frames = len(log_mel_db)
    mean = np.full(frames, 1.0 / frames, np.float32) @ log_mel_db  # a product: four times faster than a mean
    return mean.astype(np.float64)


def shape(log_mel_db: NDArray[np.float32]) -> FloatArray:
    """Mean spectrum less its level, `[128]`, dB; sums to zero."""
    return shape_of(spectrum(log_mel_db))


def shape_of(spectrum_db: FloatArray) -> FloatArray:
    """The shape of windows whose mean `spectrum` is known, `[..., 128]`."""
    # what `numpy.mean` gives, in a third of its time for so few numbers
    return np.asarray(spectrum_db - np.add.reduce(spectrum_db, axis=-1, keepdims=True) / spectrum_db.shape[-1])


def floor(log_mel_db: NDArray[np.float32]) -> FloatArray:
    """Spectrum of the quiet moments of each band.

    A machine is there all the time, other sounds come and go: what a band falls back to is the machine's. Each band is
    averaged over blocks of 128 ms, and its quietest blocks, four in ten, are averaged (after minimum statistics,
    R. Martin, IEEE Trans. Speech Audio Process. 9, 2001).

    Args:
        log_mel_db: `[frames, 128]`, dB, at least four frames.

    Returns:
        `[128]`, dB.
    """
    blocks = len(log_mel_db) // _FLOOR_BLOCK
    levels = np.einsum("ijk->ik", log_mel_db[: blocks * _FLOOR_BLOCK].reshape(blocks, _FLOOR_BLOCK, -1))
    levels /= np.float32(_FLOOR_BLOCK)
    quietest = max(1, int(blocks * _FLOOR_SHARE))
    levels = np.ascontiguousarray(levels.T)
    levels.sort(axis=1)  # of so few numbers sooner done than finding the quietest of them
    return _row_means(levels[:, :quietest])


def _row_means(levels_db: NDArray[np.float32]) -> FloatArray:
    """Mean of each row, as a product with ones: of float32 levels sums of doubles are exact in any order."""
    return np.asarray(levels_db.astype(np.float64) @ np.ones(levels_db.shape[1]) / levels_db.shape[1])


def relief(log_mel_db: NDArray[np.float32]) -> FloatArray:
    """How the upper bands stand out of the bands about them, in the quiet moments.

    Sound from elsewhere is mostly low and its spectrum smooth: above 2 kHz, less the mean over 17 neighbouring bands,
    little of it is left, while whines, whistles and gear lines of the machine stay.

    Args:
        log_mel_db: `[frames, 128]`, dB, at least four frames.

    Returns:
        `[64]`, dB, of the upper half of the bands.
    """
    return relief_of(floor(log_mel_db))


def relief_of(floor_db: FloatArray) -> FloatArray:
    """The relief of a window whose `floor` is known."""
    return np.asarray(floor_db @ _RELIEF)


def coarse(log_mel_db: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of groups of neighbouring bands, `[frames, 128]` to `[frames, 16]`, dB."""
    return np.asarray(log_mel_db @ _COARSE)


def texture(log_mel_db: NDArray[np.float32]) -> FloatArray:
    """How fast coarse bands fluctuate: log of the mean absolute step from frame to frame.

    Noise is independent between fine bands and averages out in a coarse one; what remains is what moves together:
    knocks, rattle, chatter, amplitude modulation. It separates machines whose mean spectrum is the same.

    Args:
        log_mel_db: `[frames, 128]`, dB, at least two frames.

    Returns:
        `[16]`, natural logarithm of dB per frame.
    """
    return texture_of(coarse(log_mel_db))


def texture_of(coarse_db: NDArray[np.float32]) -> FloatArray:
    """The texture of a window whose `coarse` bands are known."""
    steps = coarse_db[1:] - coarse_db[:-1]
    flux = np.ones(len(steps)) @ np.abs(steps, out=steps).astype(np.float64) / len(steps)
    return np.asarray(np.log(flux + _SMALLEST_FLUX_DB))


def transient(log_mel_db: NDArray[np.float32]) -> FloatArray:
    """Spectrum by global weighted rank pooling: from the mean of all frames to the loudest moments.

    Each coarse band's frames are ranked by level and weighted by `r ** rank`, for r of 1, 0.98, 0.9 and 0.5
    (A. Kolesnikov, C. Lampert, Seed, expand and constrain, ECCV 2016; for machine sound, K. Dohi et al., 2021). The
    spectrum of a valve's clicks lives in the loudest frames; the mean drowns it.

    Args:
        log_mel_db: `[frames, 128]`, dB.

    Returns:
        `[4 * 16]`, dB, one spectrum of 16 bands per r.
    """
    return transient_of(coarse(log_mel_db))


def transient_of(coarse_db: NDArray[np.float32]) -> FloatArray:
    """The transient spectra of a window whose `coarse` bands are known."""
    ranked = np.ascontiguousarray(coarse_db.T)
    ranked.sort(axis=1)
    pooled = ranked[:, ::-1].astype(np.float64) @ _rank_weights(ranked.shape[1])
    return np.asarray(pooled.T.reshape(-1))


def impulsiveness_db(log_mel_db: NDArray[np.float32]) -> float:
    """How far loud moments stand above the usual: 95th percentile over median of coarse bands, mean over the bands.

    Steady noise has 2 to 3 dB, machines that turn up to 4 dB, valves and stamps 10 dB and more.

    Args:
        log_mel_db: `[frames, 128]`, dB.
    """
    median, high = np.quantile(coarse(log_mel_db), [0.5, 0.95], axis=0)
    return float((high - median).mean())


@lru_cache(maxsize=8)
def _rank_weights(frames: int) -> FloatArray:
    """`[frames, len(RANK_DECAYS)]`, each column sums to one. Read-only: windows of one length share it."""
    ranks = np.arange(frames, dtype=np.float64)[:, None]
    weights = np.asarray(RANK_DECAYS)[None, :] ** ranks
    shares = np.asarray(weights / weights.sum(axis=0))
    shares.flags.writeable = False
    return shares


def coarse_means(values: FloatArray) -> FloatArray:
    """Mean of the mel bands of each coarse band: `[n, 128]` to `[n, 16]`."""
    return np.asarray(values.reshape(len(values), COARSE_BANDS, -1).mean(axis=2))


def spread_to_bands(values: FloatArray) -> FloatArray:
    """Share one value per coarse band equally among its mel bands: `[..., groups]` to `[..., 128]`, the same sum."""
    size = BANDS // values.shape[-1]
    return np.repeat(values / size, size, axis=-1)
