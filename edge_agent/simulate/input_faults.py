"""Faults of the input rather than the machine: what a broken microphone, cable or converter makes of good sound.

Each takes samples and returns new ones of the same shape, float32 within full scale; none changes its argument.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import ducc0
import numpy as np
import numpy.typing as npt

from edge_agent.simulate.kinds import SimulationError

Samples = npt.NDArray[np.float32]


class InputFault(StrEnum):
    """Ways in which an input fails; the names are those of the input-health findings."""

    DEAD = "dead"
    UNPLUGGED = "unplugged"
    MUFFLED = "muffled"
    CLIPPED = "clipped"
    DC_OFFSET = "dc_offset"
    FROZEN_BITS = "frozen_bits"
    MAINS_HUM = "mains_hum"
    FROZEN = "frozen"


def dead(samples: Samples) -> Samples:
    """Digital silence."""
    return np.zeros_like(_checked(samples))


def unplugged(samples: Samples, rng: np.random.Generator, level_dbfs: float = -86.0) -> Samples:
    """The converter's own noise and nothing else, about one step of 16 bits."""
    noise = rng.standard_normal(len(_checked(samples)), dtype=np.float32)
    return np.asarray(noise * np.float32(10 ** (level_dbfs / 20)), np.float32)


def muffled(samples: Samples, rate_hz: int, cutoff_hz: float = 600.0, slope_db_per_octave: float = 18.0) -> Samples:
    """Something over the microphone: everything above `cutoff_hz` falls off."""
    if not 0 < cutoff_hz < rate_hz / 2:
        msg = f"cutoff_hz is {cutoff_hz}; it must lie between 0 and half of {rate_hz} Hz"
        raise SimulationError(msg)
    count = len(_checked(samples))
    # twice the length, so that the end does not wrap round to the beginning
    spectrum = ducc0.fft.r2c(np.concatenate([samples, np.zeros_like(samples)]), nthreads=1)
    octaves = np.log2(np.maximum(np.fft.rfftfreq(2 * count, 1 / rate_hz), 1e-3) / cutoff_hz)
    spectrum *= (10 ** (-slope_db_per_octave * np.maximum(octaves, 0) / 20)).astype(np.float32)
    whole = ducc0.fft.c2r(spectrum, lastsize=2 * count, forward=False, inorm=2, nthreads=1)
    return np.ascontiguousarray(whole[:count], np.float32)


def clipped(samples: Samples, share: float = 0.05) -> Samples:
    """Gain turned up until about `share` of the samples stand at full scale."""
    if not 0 < share < 1:
        msg = f"share is {share}; it must lie between 0 and 1"
        raise SimulationError(msg)
    threshold = float(np.quantile(np.abs(_checked(samples)), 1 - share))
    if threshold == 0.0:
        msg = "samples are silent for the most part and cannot be clipped; give sound"
        raise SimulationError(msg)
    return _in_range(samples / np.float32(threshold))


def dc_offset(samples: Samples, offset: float = 0.2) -> Samples:
    """A converter's offset, in full scales."""
    return _in_range(_checked(samples) + np.float32(offset))


def frozen_bits(samples: Samples, stuck_low: int = 0x00FF, stuck_high: int = 0) -> Samples:
    """Bits of the 16-bit word that no longer move: by default the lower eight are always 0."""
    if stuck_low & stuck_high or not (0 <= stuck_low <= 0xFFFF and 0 <= stuck_high <= 0xFFFF):
        msg = f"stuck_low {stuck_low:#x} and stuck_high {stuck_high:#x} must be 16-bit masks with no bit in common"
        raise SimulationError(msg)
    words = np.clip(np.rint(_checked(samples) * 32768), -32768, 32767).astype(np.int16).view(np.uint16)
    stuck = (words & np.uint16(0xFFFF ^ stuck_low)) | np.uint16(stuck_high)
    return np.asarray(stuck.view(np.int16) / np.float32(32768), np.float32)


def mains_hum(samples: Samples, rate_hz: int, mains_hz: float = 50.0, level_dbfs: float = -12.0) -> Samples:
    """A broken shield: the mains and its odd harmonics on top of the sound."""
    time_s = np.arange(len(_checked(samples))) / rate_hz
    hum = sum(gain * np.sin(2 * np.pi * mains_hz * k * time_s + k) for k, gain in ((1, 1.0), (3, 0.35), (5, 0.15)))
    hum = hum * (10 ** (level_dbfs / 20) / np.sqrt((1 + 0.35**2 + 0.15**2) / 2))
    return _in_range(samples + hum)


def frozen(samples: Samples, block: int = 512) -> Samples:
    """A driver that hands out its first buffer of `block` samples again and again."""
    if block < 1:
        msg = f"block is {block}; a buffer holds 1 sample or more"
        raise SimulationError(msg)
    return np.resize(_checked(samples)[:block], samples.shape)


def apply_input_fault(fault: InputFault, samples: Samples, *, rate_hz: int, rng: np.random.Generator) -> Samples:
    """What `fault` at its usual strength makes of `samples` float32 `[n]`.

    A stopped machine is no fault of the input: render it with `MachineState.OFF`.

    Raises:
        SimulationError: Samples that are not float32 `[n >= 1]`.
    """
    table: dict[InputFault, Callable[[], Samples]] = {
        InputFault.DEAD: lambda: dead(samples),
        InputFault.UNPLUGGED: lambda: unplugged(samples, rng),
        InputFault.MUFFLED: lambda: muffled(samples, rate_hz),
        InputFault.CLIPPED: lambda: clipped(samples),
        InputFault.DC_OFFSET: lambda: dc_offset(samples),
        InputFault.FROZEN_BITS: lambda: frozen_bits(samples),
        InputFault.MAINS_HUM: lambda: mains_hum(samples, rate_hz),
        InputFault.FROZEN: lambda: frozen(samples),
    }
    return table[fault]()


def _in_range(samples: npt.NDArray[np.floating]) -> Samples:
    return np.asarray(np.clip(samples, -1, 1), np.float32)


def _checked(samples: Samples) -> Samples:
    if samples.dtype != np.float32 or samples.ndim != 1 or not len(samples):
        msg = f"samples are {samples.dtype} {list(samples.shape)}; give float32 [n >= 1]"
        raise SimulationError(msg)
    return samples
