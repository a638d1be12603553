"""One machine's sound as a stream: deterministic, independent of how it is cut into calls.

For demonstration, tests and variety in training. How well detectors do on it is never evidence of how well they do on
real machines.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_agent.simulate.acoustics import path_response
from edge_agent.simulate.components import AnyComponent, Radiation
from edge_agent.simulate.convolver import OverlapAdd
from edge_agent.simulate.kinds import FaultKind, MachineState, SimulationError
from edge_agent.simulate.motion import CONTROL_POINTS, Control, DriveMotion, Motion, Samples, steady_motion
from edge_agent.simulate.renderers import Renderer, make_renderer, unit_power
from edge_agent.simulate.spec import MachineSpec

LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 16_000, 192_000

Severity = float | Callable[[float], float]
"""How far a fault has gone, 0 to 1: fixed, or a function of seconds since the simulation's first sample."""

_SEVERITY_POINTS = 5
_KNEE = 0.8


@dataclass(frozen=True, eq=False)
class _Path:
    """Components that reach the microphone through one filter."""

    response: npt.NDArray[np.complex64]
    renderers: tuple[Renderer, ...]


class MachineSimulator:
    """Renders one machine chunk by chunk, and hands it out in any lengths.

    Whatever `render` returns depends only on `spec`, `seed`, `rate_hz` and on the `fault`, `severity` and `state` in
    force when each internal chunk of `chunk_samples` was made; never on how the samples were asked for. A change of
    fault or state is therefore heard from the next chunk on (0.26 s at most, 0.37 s at odd rates). The healthy part of
    the sound is the same with and without a fault: `faulty - healthy` is the fault.

    Args:
        spec: The machine.
        seed: Seed of all that happens by chance; the same machine with another seed is another recording of it.
        rate_hz: Sample rate, 16 to 192 kHz.
        state: Operating state to begin in, already settled.

    Example:
        >>> import numpy as np
        >>> from edge_agent.simulate import MachineSimulator, MachineType, random_spec
        >>> spec = random_spec(MachineType.FAN, np.random.default_rng(1))
        >>> whole = MachineSimulator(spec, seed=7).render(16_000)
        >>> halves = MachineSimulator(spec, seed=7)
        >>> bool((np.concatenate([halves.render(5_000), halves.render(11_000)]) == whole).all())
        True
    """

    def __init__(
        self, spec: MachineSpec, seed: int, rate_hz: int = 16_000, state: MachineState = MachineState.RUNNING
    ) -> None:
        if not LOWEST_RATE_HZ <= rate_hz <= HIGHEST_RATE_HZ:
            msg = f"rate_hz is {rate_hz}; simulations run at {LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ} Hz"
            raise SimulationError(msg)
        self.spec, self.rate_hz, self.state = spec, rate_hz, state
        self.chunk_samples = 4096 << round(math.log2(rate_hz / 16_000))
        self._seed = seed
        self._responses: dict[Radiation, npt.NDArray[np.complex64]] = {}
        levels_db = [component.level_db for component in spec.sound]
        self._reference_dbfs = spec.microphone.level_dbfs - 10 * math.log10(sum(10 ** (db / 10) for db in levels_db))
        self._machine = self._paths(spec.sound, "machine")
        # what surrounds the machine and what a fault adds are levelled against the whole of it
        self._reference_dbfs = spec.microphone.level_dbfs
        self._surroundings = self._paths(spec.surroundings, "surroundings")
        self._faults: dict[FaultKind, tuple[_Path, ...]] = {}
        self._drive = DriveMotion(spec.drive, rate_hz, self.chunk_samples, self._rng("drive"), state)
        self._steady = steady_motion(self.chunk_samples, rate_hz)
        self._sensor_rng = self._rng("sensor")
        self._sensor_noise = np.float32(10 ** (spec.microphone.noise_dbfs / 20))
        self._convolver = OverlapAdd(self.chunk_samples)
        self._chunks = 0
        self._pending: Samples = np.zeros(0, np.float32)
        self._position = 0
        self._render_chunk(None, 0.0)  # fills the room, so that the first sample is in the midst of a sound
        self._chunks = 0

    @property
    def position(self) -> int:
        """Samples handed out so far."""
        return self._position

    def render(
        self, n_samples: int, fault: FaultKind | None = None, severity: Severity = 0.0
    ) -> npt.NDArray[np.float32]:
        """The next samples.

        Args:
            n_samples: How many, 0 or more.
            fault: What is wrong with the machine, if anything.
            severity: How far it has gone; amplitude grows in proportion to it, and at 0 nothing is added. A function is
                called with seconds since the first sample, in steps of a quarter of a chunk (64 ms),
                and drawn out in straight lines between.

        Returns:
            float32 `[n_samples]`, full scale 1.0, always within it.

        Raises:
            SimulationError: A fault that the machine cannot have, or a severity outside 0..1.
        """
        if n_samples < 0:
            msg = f"n_samples is {n_samples}; ask for 0 or more"
            raise SimulationError(msg)
        parts = [self._pending]
        have = len(self._pending)
        while have < n_samples:
            parts.append(self._render_chunk(fault, severity))
            have += self.chunk_samples
        samples = np.concatenate(parts)
        self._pending = samples[n_samples:].copy()
        self._position += n_samples
        return samples[:n_samples].copy()

    def _render_chunk(self, fault: FaultKind | None, severity: Severity) -> Samples:
        faulty: tuple[_Path, ...] = ()
        strength: Control | None = None
        if fault is not None:
            faulty = self._fault_paths(fault)
            strength = self._strength(fault, severity)
        motion = self._drive.advance(self.state)
        self._add(self._machine, motion, None)
        self._add(self._surroundings, self._steady, None)
        if strength is not None and strength.any():
            self._add(faulty, motion, strength)
        samples = self._convolver.take()
        samples += self._sensor_noise * self._sensor_rng.standard_normal(self.chunk_samples, dtype=np.float32)
        self._chunks += 1
        return _limited(samples)

    def _add(self, paths: Sequence[_Path], motion: Motion, strength: Control | None) -> None:
        for path in paths:
            excitation = np.zeros(self.chunk_samples, np.float32)
            for renderer in path.renderers:
                renderer.add(excitation, motion, strength)
            if excitation.any():
                self._convolver.add(excitation, path.response)

    def _strength(self, fault: FaultKind, severity: Severity) -> Control:
        if not callable(severity):
            values = [float(severity)] * _SEVERITY_POINTS
        else:
            steps = np.linspace(0, 1, _SEVERITY_POINTS)
            values = [float(severity((self._chunks + x) * self.chunk_samples / self.rate_hz)) for x in steps.tolist()]
        for value in values:
            if not 0.0 <= value <= 1.0:
                msg = (
                    f"severity of {fault.key} is {value} near {self._chunks * self.chunk_samples / self.rate_hz:.2f} s"
                )
                raise SimulationError(f"{msg}; it must lie in 0..1")
        grid = np.linspace(0, _SEVERITY_POINTS - 1, CONTROL_POINTS + 1)
        return np.interp(grid, np.arange(_SEVERITY_POINTS), values)

    def _fault_paths(self, fault: FaultKind) -> tuple[_Path, ...]:
        if fault not in self._faults:
            self._faults[fault] = self._paths(self.spec.fault_voice(fault).components, fault.key)
        return self._faults[fault]

    def _paths(self, components: Sequence[AnyComponent], purpose: str) -> tuple[_Path, ...]:
        """Group components by the way they radiate, each scaled to its level."""
        grouped: dict[Radiation, list[Renderer]] = {}
        shaft_hz = self.spec.drive.shaft_hz
        for index, component in enumerate(components):
            response = self._response(component.radiation)
            power = unit_power(component, shaft_hz, self.rate_hz, response)
            level_dbfs = self._reference_dbfs + component.level_db
            gain = 10 ** (level_dbfs / 20) / math.sqrt(power) if power > 0 else 0.0
            renderer = make_renderer(component, gain, shaft_hz, self.rate_hz, self._rng(f"{purpose} {index}"))
            grouped.setdefault(component.radiation, []).append(renderer)
        return tuple(_Path(self._response(radiation), tuple(group)) for radiation, group in grouped.items())

    def _response(self, radiation: Radiation) -> npt.NDArray[np.complex64]:
        if radiation not in self._responses:
            self._responses[radiation] = path_response(radiation, self.spec, self.rate_hz, self.chunk_samples)
        return self._responses[radiation]

    def _rng(self, purpose: str) -> np.random.Generator:
        """A generator of its own for every purpose, so that they draw independently of one another."""
        return np.random.Generator(np.random.SFC64([self._seed, *purpose.encode()]))


def _limited(samples: Samples) -> Samples:
    """Bend what passes the knee so that full scale is never reached, as the capsule of a microphone does."""
    if np.abs(samples).max() <= _KNEE:
        return samples
    excess = (np.abs(samples) - _KNEE) / (1 - _KNEE)
    bent = _KNEE + (1 - _KNEE) * 0.999 * np.tanh(np.maximum(excess, 0))
    return np.where(excess > 0, np.sign(samples) * bent, samples).astype(np.float32)
