"""From a source to the samples: the response of body, room and microphone as one FIR filter per path.

Each path is designed in the frequency domain on a grid four times as long as the filter, made causal, cut to `taps` and
faded out, so that it can be applied block by block with FFTs and no error (`edge_agent.simulate.convolver`).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from edge_agent.simulate.components import Air, Band, Colour, Mode, Radiation, Reverberant, Structure
from edge_agent.simulate.spec import MachineSpec, Microphone, Room

HIGHEST_FRACTION = 0.47
"""Nothing is synthesised above this fraction of the sample rate, which leaves room for an anti-alias edge."""

_Complex = npt.NDArray[np.complex128]
_Real = npt.NDArray[np.float64]


def path_response(radiation: Radiation, spec: MachineSpec, rate_hz: int, taps: int) -> npt.NDArray[np.complex64]:
    """Transfer function from a component to the microphone's output.

    Args:
        radiation: How the component radiates.
        spec: The machine, for its modes, room and microphone.
        rate_hz: Sample rate in Hz.
        taps: Length of the filter in samples; the block length of the convolver.

    Returns:
        complex64 `[taps + 1]`: the FIR's spectrum on the grid of a real FFT of `2 * taps` samples.
    """
    n_fft = 4 * taps
    frequencies_hz = np.asarray(np.fft.rfftfreq(n_fft, 1 / rate_hz), np.float64)
    response = _radiation_response(radiation, spec, frequencies_hz, rate_hz, taps)
    if not isinstance(radiation, Reverberant):
        response = response * _room_response(spec.room, n_fft, rate_hz)
    response = response * _microphone_response(spec.microphone, frequencies_hz, rate_hz)
    # magnitude-only parts are symmetric about time 0; the delay makes them causal
    lead = taps // 8
    impulse = np.roll(np.fft.irfft(response, n_fft), lead)[:taps]
    fade = taps // 4
    impulse[-fade:] *= 0.5 + 0.5 * np.cos(np.pi * (np.arange(fade) + 1) / fade)
    impulse[: lead // 2] *= 0.5 - 0.5 * np.cos(np.pi * np.arange(lead // 2) / (lead // 2))
    return np.fft.rfft(impulse, 2 * taps).astype(np.complex64)


def _radiation_response(
    radiation: Radiation, spec: MachineSpec, frequencies_hz: _Real, rate_hz: int, taps: int
) -> _Complex:
    match radiation:
        case Air():
            return np.ones(len(frequencies_hz), np.complex128)
        case Structure():
            return _modal_response(spec.modes, rate_hz, taps)
        case Colour():
            return _colour_response(radiation, frequencies_hz).astype(np.complex128)
        case Band():
            mask = _band_mask(radiation, frequencies_hz)
            ringing = _modal_response(radiation.modes, rate_hz, taps) if radiation.modes else 1.0
            return np.asarray(mask * ringing, np.complex128)
        case Reverberant():
            noise = np.random.default_rng(radiation.seed).standard_normal(taps)
            tail = noise * np.exp(-np.log(1e3) * np.arange(taps) / rate_hz / radiation.decay_s)
            return np.asarray(np.fft.rfft(tail, 4 * taps) * _colour_response(radiation.colour, frequencies_hz))


def _modal_response(modes: Iterable[Mode], rate_hz: int, taps: int) -> _Complex:
    audible = [mode for mode in modes if mode.frequency_hz < HIGHEST_FRACTION * rate_hz]
    time_s = np.arange(taps) / rate_hz
    frequency_hz, q, gain = np.array([(m.frequency_hz, m.q, m.gain) for m in audible]).reshape(-1, 3).T[:, :, None]
    # the real and imaginary part of one complex exponential, by repeated squaring instead of a sine per tap and mode
    step = np.exp((2j * np.pi - np.pi / q) * frequency_hz / rate_hz)
    powers = np.ones((len(audible), 1), np.complex128)
    while powers.shape[1] < len(time_s):
        powers = np.concatenate([powers, powers * step], axis=1)
        step = step * step
    impulse: _Real = (gain * powers.imag).sum(axis=0)[:taps]
    return np.fft.rfft(impulse, 4 * taps)


def _colour_response(colour: Colour, frequencies_hz: _Real) -> _Real:
    points = np.array(colour.points, np.float64)
    octaves = np.log2(np.maximum(frequencies_hz, 1.0))
    level_db = np.interp(octaves, np.log2(points[:, 0]), points[:, 1])
    return np.asarray(10 ** (level_db / 20), np.float64)


def _band_mask(band: Band, frequencies_hz: _Real) -> _Real:
    octaves = np.log2(np.maximum(frequencies_hz, 1.0))
    inside = np.minimum(octaves - np.log2(band.low_hz), np.log2(band.high_hz) - octaves)
    # the edge lies inside the band, so that nothing of it leaks past the limits the fault is known by
    return np.asarray(np.sin(np.pi / 2 * np.clip(inside * 6, 0, 1)) ** 2, np.float64)


def _room_response(room: Room, n_fft: int, rate_hz: int) -> _Complex:
    taps = n_fft // 4
    impulse = np.zeros(taps)
    impulse[0] = 1.0
    for delay_s, gain in room.reflections:
        position = round(delay_s * rate_hz)
        if position < taps:
            impulse[position] += gain
    start = min(taps // 4, max((round(delay_s * rate_hz) for delay_s, _ in room.reflections), default=0))
    tail = np.random.default_rng(room.seed).standard_normal(taps - start)
    tail *= np.exp(-np.log(1e3) * np.arange(taps - start) / rate_hz / room.reverberation_s)
    impulse[start:] += tail * 10 ** (room.tail_db / 20) / np.sqrt(np.sum(tail**2))
    return np.fft.rfft(impulse, n_fft)


def _microphone_response(microphone: Microphone, frequencies_hz: _Real, rate_hz: int) -> _Real:
    frequencies_hz = np.maximum(frequencies_hz, 1.0)
    octaves = np.log2(frequencies_hz / 1000)
    level_db = microphone.tilt_db_per_octave * np.clip(octaves, -4, 3.5)
    for frequency_hz, gain_db, width_octaves in microphone.bumps:
        level_db = level_db + gain_db * np.exp(-(((octaves - np.log2(frequency_hz / 1000)) / width_octaves) ** 2))
    low_cut = 1 / np.sqrt(1 + (microphone.low_cut_hz / frequencies_hz) ** 4)
    edge = (0.5 - HIGHEST_FRACTION) * rate_hz
    anti_alias = np.clip((0.5 * rate_hz - frequencies_hz) / edge, 0, 1)
    return np.asarray(10 ** (level_db / 20) * low_cut * anti_alias, np.float64)
