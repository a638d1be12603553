"""D4: is the input itself sound? A fault here is one of the microphone or the wiring, never of the machine."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection import statistics
from edge_agent.detection.covariance import median
from edge_agent.detection.features import WindowFeatures
from edge_agent.detection.verdict import HealthCode, HealthFinding
from edge_agent.signal.level import LevelReading
from edge_agent.signal.mel import mel_centres_hz
from edge_agent.signal.settings import SignalSettings

FloatArray = NDArray[np.float64]

DEAD_LEVEL_DB = -98.0
UNPLUGGED_DROP_DB = 35.0
STOPPED_DROP_DB = 15.0
MUFFLED_LOSS_DB = 12.0
HUM_RISE_DB = 5.0
CLIPPED_FRACTION = 2e-3
DC_STEP = 0.05
LOST_BITS = 3
FROZEN_REPEATS = 0.98

_CENTRES_HZ = mel_centres_hz(SignalSettings())
_LOW = _CENTRES_HZ < 1_000.0
_HIGH = _CENTRES_HZ > 2_500.0
_MIDDLE = (_CENTRES_HZ > 500.0) & (_CENTRES_HZ < 4_000.0)
_BASS_BANDS = 12
_MAINS_HZ = (50.0, 60.0)
_HARMONICS = (1, 2, 3)
_BANDS_OF_MAINS = tuple(
    (mains_hz, [int(np.argmin(np.abs(_CENTRES_HZ - mains_hz * k))) for k in _HARMONICS]) for mains_hz in _MAINS_HZ
)
_STEADY_STD_DB = 2.4
"""A band of noise fluctuates by 5.6 dB from frame to frame; of normal recordings of nine machines none of the lowest
bands stayed within 3.4 dB."""


@dataclass(frozen=True, slots=True)
class InputBaseline:
    """What the input was like while the machine was commissioned.

    Attributes:
        lowest_level_db: Lowest level of a window, over all bands.
        lowest_brightness_db: Lowest excess of the bands above 2.5 kHz over those below 1 kHz.
        highest_bass_db: Highest level of each of the lowest bands, `[12]`, over the middle of the spectrum.
        clipped_fraction: Highest share of clipped samples.
        dc: Median mean.
        used_bits: Fewest bits in use.
    """

    lowest_level_db: float
    lowest_brightness_db: float
    highest_bass_db: tuple[float, ...]
    clipped_fraction: float
    dc: float
    used_bits: int

    @classmethod
    def fit(cls, windows: Sequence[WindowFeatures], levels: Sequence[LevelReading | None]) -> "InputBaseline":
        """Learn from normal windows; readings of the level may be missing."""
        spectra = [statistics.spectrum(window.log_mel_db) for window in windows]
        known = [level for level in levels if level is not None]
        return cls(
            lowest_level_db=min(float(level_db(spectrum)) for spectrum in spectra),
            lowest_brightness_db=min(float(brightness_db(spectrum)) for spectrum in spectra),
            highest_bass_db=tuple(np.max([bass_db(spectrum) for spectrum in spectra], axis=0).tolist()),
            clipped_fraction=max((level.clipped_fraction for level in known), default=0.0),
            dc=float(np.median([level.dc for level in known])) if known else 0.0,
            used_bits=min((level.used_bits for level in known), default=0),
        )


def dead_input(window: WindowFeatures, level: LevelReading | None) -> HealthFinding | None:
    """Silence that no microphone makes; needs no baseline, so that commissioning can refuse it too."""
    if level is not None and level.rms_dbfs is None:
        if abs(level.dc) > 1e-4:
            message = f"the input is frozen at {level.dc:+.3f} of full scale; restart the device"
            return HealthFinding(HealthCode.FROZEN, True, message)
        return HealthFinding(HealthCode.DEAD, True, "digital silence; check microphone, cable and channel")
    if level is not None and level.repeated_fraction >= FROZEN_REPEATS:
        message = f"{level.repeated_fraction:.0%} of samples repeat the one before; the device is frozen, restart it"
        return HealthFinding(HealthCode.FROZEN, True, message)
    if window.frames and float(_mean(window.measured(statistics.spectrum))) <= DEAD_LEVEL_DB:
        return HealthFinding(HealthCode.DEAD, True, "silence; check microphone, cable and channel")
    return None


def check_input(
    window: WindowFeatures, level: LevelReading | None, baseline: InputBaseline
) -> tuple[HealthFinding, ...]:
    """What is wrong with the input in one window, blocking findings first."""
    return check_inputs(((window, level),), baseline)[0]


def check_inputs(
    heard: Sequence[tuple[WindowFeatures, LevelReading | None]], baseline: InputBaseline
) -> list[tuple[HealthFinding, ...]]:
    """As `check_input` of each window, their spectra measured together."""
    spectra = np.array([window.measured(statistics.spectrum) for window, _ in heard])
    levels_db, brightness, bass = level_db(spectra).tolist(), brightness_db(spectra).tolist(), bass_db(spectra)
    rises_db = (bass - np.array(baseline.highest_bass_db)).tolist()
    found: list[tuple[HealthFinding, ...]] = []
    for place, (window, level) in enumerate(heard):
        dead = dead_input(window, level)
        if dead is not None:
            found.append((dead,))
            continue
        findings = [_too_quiet(levels_db[place], baseline)]
        if level is not None:
            findings += [_clipped(level, baseline), _dc_offset(level, baseline), _frozen_bits(level, baseline)]
        if findings[0] is None:  # of a quiet input, the colour says nothing
            findings += [_muffled(brightness[place], baseline), _hum(rises_db[place], window)]
        found.append(tuple(finding for finding in findings if finding is not None))
    return found


def brightness_db(spectra_db: FloatArray) -> FloatArray:
    """Mean level above 2.5 kHz less that below 1 kHz, of mean spectra `[..., 128]`."""
    high, low = np.compress(_HIGH, spectra_db, axis=-1), np.compress(_LOW, spectra_db, axis=-1)
    return np.asarray(_mean(high) - _mean(low))


def level_db(spectra_db: FloatArray) -> FloatArray:
    """Level of mean spectra `[..., 128]`, over all bands."""
    return np.asarray(10.0 * np.log10(_mean(np.power(10.0, spectra_db / 10.0))))


def _mean(values: FloatArray) -> FloatArray:
    """Over the last axis: what `numpy.mean` gives, in a third of its time for so few numbers."""
    return np.asarray(np.add.reduce(values, axis=-1) / values.shape[-1])


def bass_db(spectra_db: FloatArray) -> FloatArray:
    """Levels of the lowest bands, `[..., 12]`, over the median of those from 0.5 to 4 kHz."""
    middle_db = median(np.compress(_MIDDLE, spectra_db, axis=-1))
    return np.asarray(spectra_db[..., :_BASS_BANDS] - middle_db[..., None])


def _too_quiet(window_db: float, baseline: InputBaseline) -> HealthFinding | None:
    drop_db = baseline.lowest_level_db - window_db
    if drop_db >= UNPLUGGED_DROP_DB:
        message = f"{drop_db:.0f} dB below the quietest normal window: the noise of an open input; check the microphone"
        return HealthFinding(HealthCode.UNPLUGGED, True, message)
    if drop_db >= STOPPED_DROP_DB:
        message = (
            f"{drop_db:.0f} dB below the quietest normal window: the machine stands still, or the gain was lowered"
        )
        return HealthFinding(HealthCode.STOPPED, True, message)
    return None


def _clipped(level: LevelReading, baseline: InputBaseline) -> HealthFinding | None:
    if level.clipped_fraction <= max(CLIPPED_FRACTION, 5.0 * baseline.clipped_fraction):
        return None
    message = f"{level.clipped_fraction:.1%} of samples are clipped; lower the gain"
    return HealthFinding(HealthCode.CLIPPED, False, message)


def _dc_offset(level: LevelReading, baseline: InputBaseline) -> HealthFinding | None:
    if abs(level.dc - baseline.dc) <= DC_STEP:
        return None
    message = f"mean is {level.dc:+.3f} of full scale, was {baseline.dc:+.3f}; check the input's supply"
    return HealthFinding(HealthCode.DC_OFFSET, False, message)


def _frozen_bits(level: LevelReading, baseline: InputBaseline) -> HealthFinding | None:
    if level.used_bits > baseline.used_bits - LOST_BITS:
        return None
    message = f"only {level.used_bits} bits of a sample change, were {baseline.used_bits}; check converter and driver"
    return HealthFinding(HealthCode.FROZEN_BITS, False, message)


def _muffled(window_db: float, baseline: InputBaseline) -> HealthFinding | None:
    loss_db = baseline.lowest_brightness_db - window_db
    if loss_db < MUFFLED_LOSS_DB:
        return None
    message = f"{loss_db:.0f} dB fewer highs than ever in normal sound; is the microphone covered?"
    return HealthFinding(HealthCode.MUFFLED, False, message)


def _hum(rise_db: Sequence[float], window: WindowFeatures) -> HealthFinding | None:
    """Mains harmonics that rose over all normal sound, and as steady as no machine is."""
    if not any(all(rise_db[band] >= HUM_RISE_DB for band in at) for _, at in _BANDS_OF_MAINS):
        return None  # how steady they are need not be asked
    steady = window.log_mel_db[:, :_BASS_BANDS].std(axis=0) < _STEADY_STD_DB
    rises = []
    for mains_hz, at in _BANDS_OF_MAINS:
        risen = [rise_db[band] for band in at if steady[band] and rise_db[band] >= HUM_RISE_DB]
        rises.append((len(risen), max(risen, default=0.0), mains_hz))
    count, highest_db, mains_hz = max(rises)
    if count < len(_HARMONICS):
        return None
    message = f"mains hum of {mains_hz:.0f} Hz rose by {highest_db:.0f} dB; check shield and ground"
    return HealthFinding(HealthCode.HUM, False, message)
