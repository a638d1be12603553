"""What a site does to a machine's sound: other sounds, gain, noise, an uneven microphone. Deterministic by seed."""

import numpy as np
from numpy.typing import NDArray

from edge_agent.signal.mel import slaney_mel_filters
from edge_agent.signal.settings import SignalSettings
from training_hub.evaluation.errors import EvaluationError

FloatArray = NDArray[np.float32]

REFERENCE_DBFS = -30.0
_PIVOT_HZ = 1000.0
_SMALLEST_POWER = 1e-14


def power(samples: FloatArray) -> float:
    """Mean square, full scale 1.0.

    >>> power(np.array([0.5, -0.5], np.float32))
    0.25
    """
    return float(np.mean(np.square(samples, dtype=np.float64)))


def with_gain(samples: FloatArray, gain_db: float) -> FloatArray:
    """The same sound, louder or softer."""
    return np.asarray(samples * np.float32(10.0 ** (gain_db / 20.0)), np.float32)


def at_level(samples: FloatArray, level_dbfs: float = REFERENCE_DBFS) -> FloatArray:
    """The same sound at a given RMS level, dB re 1.0: what is left cannot be told by loudness.

    Raises:
        EvaluationError: Digital silence has no level to change.
    """
    found = power(samples)
    if found <= _SMALLEST_POWER:
        raise EvaluationError("digital silence cannot be brought to a level; leave the clip out")
    return with_gain(samples, level_dbfs - 10.0 * float(np.log10(found)))


def fit_length(samples: FloatArray, count: int, rng: np.random.Generator) -> FloatArray:
    """`count` samples of a sound from a random place on, repeated where it is too short."""
    start = int(rng.integers(len(samples)))
    return np.take(samples, np.arange(start, start + count), mode="wrap")


def mix_at_snr(signal: FloatArray, noise: FloatArray, snr_db: float) -> FloatArray:
    """Signal plus noise, the noise scaled so that their powers over the whole clip stand at `snr_db`.

    Args:
        signal: `[n]`.
        noise: `[n]`.
        snr_db: Power of the signal over that of the noise, dB.

    Raises:
        EvaluationError: Lengths differ, or one of them is silent.
    """
    signal_power, noise_power = power(signal), power(noise)
    if signal.shape != noise.shape or min(signal_power, noise_power) <= _SMALLEST_POWER:
        raise EvaluationError(f"cannot mix {signal.shape} with {noise.shape}: lengths differ or one is silent")
    scale = np.sqrt(signal_power / noise_power) * 10.0 ** (-snr_db / 20.0)
    return np.asarray(signal + np.float32(scale) * noise, np.float32)


def white_noise(count: int, rng: np.random.Generator) -> FloatArray:
    """Flat noise of unit power."""
    return rng.standard_normal(count, dtype=np.float32)


def with_tilt(samples: FloatArray, db_per_octave: float, rate_hz: int = 16_000) -> FloatArray:
    """The sound through an equaliser with a constant slope about 1 kHz, level below 50 Hz."""
    spectrum = np.fft.rfft(samples)
    octaves = np.log2(np.maximum(np.fft.rfftfreq(len(samples), 1.0 / rate_hz), 50.0) / _PIVOT_HZ)
    return np.fft.irfft(spectrum * 10.0 ** (db_per_octave * octaves / 20.0), len(samples)).astype(np.float32)


def log_mel_with_flat_noise(
    log_mel_db: FloatArray, snr_db: float, rng: np.random.Generator, settings: SignalSettings | None = None
) -> FloatArray:
    """Frames of a sound with white noise added, where only frames exist: powers add, phases are unknown.

    The power of white noise in a mel band is a weighted sum of exponentially distributed bins, which a Gamma
    distribution of the same mean and variance follows. Filters of equal area pass equal power, so the noise is flat
    over bands; its level is told against the mean over bands, in which low frequencies count for more than in a mean
    over hertz: the stricter choice for machines, which hum low.

    Args:
        log_mel_db: `[frames, 128]`, dB.
        snr_db: Mean power of the sound over that of the noise, dB.
        rng: Draws the noise.
        settings: The signal contract.
    """
    filters = slaney_mel_filters(settings or SignalSettings()).astype(np.float64)
    area, squares = filters.sum(axis=1), np.square(filters).sum(axis=1)
    bins = np.maximum(1.0, area**2 / squares)
    clean = _power_of(log_mel_db)
    density = float((clean / area).mean()) * 10.0 ** (-snr_db / 10.0)
    return _log_mel(clean + density * area * rng.gamma(bins, 1.0 / bins, clean.shape))


def log_mel_mix(signal_db: FloatArray, noise_db: FloatArray, snr_db: float, rng: np.random.Generator) -> FloatArray:
    """Frames of two sounds at once, at a ratio of mean powers; the noise begins at a random frame and repeats.

    Args:
        signal_db: `[frames, 128]`, dB.
        noise_db: `[any, 128]`, dB.
        snr_db: Mean power of the signal over that of the noise, dB.
        rng: Chooses where the noise begins.
    """
    start = int(rng.integers(len(noise_db)))
    noise = np.take(_power_of(noise_db), np.arange(start, start + len(signal_db)), axis=0, mode="wrap")
    signal = _power_of(signal_db)
    scale = signal.mean() / max(float(noise.mean()), _SMALLEST_POWER) * 10.0 ** (-snr_db / 10.0)
    return _log_mel(signal + scale * noise)


def log_mel_with_tilt(
    log_mel_db: FloatArray, db_per_octave: float, settings: SignalSettings | None = None
) -> FloatArray:
    """Frames through the equaliser of `with_tilt`, its gain taken at the middle of each band."""
    contract = settings or SignalSettings()
    filters = slaney_mel_filters(contract)
    hz = np.linspace(0.0, contract.sample_rate_hz / 2, contract.n_bins)
    centre = filters @ hz / filters.sum(axis=1)
    slope_db = db_per_octave * np.log2(np.maximum(centre, 50.0) / _PIVOT_HZ)
    return np.asarray(log_mel_db + slope_db, np.float32)


def _power_of(log_mel_db: FloatArray) -> NDArray[np.float64]:
    return np.asarray(10.0 ** (log_mel_db.astype(np.float64) / 10.0))


def _log_mel(powers: NDArray[np.float64]) -> FloatArray:
    return np.asarray(10.0 * np.log10(powers), np.float32)
