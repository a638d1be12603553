"""Simulated machines, healthy, changed and faulty, as training data: variety that no licence restricts."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge_agent.simulate import FaultKind, MachineSimulator, MachineSpec, MachineState, MachineType, random_spec
from training_hub.training.feature_cache import FeatureCache
from training_hub.training.recording import Recording
from training_hub.training.simulated_noise import LICENCE, NoisePlan, simulate_noise
from training_hub.training.variants import retake, sibling

_VERSION = 2  # raise it when the simulation changes its sound, so that no old features are used


@dataclass(frozen=True)
class SimulationPlan:
    """How much to simulate.

    Attributes:
        machines_per_type: Individuals of each machine type; each becomes a label.
        recordings: Recordings of each individual; each is a group of its own.
        recording_s: Length of one.
        idle_every: Every so many recordings one is of the idle machine.
        faulty: Recordings of each individual with each of its faults, at severities of their own.
        siblings: Machines like each individual, in its place; conditions of its label.
        sibling_recordings: Recordings of each sibling.
        noise: How much background.
        seed: Which individuals.
    """

    machines_per_type: int = 32
    recordings: int = 6
    recording_s: float = 12.0
    idle_every: int = 6
    faulty: int = 2
    siblings: int = 2
    sibling_recordings: int = 2
    noise: NoisePlan = field(default_factory=NoisePlan)
    seed: int = 2024


def simulate_recordings(
    plan: SimulationPlan, cache: FeatureCache, progress: Callable[[str], None] = lambda _: None
) -> list[Recording]:
    """Recordings of simulated machines, healthy, changed and faulty, and of background."""
    recordings = []
    for machine_type in MachineType:
        for k in range(plan.machines_per_type):
            recordings += _machine(plan, machine_type, k, cache)
        progress(f"simulated {plan.machines_per_type} machines of type {machine_type.value}")
    return recordings + simulate_noise(plan.noise, plan.seed, cache)


def _machine(plan: SimulationPlan, machine_type: MachineType, k: int, cache: FeatureCache) -> list[Recording]:
    origin = [plan.seed, list(MachineType).index(machine_type), k]
    spec = random_spec(machine_type, np.random.default_rng(origin), f"sim_{machine_type.value}_{k:02d}")
    studio = _Studio(plan, spec, origin, cache)
    recordings = []
    for take in range(plan.recordings):
        if take % plan.idle_every == plan.idle_every - 1:
            recordings.append(studio.record(spec, "state_idle", take, state=MachineState.IDLE))
        else:
            recordings.append(studio.record(spec, "normal", take))
    for number in range(plan.siblings):
        other = sibling(spec, np.random.default_rng([*origin, 1000 + number]))
        recordings += [studio.record(other, f"sibling_{number}", take) for take in range(plan.sibling_recordings)]
    for voice in spec.faults:
        recordings += [
            studio.record(spec, f"fault_{voice.kind.name}", take, fault=voice.kind) for take in range(plan.faulty)
        ]
    return recordings


@dataclass(frozen=True)
class _Studio:
    """Where one individual is recorded, each time among other surroundings."""

    plan: SimulationPlan
    spec: MachineSpec
    origin: list[int]
    cache: FeatureCache

    def record(
        self,
        heard: MachineSpec,
        condition: str,
        take: int,
        *,
        state: MachineState = MachineState.RUNNING,
        fault: FaultKind | None = None,
    ) -> Recording:
        def render() -> NDArray[np.float32]:
            rng = np.random.default_rng([*self.origin, take, *condition.encode()])
            rate_hz = self.cache.settings.sample_rate_hz
            simulator = MachineSimulator(retake(heard, rng), int(rng.integers(1 << 31)), rate_hz, state)
            samples = round(self.plan.recording_s * rate_hz)
            return simulator.render(samples, fault, severity=float(rng.uniform(0.2, 1.0)) if fault else 0.0)

        name = f"{self.spec.id}/{condition}/{take}"
        return Recording(
            name=name,
            machine_id=self.spec.id,
            machine_type=self.spec.machine_type.value,
            condition=condition,
            group=name,
            licence=LICENCE,
            log_mel_db=self.cache.log_mel(f"machine|{_VERSION}|{name}|{self.origin}|{self.plan.recording_s}", render),
        )
