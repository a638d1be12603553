"""Made-up faults: a normal window changed as faults change sound, for a detector's weight to be fitted on.

No fault of a real machine is used, so that those stay unseen and can judge. What is made is what vibration and noise
diagnosis describes in general terms: a band louder or quieter, a tone, knocks, an unsteady level.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

_BANDS = 128
_FRAMES_PER_S = 31.25


def made_up_faults(window: FloatArray, rng: np.random.Generator) -> list[FloatArray]:
    """One window of each kind of change, from a normal one `[frames, 128]`, dB."""
    return [change(window, rng).astype(np.float32) for change in CHANGES.values()]


def band_changed(window: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A stretch of bands, up to an octave or so, 2 to 6 dB louder or quieter."""
    centre, width = rng.uniform(8, 120), rng.uniform(3, 12)
    gain_db = rng.uniform(2.0, 6.0) * rng.choice([-1.0, 1.0])
    return np.asarray(window + gain_db * np.exp(-0.5 * ((np.arange(_BANDS) - centre) / width) ** 2), np.float32)


def tone_added(window: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A tone in one band, 3 to 9 dB above what is there, with its second harmonic fainter."""
    band = int(rng.integers(6, 100))
    out = window.copy()
    for place, less_db in ((band, 0.0), (min(_BANDS - 1, band + 18), 3.0)):
        tone_db = float(np.median(window[:, place])) + rng.uniform(3.0, 9.0) - less_db
        out[:, place] = _power_sum_db(out[:, place], tone_db)
    return out


def knocks_added(window: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Short broad knocks, one to six a second, 2 to 8 dB above the mean."""
    period = max(2.0, _FRAMES_PER_S / rng.uniform(1.0, 6.0))
    places = np.arange(rng.uniform(0, period), len(window), period).astype(int)
    shape_db = np.interp(np.arange(_BANDS), [0, rng.uniform(30, 90), 127], [-6.0, 0.0, -3.0])
    out = window.copy()
    out[places] = _power_sum_db(out[places], window.mean(axis=0) + shape_db + rng.uniform(2.0, 8.0))
    return out


def level_unsteady(window: FloatArray, rng: np.random.Generator) -> FloatArray:
    """The upper or lower half comes and goes, 1 to 4 dB, half to four times a second."""
    rate = rng.uniform(0.5, 4.0) / _FRAMES_PER_S
    swing_db = rng.uniform(1.0, 4.0) * np.sin(2 * np.pi * (rate * np.arange(len(window)) + rng.uniform()))
    side = 1.0 / (1.0 + np.exp((np.arange(_BANDS) - rng.uniform(40, 90)) / 8.0 * rng.choice([-1.0, 1.0])))
    return np.asarray(window + swing_db[:, None] * side, np.float32)


CHANGES: dict[str, Callable[[FloatArray, np.random.Generator], FloatArray]] = {
    "band": band_changed,
    "tone": tone_added,
    "knocks": knocks_added,
    "unsteady": level_unsteady,
}


def _power_sum_db(one: FloatArray, other: FloatArray | float) -> FloatArray:
    return np.asarray(10.0 * np.log10(10.0 ** (one / 10.0) + 10.0 ** (np.asarray(other) / 10.0)), np.float32)
