"""The pump that the demo listens to: its normal sound to learn from, and the minutes in which it fails."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from edge_agent.simulate import FaultKind, MachineSimulator, MachineType, fault_kind, random_spec

RATE_HZ = 16_000
RECORDING_S = 50
_STEP_S = 10
_SPEC_SEED = 1
_FIRST_NORMAL_SEED = 1_000
_LIFE_SEED = 7


@dataclass(frozen=True)
class Plant:
    """One simulated pump and what becomes of it.

    Attributes:
        machine_id: Its name.
        fault: Name of the pump's fault.
        healthy_s: Seconds of sound before the fault begins.
        failing_s: Seconds of sound from then to the end.
    """

    machine_id: str = "pump_1"
    fault: str = "cavitation"
    healthy_s: int = 120
    failing_s: int = 280

    @property
    def sound_s(self) -> int:
        """Length of the pump's life, in seconds of sound."""
        return self.healthy_s + self.failing_s

    @property
    def fault_kind(self) -> FaultKind:
        """What goes wrong."""
        return fault_kind(MachineType.PUMP, self.fault)

    def severity_at(self, time_s: float) -> float:
        """How far the fault has gone, 0 to 1: with the third power of time, as wear that feeds itself.

        >>> plant = Plant(healthy_s=100, failing_s=200)
        >>> [round(plant.severity_at(t), 3) for t in (50.0, 100.0, 200.0, 300.0)]
        [0.0, 0.0, 0.125, 1.0]
        """
        grown = (time_s - self.healthy_s) / self.failing_s
        return float(min(1.0, max(0.0, grown)) ** 3)

    def record_normal(self, directory: Path, recordings: int) -> Iterator[Path]:
        """Write recordings of the healthy pump, each of another moment; yields each file as it is written."""
        directory.mkdir(parents=True, exist_ok=True)
        for number in range(recordings):
            path = directory / f"normal_{number:03d}.flac"
            simulator = self._simulator(_FIRST_NORMAL_SEED + number)
            soundfile.write(path, simulator.render(RECORDING_S * RATE_HZ), RATE_HZ)
            yield path

    def record_life(self, path: Path) -> Iterator[float]:
        """Write the pump's life to one file; yields the part done, 0 to 1."""
        simulator = self._simulator(_LIFE_SEED)
        left = self.sound_s * RATE_HZ
        with soundfile.SoundFile(path, "w", RATE_HZ, 1) as file:
            while left:
                count = min(left, _STEP_S * RATE_HZ)
                file.write(simulator.render(count, self.fault_kind, self.severity_at))
                left -= count
                yield 1 - left / (self.sound_s * RATE_HZ)

    def _simulator(self, seed: int) -> MachineSimulator:
        spec = random_spec(MachineType.PUMP, np.random.default_rng(_SPEC_SEED), self.machine_id)
        return MachineSimulator(spec, seed, RATE_HZ)
