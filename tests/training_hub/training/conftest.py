"""A small corpus that needs no recordings, and a net small enough to train in a test."""

import numpy as np
import pytest

from edge_agent.signal.settings import SignalSettings
from training_hub.training.dataset import TrainingSet, build_training_set
from training_hub.training.recording import Recording


def tone(machine: int, take: int, frames: int = 120) -> np.ndarray:
    """Noise with a ridge in a band of its own: machines that any net tells apart."""
    rng = np.random.default_rng([machine, take])
    log_mel = rng.normal(-60, 3, (frames, 128))
    log_mel[:, 10 + 20 * machine : 16 + 20 * machine] += 25
    return log_mel.astype(np.float16)


def recording(machine: int, take: int, **changes: object) -> Recording:
    values = {
        "name": f"m{machine}/{take}",
        "machine_id": f"sim_m{machine}",
        "machine_type": "fan",
        "condition": "normal",
        "group": f"g{take}",
        "licence": "MIT",
        "log_mel_db": tone(machine, take),
    }
    return Recording(**(values | changes))  # type: ignore[arg-type]  # a table of overrides


@pytest.fixture
def recordings() -> list[Recording]:
    machines = [recording(machine, take) for machine in range(4) for take in range(5)]
    noise = [
        recording(0, 50 + k, machine_id=f"noise_{k}", machine_type="background", condition="background")
        for k in range(3)
    ]
    return machines + noise


@pytest.fixture
def training_set(recordings: list[Recording]) -> TrainingSet:
    return build_training_set(recordings, SignalSettings())
