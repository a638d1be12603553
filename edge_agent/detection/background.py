"""The sounds of a plant around a machine, as log-mel frames: synthetic, in great variety, none of them recorded."""

import numpy as np
from numpy.typing import NDArray

from edge_agent.signal.mel import mel_centres_hz, slaney_mel_filters
from edge_agent.signal.settings import SignalSettings

FloatArray = NDArray[np.float64]

SNR_DB = (12.0, 20.0)
"""How far below the machine's own sound a background lies that should raise no alarm."""

_HANN_BIN_CORRELATIONS = (2.0 / 3.0, 1.0 / 6.0)
_KNOTS = 7
_KNOT_STD_DB = 7.0
_STEEPEST_DB_PER_OCTAVE = -7.0
_PIVOT_HZ = 1000.0
_LOWEST_HZ = 50.0
_SWELL_STD_DB = 6.0
_SWELL_S = (0.2, 3.0)
_STROKE_DECAY_S = (0.05, 1.0)
_STROKE_STD_DB = 4.0
_STROKES_PER_S = 0.5
_BETWEEN_STROKES = 1e-4


class Background:
    """Draws backgrounds and adds them to windows.

    Each has a spectrum of its own (falling by up to 7 dB an octave, with hills and valleys of 7 dB) and a course of its
    own: steady, swelling and fading, or strokes that ring out. The power of a band of a frame fluctuates as that of
    Gaussian noise does. Powers add; phases are unknown.

    Args:
        rng: Draws.
        settings: The signal contract; the standard one if not given.
    """

    def __init__(self, rng: np.random.Generator, settings: SignalSettings | None = None) -> None:
        contract = settings or SignalSettings()
        filters = slaney_mel_filters(contract).astype(np.float64)
        self._area = filters.sum(axis=1)
        variance = (filters**2).sum(axis=1)
        for distance, correlation in enumerate(_HANN_BIN_CORRELATIONS, start=1):
            variance += 2.0 * correlation**2 * (filters[:, distance:] * filters[:, :-distance]).sum(axis=1)
        self._bins = self._area**2 / variance
        centres_hz = mel_centres_hz(contract)
        self._octaves = np.log2(np.maximum(centres_hz, _LOWEST_HZ) / _PIVOT_HZ)
        borders_hz = [0.0, *((centres_hz[1:] + centres_hz[:-1]) / 2.0), contract.sample_rate_hz / 2.0]
        self._loudness = np.diff(borders_hz) / self._area
        self._frame_s = contract.hop_samples / contract.sample_rate_hz
        self._rng = rng

    def added_to(self, log_mel_db: NDArray[np.float32], snr_db: float | None = None) -> NDArray[np.float32]:
        """A copy of a window amid another background.

        Args:
            log_mel_db: `[frames, 128]`, dB.
            snr_db: Power of the window's sound over that of the background, both over all frequencies and frames; drawn
                from 12 to 20 if not given.

        Returns:
            `[frames, 128]`, dB.
        """
        ratio_db = float(self._rng.uniform(*SNR_DB)) if snr_db is None else snr_db
        power = np.power(10.0, log_mel_db.astype(np.float64) / 10.0)
        course = np.power(10.0, self._course_db(len(power)) / 10.0)
        density = np.power(10.0, self._spectrum_db() / 10.0) * self._area
        noise = density * course[:, None] * self._rng.gamma(self._bins, 1.0 / self._bins, size=power.shape)
        scale = (power @ self._loudness).sum() / (noise @ self._loudness).sum() * 10.0 ** (-ratio_db / 10.0)
        return np.asarray(10.0 * np.log10(power + scale * noise), np.float32)

    def _spectrum_db(self) -> FloatArray:
        knots = np.linspace(self._octaves[0], self._octaves[-1], _KNOTS)
        slope = self._rng.uniform(_STEEPEST_DB_PER_OCTAVE, 0.0)
        hills_db = self._rng.normal(0.0, _KNOT_STD_DB, _KNOTS)
        return np.asarray(np.interp(self._octaves, knots, slope * knots + hills_db))

    def _course_db(self, frames: int) -> FloatArray:
        kind = int(self._rng.integers(3))
        if kind == 0:
            return np.zeros(frames)
        return self._swelling_db(frames) if kind == 1 else self._strokes_db(frames)

    def _swelling_db(self, frames: int) -> FloatArray:
        memory = float(np.exp(-self._frame_s / self._duration_s(_SWELL_S)))
        steps = np.sqrt(1.0 - memory**2) * self._rng.standard_normal(frames)
        level = np.empty(frames)
        now = float(self._rng.standard_normal())
        for frame in range(frames):
            now = memory * now + steps[frame]
            level[frame] = now
        return _SWELL_STD_DB * level

    def _strokes_db(self, frames: int) -> FloatArray:
        times_s = np.arange(frames) * self._frame_s
        power = np.full(frames, _BETWEEN_STROKES)
        for _ in range(1 + int(self._rng.poisson(_STROKES_PER_S * frames * self._frame_s))):
            since_s = times_s - self._rng.uniform(0.0, times_s[-1])
            loudness = 10.0 ** (self._rng.normal(0.0, _STROKE_STD_DB) / 10.0)
            ringing = np.exp(-np.maximum(since_s, 0.0) / self._duration_s(_STROKE_DECAY_S))
            power += np.where(since_s >= 0.0, loudness * ringing, 0.0)
        return np.asarray(10.0 * np.log10(power))

    def _duration_s(self, bounds_s: tuple[float, float]) -> float:
        return float(np.exp(self._rng.uniform(*np.log(bounds_s))))
