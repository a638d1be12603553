"""A simulated pump on disk: its normal sound, and a film in which it fails and is mended."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_agent.capture.simulated import ScheduledFault, SimulatedChannel, SimulatedSource
from edge_agent.simulate import MachineType, fault_kind, random_spec
from tests.support.agent import write_sound

RATE_HZ = 16_000
HEALTHY_S, FAILING_S, MENDED_S = 40.0, 60.0, 120.0
FILM_S = HEALTHY_S + FAILING_S + MENDED_S


def pump(seconds: float, seed: int, faults: tuple[ScheduledFault, ...] = ()) -> npt.NDArray[np.float32]:
    """Sound of the one pump that these tests know, `[n]`."""
    spec = random_spec(MachineType.PUMP, np.random.default_rng(11), "pump_1")
    source = SimulatedSource("pump", [SimulatedChannel(spec, seed, faults)], rate_hz=RATE_HZ, duration_s=seconds)
    return np.concatenate([block.samples[:, 0] for block in source.blocks()])


def write_normal(directory: Path, clips: int = 20) -> Path:
    """Recordings to commission it from, each of another day: a machine is never quite the same."""
    for index in range(clips):
        write_sound(directory / f"{index:02}.wav", pump(10.0, seed=1_000 + index))
    return directory


def write_film(path: Path) -> Path:
    """It runs well, cavitates, and runs well again."""
    kind = fault_kind(MachineType.PUMP, "cavitation")
    fault = ScheduledFault(kind, HEALTHY_S, stop_s=HEALTHY_S + FAILING_S, severity=1.0)
    return write_sound(path, pump(FILM_S, seed=2, faults=(fault,)))
