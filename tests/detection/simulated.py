"""Windows of simulated machines, as commissioning takes them; the encoder has no part in what is tested with them."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from edge_agent.detection.features import Recording, WindowFeatures
from edge_agent.signal.level import InputMeter
from edge_agent.signal.logmel import log_mel_db
from edge_agent.simulate import MachineSimulator, MachineState, MachineType, random_spec

RATE_HZ = 16_000
WINDOW_S = 10
NOTHING = np.zeros((0, 16), np.float32)


def heard(
    samples: NDArray[np.float32], name: str, *, state_name: str | None = None, trusted: bool = False
) -> Recording:
    """A recording of the samples' whole windows, with their levels."""
    meter = InputMeter(RATE_HZ, keep_s=len(samples) / RATE_HZ + 1)
    meter.push(samples)
    size = WINDOW_S * RATE_HZ
    starts = range(0, len(samples) - size + 1, size)
    windows = tuple(WindowFeatures(log_mel_db(samples[at : at + size]), NOTHING, NOTHING) for at in starts)
    levels = tuple(meter.reading(at, at + size) for at in starts)
    return Recording(name, windows, levels, state=state_name, trusted=trusted)


@cache
def sound(
    machine_type: MachineType, individual: int, state: MachineState, seconds: int, seed: int = 0
) -> NDArray[np.float32]:
    """Sound of one simulated machine in one state, settled."""
    spec = random_spec(machine_type, np.random.default_rng(individual), f"machine_{individual}")
    return MachineSimulator(spec, seed=seed, state=state).render(seconds * RATE_HZ)


def clips(
    machine_type: MachineType,
    individual: int = 1,
    state: MachineState = MachineState.RUNNING,
    *,
    count: int,
    seed: int = 0,
    state_name: str | None = None,
    trusted: bool = False,
) -> list[Recording]:
    """Recordings of one window each."""
    whole = sound(machine_type, individual, state, count * WINDOW_S, seed)
    parts = np.split(whole, count)
    name = f"{machine_type}_{individual}_{state}_{seed}"
    return [heard(part, f"{name}_{k:02}.wav", state_name=state_name, trusted=trusted) for k, part in enumerate(parts)]
