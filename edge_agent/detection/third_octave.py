"""Third-octave bands (IEC 61260-1, base ten) and how mel bands fall into them."""

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.grouped import sums_by_group
from edge_agent.signal.mel import mel_centres_hz
from edge_agent.signal.settings import SignalSettings

FloatArray = NDArray[np.float64]

NOMINAL_HZ = (
    25.0, 31.5, 40.0, 50.0, 63.0, 80.0, 100.0, 125.0, 160.0, 200.0, 250.0, 315.0, 400.0, 500.0, 630.0, 800.0,
    1000.0, 1250.0, 1600.0, 2000.0, 2500.0, 3150.0, 4000.0, 5000.0, 6300.0, 8000.0,
)  # fmt: skip
_FIRST_INDEX = -16  # 25 Hz; 1 kHz has index 0


def exact_hz(nominal_hz: float) -> float:
    """Exact centre of a nominal band.

    >>> exact_hz(1000.0), round(exact_hz(63.0), 2)
    (1000.0, 63.1)
    """
    return float(1000.0 * 10.0 ** ((NOMINAL_HZ.index(nominal_hz) + _FIRST_INDEX) / 10.0))


def edges_hz(nominal_hz: float) -> tuple[float, float]:
    """Lower and upper edge of a nominal band."""
    centre = exact_hz(nominal_hz)
    return centre * 10.0**-0.05, centre * 10.0**0.05


class ThirdOctaves:
    """Sums values of mel bands into third octaves.

    Each mel band belongs to the third octave that holds its centre, the lowest and highest to the last there is, so
    that sums are kept. Low third octaves narrower than a mel band stay empty and are left out.
    """

    def __init__(self, settings: SignalSettings | None = None) -> None:
        centres_hz = np.maximum(mel_centres_hz(settings or SignalSettings()), NOMINAL_HZ[0])
        index = np.rint(10.0 * np.log10(centres_hz / 1000.0)).astype(int) - _FIRST_INDEX
        index = np.clip(index, 0, len(NOMINAL_HZ) - 1)
        used = np.unique(index)
        self.centres_hz: tuple[float, ...] = tuple(NOMINAL_HZ[i] for i in used)
        self._position = np.searchsorted(used, index)
        self._sizes = np.bincount(self._position)

    def sums(self, values: FloatArray) -> FloatArray:
        """Sum per third octave of `[128]` values, one per mel band."""
        return np.asarray(self.sums_of_all(values[None])[0])

    def means(self, values: FloatArray) -> FloatArray:
        """Mean per third octave of `[128]` values, one per mel band."""
        return np.asarray(self.sums(values) / self._sizes)

    def sums_of_all(self, values: FloatArray) -> FloatArray:
        """`sums` of each row, `[n, 128]` to `[n, third octaves]`, in the same order of adding."""
        return sums_by_group(values, self._position, len(self._sizes))

    @property
    def sizes(self) -> NDArray[np.int64]:
        """How many mel bands each third octave has."""
        return self._sizes

    def mel_bands(self, centre_hz: float) -> NDArray[np.int64]:
        """Numbers of the mel bands that belong to a third octave."""
        return np.flatnonzero(self._position == self.centres_hz.index(centre_hz))


def label(centre_hz: float) -> str:
    """How people write a centre frequency.

    >>> label(3150.0), label(31.5), label(200.0)
    ('3.15 kHz', '31.5 Hz', '200 Hz')
    """
    if centre_hz >= 1000.0:
        return f"{centre_hz / 1000.0:g} kHz"
    return f"{centre_hz:g} Hz"
