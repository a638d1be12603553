"""Turn components into excitation: one renderer per kind of component, all of one shape.

A renderer is built with its final gain and adds float32 samples to its path's excitation, chunk by chunk. Its
randomness is its own, so that what one component draws never changes another.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from edge_agent.simulate.acoustics import HIGHEST_FRACTION
from edge_agent.simulate.components import AnyComponent, Component, Envelope, Impacts, Noise, RandomImpacts, Tones
from edge_agent.simulate.motion import (
    CONTROL_POINTS,
    ClockMotion,
    Control,
    Motion,
    Samples,
    control_to_samples,
    phase_of,
)

_TABLE = 4096
_WANDER_S = 2.0
_SQRT_12 = np.float32(12**0.5)


class Renderer(Protocol):
    """Adds one component's excitation."""

    def add(self, excitation: Samples, motion: Motion, strength: Control | None) -> None:
        """Add the next chunk to `excitation`; `strength` scales it on the control grid (a fault's severity)."""


def unit_power(component: AnyComponent, shaft_hz: float, rate_hz: int, response: npt.NDArray[np.complex64]) -> float:
    """Mean square at the microphone of `component` rendered with gain 1 at full speed, by Parseval's theorem."""
    power = np.abs(response.astype(np.complex128)) ** 2
    # mean over the two-sided spectrum: the FIR's energy
    energy = float((2 * power.sum() - power[0] - power[-1]) / (2 * (len(power) - 1)))
    envelope = 1.0 if component.envelope is None else float(np.mean(_envelope_table(component.envelope) ** 2))
    match component:
        case Tones():
            orders, amplitudes = _audible(component, shaft_hz, rate_hz)
            frequencies_hz = orders * component.clock.rate_hz(shaft_hz)
            bins = np.arange(len(power)) * (rate_hz / 2 / (len(power) - 1))
            gains = np.mean([np.interp(frequencies_hz * detune, bins, power) for detune in (0.985, 1.0, 1.015)], axis=0)
            return envelope * float(np.sum(amplitudes**2 / 2 * gains))
        case Impacts():
            if component.envelope is not None and component.clock.ratio == 1.0:
                at = (np.array(component.phases) * _TABLE).astype(np.int64) % _TABLE
                envelope = float(np.mean(_envelope_table(component.envelope)[at] ** 2))
            return envelope * energy * component.clock.rate_hz(shaft_hz) * len(component.phases) / rate_hz
        case RandomImpacts():
            return envelope * energy * component.rate_hz / rate_hz
        case Noise():
            return envelope * energy


def make_renderer(
    component: AnyComponent, gain: float, shaft_hz: float, rate_hz: int, rng: np.random.Generator
) -> Renderer:
    """The renderer of `component`, scaled by `gain`."""
    match component:
        case Tones():
            return _ToneRenderer(component, gain, shaft_hz, rate_hz, rng)
        case Impacts():
            return _ImpactRenderer(component, gain, rng)
        case RandomImpacts():
            return _RandomImpactRenderer(component, gain, rng)
        case Noise():
            return _NoiseRenderer(component, gain, rng)


class _Gain:
    """The slow and the periodic gain of any component."""

    def __init__(self, component: Component, gain: float, rng: np.random.Generator) -> None:
        self._component, self._gain, self._rng = component, gain, rng
        self._table = None if component.envelope is None else _envelope_table(component.envelope)
        self._modulation = None if component.modulation is None else ClockMotion(component.modulation.clock, rng)
        self._wander = float(rng.standard_normal())

    def advance(self, motion: Motion, strength: Control | None) -> Samples:
        """Gain per sample, float32 `[chunk]`."""
        component = self._component
        control = self._gain * motion.speed**component.speed_exponent
        control = control * np.maximum(0.0, 1 + component.load_sensitivity * (motion.load - 1))
        before = self._wander
        decay = float(np.exp(-motion.chunk / motion.rate_hz / _WANDER_S))
        self._wander = decay * before + (1 - decay**2) ** 0.5 * float(self._rng.standard_normal())
        wander = np.linspace(before, self._wander, CONTROL_POINTS + 1)
        control *= 10 ** (component.wander_db / 20 * wander)
        if strength is not None:
            control = control * strength
        gain = control_to_samples(control, motion.chunk)
        if self._table is not None:
            gain *= self._table[(motion.shaft_phase * _TABLE).astype(np.int32) % _TABLE]
        if self._modulation is not None and component.modulation is not None:
            depth = component.modulation.depth
            angle = np.float32(2 * np.pi) * phase_of(self._modulation.advance(motion))
            gain *= (1 + np.float32(depth) * np.cos(angle)) / np.float32((1 + depth**2 / 2) ** 0.5)
        return gain


