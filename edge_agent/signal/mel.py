"""The Slaney mel filter bank."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from edge_agent.signal.settings import SignalSettings

_LINEAR_HZ_PER_MEL = 200.0 / 3
_LOG_START_HZ = 1_000.0
_LOG_START_MEL = _LOG_START_HZ / _LINEAR_HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27.0


def hz_to_mel(frequency_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Frequency on Slaney's mel scale: linear below 1 kHz, logarithmic above.

    Source: M. Slaney, Auditory Toolbox, Interval Research TR 1998-010; the same as librosa's `htk=False`.

    >>> hz_to_mel(np.array([0.0, 1000.0])).round(9).tolist()
    [0.0, 15.0]
    """
    log_part = _LOG_START_MEL + np.log(np.maximum(frequency_hz, _LOG_START_HZ) / _LOG_START_HZ) / _LOG_STEP
    return np.where(frequency_hz >= _LOG_START_HZ, log_part, frequency_hz / _LINEAR_HZ_PER_MEL)


def mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse of `hz_to_mel`."""
    log_part = _LOG_START_HZ * np.exp(_LOG_STEP * (np.maximum(mel, _LOG_START_MEL) - _LOG_START_MEL))
    return np.where(mel >= _LOG_START_MEL, log_part, mel * _LINEAR_HZ_PER_MEL)


def mel_edges_hz(settings: SignalSettings) -> NDArray[np.float64]:
    """Edges of the triangles, Hz, `[n_mels + 2]`: band b rises from edge b, peaks at b + 1 and ends at b + 2."""
    low, high = hz_to_mel(np.array([settings.f_min_hz, settings.f_max_hz]))
    return mel_to_hz(np.linspace(low, high, settings.n_mels + 2))


def mel_centres_hz(settings: SignalSettings) -> NDArray[np.float64]:
    """Centre frequency of every mel band, Hz, `[n_mels]`."""
    return mel_edges_hz(settings)[1:-1]


@cache
def slaney_mel_filters(settings: SignalSettings) -> NDArray[np.float32]:
    """Triangular filters of unit area, `[n_mels, n_bins]`, equal to `librosa.filters.mel(htk=False, norm="slaney")`.

    Computed once for the same settings (1.3 ms) and read-only.
    """
    bins_hz = np.linspace(0.0, settings.sample_rate_hz / 2, settings.n_bins)
    edges_hz = mel_edges_hz(settings)
    width_hz = np.diff(edges_hz)
    offset_hz = edges_hz[:, None] - bins_hz[None, :]
    rising = -offset_hz[:-2] / width_hz[:-1, None]
    falling = offset_hz[2:] / width_hz[1:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    filters = (triangles * (2.0 / (edges_hz[2:] - edges_hz[:-2]))[:, None]).astype(np.float32)
    filters.flags.writeable = False
    return filters
