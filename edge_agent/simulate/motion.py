"""How a machine moves over one chunk: speed, load and shaft angle, and clocks that follow the shaft.

Slow processes are computed on a control grid, `CONTROL_POINTS` to a chunk, and drawn out to samples in straight lines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_agent.simulate.components import Clock
from edge_agent.simulate.kinds import MachineState
from edge_agent.simulate.spec import Drive

CONTROL_POINTS = 64
"""Points of the control grid in a chunk."""

Control = npt.NDArray[np.float64]
"""`[CONTROL_POINTS + 1]`: values at the edges of the control steps, the first being the last of the chunk before."""

Samples = npt.NDArray[np.float32]


def control_to_samples(control: Control, chunk: int) -> Samples:
    """Straight lines between control points: `[CONTROL_POINTS + 1]` -> float32 `[chunk]`."""
    ramp = np.arange(1, chunk // CONTROL_POINTS + 1, dtype=np.float32) / (chunk // CONTROL_POINTS)
    values = control.astype(np.float32)
    return np.asarray((values[:-1, None] + np.diff(values)[:, None] * ramp).reshape(chunk), np.float32)


@dataclass(frozen=True, eq=False)
class Motion:
    """One chunk of movement.

    Attributes:
        speed: Relative speed on the control grid; 1 is full speed.
        load: Relative load on the control grid; 1 is nominal.
        turns: float64 `[chunk]`: turns of the shaft since the chunk began.
        shaft_phase: float32 `[chunk]` in [0, 1): angle of the shaft, in turns.
        rate_hz: Sample rate in Hz.
    """

    speed: Control
    load: Control
    turns: npt.NDArray[np.float64]
    shaft_phase: Samples
    rate_hz: int

    @property
    def chunk(self) -> int:
        """Samples in the chunk."""
        return len(self.turns)


def steady_motion(chunk: int, rate_hz: int) -> Motion:
    """The motion of what does not depend on the machine: full speed, nominal load, no shaft."""
    ones = np.ones(CONTROL_POINTS + 1)
    return Motion(ones, ones, np.zeros(chunk), np.zeros(chunk, np.float32), rate_hz)


class _Lag:
    """First-order lag on the control grid, the recursion written as one matrix product."""

    def __init__(self, step_s: float, time_constant_s: float, value: float) -> None:
        decay = float(np.exp(-step_s / time_constant_s))
        index = np.arange(CONTROL_POINTS)
        self.decay = decay
        self._free = decay ** (index + 1)
        self._forced = np.tril(decay ** np.maximum(index[:, None] - index[None, :], 0))
        self._value = value

    def advance(self, forcing: Control) -> Control:
        """Values at the control points `[CONTROL_POINTS + 1]` under a forcing `[CONTROL_POINTS]`."""
        values = np.concatenate([[self._value], self._free * self._value + self._forced @ forcing])
        self._value = float(values[-1])
        return values


class DriveMotion:
    """The main shaft: starts and stops with inertia, fluctuates (Ornstein-Uhlenbeck), changes its operating point."""

    def __init__(self, drive: Drive, rate_hz: int, chunk: int, rng: np.random.Generator, state: MachineState) -> None:
        self._drive, self._rate_hz, self._chunk, self._rng = drive, rate_hz, chunk, rng
        self._step_s = chunk / CONTROL_POINTS / rate_hz
        self._load_point = float(rng.choice(drive.loads))
        self._speed = _Lag(self._step_s, drive.spin_up_s, self._target_speed(state))
        self._load = _Lag(self._step_s, 1.0, self._target_load(state))
        self._fluctuation = _Lag(self._step_s, drive.fluctuation_s, drive.fluctuation * float(rng.standard_normal()))
        self._phase = float(rng.random())

    def _target_speed(self, state: MachineState) -> float:
        if state is MachineState.OFF:
            return 0.0
        full = 1.0 if state is MachineState.RUNNING else self._drive.idle_speed
        return full * (1 - self._drive.load_slip * (self._target_load(state) - 1))

    def _target_load(self, state: MachineState) -> float:
        return {MachineState.OFF: 0.0, MachineState.IDLE: 0.3, MachineState.RUNNING: self._load_point}[state]

    def advance(self, state: MachineState) -> Motion:
        """The next chunk of movement in operating state `state`."""
        if self._rng.random() < self._chunk / self._rate_hz / self._drive.dwell_s:
            self._load_point = float(self._rng.choice(self._drive.loads))
        ones = np.ones(CONTROL_POINTS)
        load = self._load.advance(ones * self._target_load(state) * (1 - self._load.decay))
        mean_speed = self._speed.advance(ones * self._target_speed(state) * (1 - self._speed.decay))
        spread = self._drive.fluctuation * np.sqrt(1 - self._fluctuation.decay**2)
        fluctuation = self._fluctuation.advance(spread * self._rng.standard_normal(CONTROL_POINTS))
        speed = np.where(mean_speed > 1e-3, mean_speed, 0.0) * np.clip(1 + fluctuation, 0.5, 1.5)
        per_sample = control_to_samples(speed, self._chunk).astype(np.float64) * (self._drive.shaft_hz / self._rate_hz)
        turns = np.cumsum(per_sample)
        phase = self._phase + turns
        self._phase = float(phase[-1] % 1.0)
        return Motion(speed, load, turns, _fraction(phase), self._rate_hz)


class ClockMotion:
    """The phase of one clock, kept from chunk to chunk."""

    def __init__(self, clock: Clock, rng: np.random.Generator) -> None:
        self._clock, self._rng = clock, rng
        self._phase = float(rng.random())

    def advance(self, motion: Motion) -> npt.NDArray[np.float64]:
        """Turns float64 `[1 + chunk]`, never falling; `[0]` in [0, 1) is where the chunk before ended."""
        clock, chunk = self._clock, motion.chunk
        turns = np.zeros(chunk + 1)
        turns[1:] = clock.ratio * motion.turns
        if clock.fixed_hz:
            turns[1:] += clock.fixed_hz / motion.rate_hz * np.arange(1, chunk + 1)
        if clock.slip:
            edges = turns[:: chunk // CONTROL_POINTS]
            advance = np.diff(edges)
            # independent lengths of turns: the variance of the phase grows in proportion to the turns made
            error = clock.slip * self._rng.standard_normal(CONTROL_POINTS) * np.sqrt(advance)
            walk = np.concatenate([[0.0], np.cumsum(np.clip(error, -0.7 * advance, 2 * advance))])
            turns[1:] += control_to_samples(walk, chunk)
            # the lines are float32, so a standing clock may step back in the last bit
            turns = np.maximum.accumulate(turns)
        turns += self._phase
        self._phase = float(turns[-1] % 1.0)
        return turns


def _fraction(turns: npt.NDArray[np.float64]) -> Samples:
    return np.asarray(turns - np.floor(turns), np.float32)


def phase_of(turns: npt.NDArray[np.float64]) -> Samples:
    """Phase float32 `[chunk]` of a clock's turns `[1 + chunk]`, the carried first value left out."""
    return _fraction(turns[1:])
