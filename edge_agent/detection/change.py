"""What a person would hear in the bands that tell a window from normal."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.third_octave import NOMINAL_HZ, ThirdOctaves
from edge_agent.detection.verdict import Change, Rhythm
from edge_agent.signal.mel import mel_centres_hz
from edge_agent.signal.settings import SignalSettings

FloatArray = NDArray[np.float64]

STEADY_DB = 3.5
"""95th percentile of a band's level over its median: 2 to 3 dB in steady noise, less in a tone."""
INTERMITTENT_DB = 6.0
NARROW_DB = 5.0
"""How far one mel band's rise stands out on both sides, for a tone."""

_REGULAR = 0.5
_FASTEST_FRAMES, _SLOWEST_S = 3, 2.0
_CENTRES_HZ = mel_centres_hz(SignalSettings())
_FRAMES_PER_S = SignalSettings().sample_rate_hz / SignalSettings().hop_samples
_AROUND = 4


def changes_in(
    named_hz: Sequence[float], change_db: FloatArray, log_mel_db: NDArray[np.float32], third_octaves: ThirdOctaves
) -> tuple[Change, ...]:
    """The changes in the named third octaves, neighbours with the same sign together, the larger change first.

    Args:
        named_hz: Centres of the bands, lowest first.
        change_db: `[128]`, level of each mel band against normal, gain taken away.
        log_mel_db: `[frames, 128]` of the window, dB.
        third_octaves: How mel bands fall into them.
    """
    means = dict(zip(third_octaves.centres_hz, third_octaves.means(change_db).tolist(), strict=True))
    groups: list[list[float]] = []
    for centre_hz in named_hz:
        alike = groups and _are_neighbours(groups[-1][-1], centre_hz)
        if alike and (means[groups[-1][-1]] > 0) == (means[centre_hz] > 0):
            groups[-1].append(centre_hz)
        else:
            groups.append([centre_hz])
    found = [_change(group, means, change_db, log_mel_db, third_octaves) for group in groups]
    return tuple(sorted(found, key=lambda change: -abs(change.change_db)))


def _change(
    group: Sequence[float],
    means: dict[float, float],
    change_db: FloatArray,
    log_mel_db: NDArray[np.float32],
    third_octaves: ThirdOctaves,
) -> Change:
    bands = np.concatenate([third_octaves.mel_bands(centre_hz) for centre_hz in group])
    peak = int(bands[int(np.argmax(change_db[bands]))])
    envelope_db = 10.0 * np.log10(np.power(10.0, log_mel_db[:, bands].astype(np.float64) / 10.0).mean(axis=1))
    rhythm, rate_hz = _rhythm(envelope_db)
    return Change(
        bands_hz=tuple(group),
        change_db=float(np.mean([means[centre_hz] for centre_hz in group])),
        tone_hz=float(_CENTRES_HZ[peak]) if _stands_out(change_db, peak) else None,
        rhythm=rhythm,
        rate_hz=rate_hz,
    )


def _are_neighbours(low_hz: float, high_hz: float) -> bool:
    return NOMINAL_HZ.index(high_hz) - NOMINAL_HZ.index(low_hz) == 1


def _stands_out(change_db: FloatArray, peak: int) -> bool:
    """Whether one mel band, with its neighbours, rose far more than those on both sides."""
    sides = (change_db[max(0, peak - _AROUND) : max(0, peak - 1)], change_db[peak + 2 : peak + 1 + _AROUND])
    return all(float(change_db[peak] - np.median(side)) >= NARROW_DB for side in sides if len(side))


def _rhythm(envelope_db: FloatArray) -> tuple[Rhythm, float | None]:
    """How a band's level goes on, and how often a second it comes back."""
    median_db, high_db = np.quantile(envelope_db, [0.5, 0.95])
    swing_db = float(high_db - median_db)
    if swing_db < STEADY_DB:
        return Rhythm.STEADY, None
    rhythm = Rhythm.INTERMITTENT if swing_db >= INTERMITTENT_DB else Rhythm.UNEVEN
    return rhythm, _rate_hz(envelope_db)


def _rate_hz(envelope_db: FloatArray) -> float | None:
    """The first high peak of the autocorrelation; None where nothing comes back regularly.

    The level is taken, not the power, lest one loud knock hide all others.
    """
    slowest = min(int(_SLOWEST_S * _FRAMES_PER_S), len(envelope_db) // 3)
    if slowest <= _FASTEST_FRAMES:
        return None
    centred = envelope_db - envelope_db.mean()
    power = float((centred**2).mean())
    lags = np.arange(1, slowest + 2)
    correlation = np.array([float((centred[lag:] * centred[:-lag]).mean()) for lag in lags]) / max(power, 1e-12)
    inner = correlation[1:-1]
    peaks = np.flatnonzero((inner >= correlation[:-2]) & (inner > correlation[2:]) & (inner >= _REGULAR)) + 1
    peaks = peaks[lags[peaks] >= _FASTEST_FRAMES]
    return float(_FRAMES_PER_S / lags[peaks[0]]) if len(peaks) else None
