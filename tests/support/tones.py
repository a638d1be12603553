"""Sounds of one frequency, and which one a sound has."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def tone(hz: float, seconds: float, rate_hz: int, amplitude: float = 0.25) -> npt.NDArray[np.float32]:
    """A sine."""
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)).astype(np.float32)


def loudest_hz(samples: npt.NDArray[np.float32], rate_hz: int) -> float:
    """The frequency that holds most."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * rate_hz / len(samples)
