"""Covariances from few samples: shrinkage, blending with a prior, scatter caused by noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_agent.signal.mel import slaney_mel_filters
from edge_agent.signal.settings import SignalSettings

FloatArray = NDArray[np.float64]

NOISE_SNR_DB = (40.0, 30.0, 20.0)
_SCALE_STRENGTH = 3.0
_TRIM_SHARE = 0.1
_ALIGNMENTS = 3
_SMALLEST_VARIANCE = 1e-8
_HANN_BIN_CORRELATIONS = (2.0 / 3.0, 1.0 / 6.0)


def aligned(deviations: FloatArray) -> FloatArray:
    """Deviations from a spectrum `[..., bands]` in dB, less their median over the bands: the gain taken away.

    The median, not the mean: a sound that adds to some bands must not seem to lower all others.
    """
    return np.asarray(deviations - median(deviations)[..., None])


def median(values: FloatArray) -> FloatArray:
    """Median over the last axis, `[..., n]` of finite numbers to `[...]`.

    `numpy.median` gives the same, but spends ten times as long on what cannot occur here.
    """
    middle = values.shape[-1] // 2
    if values.shape[-1] % 2:
        return np.asarray(np.partition(values, middle, axis=-1)[..., middle])
    ordered = np.sort(values, axis=-1)  # of so few numbers sooner done than finding the two in the middle
    return np.asarray((ordered[..., middle - 1] + ordered[..., middle]) / 2.0)


def trimmed_mean(values: FloatArray) -> FloatArray:
    """Mean per column without the lowest and highest tenth: one bad clip in ten cannot pull it."""
    cut = int(len(values) * _TRIM_SHARE)
    ordered = np.sort(values, axis=0)
    return np.asarray(ordered[cut : len(values) - cut].mean(axis=0))


def centre_of(values: FloatArray, *, align: bool) -> FloatArray:
    """Robust centre of the rows, `[n, d]` to `[d]`; of spectra at different gains with `align`."""
    if not align:
        return trimmed_mean(values)
    centre = trimmed_mean(values - np.median(values, axis=1, keepdims=True))
    for _ in range(_ALIGNMENTS):
        centre = centre + trimmed_mean(aligned(values - centre))
    return centre


def residuals_of(values: FloatArray, centre: FloatArray, *, align: bool) -> FloatArray:
    """Deviations of the rows from a centre, `[n, d]`, their gain taken away with `align`."""
    return aligned(values - centre) if align else values - centre


def shrinkage_to_diagonal(residuals: FloatArray) -> float:
    """How much of the sample correlations to give up, in the least-squares sense.

    The analytic estimate of J. Schäfer and K. Strimmer (Statist. Appl. Genet. Mol. Biol. 4, 2005, 32) for
    target D: unequal variances, no correlation; Ledoit and Wolf's idea on standardised data.

    Args:
        residuals: `[n, d]`, centred.

    Returns:
        Between 0 and 1.
    """
    n = len(residuals)
    standardised = residuals / np.sqrt(np.maximum((residuals**2).mean(axis=0), _SMALLEST_VARIANCE))
    correlation = standardised.T @ standardised / n
    squares = (standardised**2).T @ (standardised**2) / n
    noise = (squares - correlation**2) / max(1, n - 1)
    off = ~np.eye(len(correlation), dtype=bool)
    total = float((correlation[off] ** 2).sum())
    return float(np.clip(noise[off].sum() / total, 0.0, 1.0)) if total > 0 else 1.0


def shrink(covariance: FloatArray, shrinkage: float) -> FloatArray:
    """Give up a share of the correlations; keeps variances, which are floored away from zero."""
    variances = np.maximum(np.diag(covariance), _SMALLEST_VARIANCE)
    shrunk = (1.0 - shrinkage) * covariance
    np.fill_diagonal(shrunk, variances)
    return np.asarray(shrunk)


def blend(prior: FloatArray | None, strength: float, residuals: FloatArray, spent: int) -> FloatArray:
    """Pool a prior covariance, worth `strength` clips, with a machine's own scatter.

    The prior is first brought to the machine's own scale, as far as its few clips tell: one machine stands in a quieter
    room than another, while how bands move together is a matter of the type.

    Args:
        prior: `[d, d]` or None.
        strength: Clips that the prior is worth.
        residuals: `[n, d]` around the machine's centres.
        spent: Degrees of freedom that the centres took.

    Returns:
        `[d, d]`, not yet shrunk.
    """
    dof = max(0, len(residuals) - spent)
    own = residuals.T @ residuals
    if prior is None or strength <= 0.0:
        return own / max(1, dof)
    if dof:
        ratio = max(float(np.trace(own)) / dof, _SMALLEST_VARIANCE) / float(np.trace(prior))
        prior = prior * ratio ** (dof / (dof + _SCALE_STRENGTH))
    return np.asarray((strength * prior + own) / (strength + dof))


class WhiteNoise:
    """White noise as it looks in log-mel frames: draws it once and adds pieces of it.

    The power of a band of a frame is Gamma distributed, with twice the number of independent bins it averages as
    degrees of freedom; a Hann window makes neighbouring bins depend on each other.

    Args:
        frames: The longest window it will be added to.
        rng: Draws it.
        settings: The signal contract; the standard one if not given.
    """

    def __init__(self, frames: int, rng: np.random.Generator, settings: SignalSettings | None = None) -> None:
        filters = slaney_mel_filters(settings or SignalSettings()).astype(np.float64)
        self._area = filters.sum(axis=1)
        variance = (filters**2).sum(axis=1)
        for distance, correlation in enumerate(_HANN_BIN_CORRELATIONS, start=1):
            variance += 2.0 * correlation**2 * (filters[:, distance:] * filters[:, :-distance]).sum(axis=1)
        bins = self._area**2 / variance
        self._field = (self._area * rng.gamma(bins, 1.0 / bins, size=(2 * frames, len(bins)))).astype(np.float32)
        self._rng = rng

    def added_to(self, log_mel_db: NDArray[np.float32], snr_db: float) -> NDArray[np.float32]:
        """A copy of a window with noise added in the power domain.

        Args:
            log_mel_db: `[frames, 128]`, dB.
            snr_db: Level of the window's sound above the noise's, both over all frequencies.

        Returns:
            `[frames, 128]`, dB.
        """
        power = np.power(np.float32(10.0), log_mel_db / np.float32(10.0))
        density = float((power.mean(axis=0, dtype=np.float64) / self._area).mean()) * 10.0 ** (-snr_db / 10.0)
        first = int(self._rng.integers(len(self._field) - len(log_mel_db) + 1))
        power += np.float32(density) * self._field[first : first + len(log_mel_db)]
        return np.asarray(np.float32(10.0) * np.log10(power))


def noise_scatter(
    windows: Sequence[NDArray[np.float32]],
    statistic: Callable[[NDArray[np.float32]], FloatArray],
    rng: np.random.Generator,
    *,
    align: bool,
    snrs_db: Sequence[float] = NOISE_SNR_DB,
) -> FloatArray:
    """Second moment of how a statistic moves when faint noise is added to windows.

    A fan switched on in the next room is no fault of this machine. The direction in which noise moves a spectrum
    depends on the machine's own spectrum, so it is taken from the machine's own windows.

    Args:
        windows: Log-mel frames `[frames, 128]` each.
        statistic: What the detector measures, `[d]`.
        rng: Draws the noise.
        align: Whether the detector takes the level away (see `aligned`).
        snrs_db: Levels of the noise below the sound, each with the same weight.

    Returns:
        `[d, d]`.
    """
    noise = WhiteNoise(max(len(window) for window in windows), rng)
    moves = np.array(
        [statistic(noise.added_to(w, snr)) - clean for w in windows for clean in [statistic(w)] for snr in snrs_db]
    )
    if align:
        moves = aligned(moves)
    return np.asarray(moves.T @ moves / len(moves))