class _ToneRenderer:
    def __init__(self, component: Tones, gain: float, shaft_hz: float, rate_hz: int, rng: np.random.Generator) -> None:
        self._gain = _Gain(component, gain, rng)
        self._clock = ClockMotion(component.clock, rng)
        orders, amplitudes = _audible(component, shaft_hz, rate_hz)
        self._angles_per_turn = (2 * np.pi * orders).astype(np.float32)[:, None]
        self._offsets = (2 * np.pi * rng.random(len(orders))).astype(np.float32)[:, None]
        self._amplitudes = amplitudes.astype(np.float32)

    def add(self, excitation: Samples, motion: Motion, strength: Control | None) -> None:
        gain = self._gain.advance(motion, strength)
        phase = phase_of(self._clock.advance(motion))
        angles = self._angles_per_turn * phase + self._offsets
        np.sin(angles, out=angles)
        excitation += gain * (self._amplitudes @ angles)


class _ImpactRenderer:
    def __init__(self, component: Impacts, gain: float, rng: np.random.Generator) -> None:
        self._gain = _Gain(component, gain, rng)
        self._clock = ClockMotion(component.clock, rng)
        self._phases, self._spread, self._rng = component.phases, component.spread, rng

    def add(self, excitation: Samples, motion: Motion, strength: Control | None) -> None:
        gain = self._gain.advance(motion, strength)
        turns = self._clock.advance(motion)
        # a turn counted at the very edge belongs to the chunk in which it is passed: (first, last]
        strikes = np.concatenate(
            [
                np.arange(np.floor(turns[0] - phase) + 1, np.floor(turns[-1] - phase) + 1) + phase
                for phase in self._phases
            ]
        )
        if not len(strikes):
            return
        after = np.clip(np.searchsorted(turns, strikes), 1, motion.chunk)
        step = np.maximum(turns[after] - turns[after - 1], 1e-12)
        late = ((turns[after] - strikes) / step).clip(0, 1)
        _strike(excitation, after - 1, late, gain, _strengths(self._rng, self._spread, len(strikes)))


class _RandomImpactRenderer:
    def __init__(self, component: RandomImpacts, gain: float, rng: np.random.Generator) -> None:
        self._gain = _Gain(component, gain, rng)
        self._rate_hz, self._spread, self._rng = component.rate_hz, component.spread, rng

    def add(self, excitation: Samples, motion: Motion, strength: Control | None) -> None:
        gain = self._gain.advance(motion, strength)
        count = int(self._rng.poisson(self._rate_hz * motion.chunk / motion.rate_hz))
        if not count:
            return
        at = self._rng.random(count) * motion.chunk
        strengths = _strengths(self._rng, self._spread, count) * self._rng.choice([-1.0, 1.0], count)
        _strike(excitation, at.astype(np.int64), at % 1.0, gain, strengths)


class _NoiseRenderer:
    def __init__(self, component: Noise, gain: float, rng: np.random.Generator) -> None:
        self._gain = _Gain(component, gain, rng)
        self._rng = rng

    def add(self, excitation: Samples, motion: Motion, strength: Control | None) -> None:
        gain = self._gain.advance(motion, strength)
        # uniform and 12 times cheaper than normal; the path's filter mixes many samples into a normal one
        white = self._rng.random(motion.chunk, dtype=np.float32)
        white -= np.float32(0.5)
        white *= _SQRT_12
        white *= gain
        excitation += white


def _strike(
    excitation: Samples,
    at: npt.NDArray[np.int64],
    late: npt.NDArray[np.float64],
    gain: Samples,
    strengths: npt.NDArray[np.float64],
) -> None:
    """Add impulses `late` of a sample before `at`, split over two samples so that their rate is no staircase."""
    before = np.maximum(at - 1, 0)
    height = strengths * gain[at]
    np.add.at(excitation, at, (height * (1 - late)).astype(np.float32))
    np.add.at(excitation, before, (height * late).astype(np.float32))


def _strengths(rng: np.random.Generator, spread: float, count: int) -> npt.NDArray[np.float64]:
    """Log-normal strengths with a mean square of 1."""
    return np.asarray(np.exp(spread * rng.standard_normal(count) - spread**2), np.float64)


def _audible(
    component: Tones, shaft_hz: float, rate_hz: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Orders that stay below the highest frequency, with a margin for speed, and their amplitudes."""
    orders = np.array(component.orders, np.float64)
    amplitudes = 10 ** (np.array(component.order_levels_db, np.float64) / 20)
    kept = 1.1 * orders * component.clock.rate_hz(shaft_hz) < HIGHEST_FRACTION * rate_hz
    return orders[kept], amplitudes[kept]


def _envelope_table(envelope: Envelope) -> Samples:
    phases, gains = np.array(envelope.points, np.float64).T
    return np.asarray(np.interp(np.arange(_TABLE) / _TABLE, phases, gains, period=1.0), np.float32)
