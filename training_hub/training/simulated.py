"""Simulated machines, healthy and faulty, and coloured noise as training data: variety that no licence restricts."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.simulate import FaultKind, MachineSimulator, MachineSpec, MachineState, MachineType, random_spec
from training_hub.training.feature_cache import FeatureCache
from training_hub.training.recording import BACKGROUND_TYPE, Recording

LICENCE = "Apache-2.0 (this project's own simulation)"
_VERSION = 1  # raise it when the simulation changes its sound, so that no old features are used


@dataclass(frozen=True)
class SimulationPlan:
    """How much to simulate.

    Attributes:
        machines_per_type: Individuals of each machine type; each becomes a label.
        recordings: Recordings of each individual; each is a group of its own.
        recording_s: Length of one.
        idle_every: Every so many recordings one is of the idle machine.
        faulty: Recordings of each individual with each of its faults, at severities of its own.
        noises: Recordings of coloured noise.
        seed: Which individuals.
    """

    machines_per_type: int = 16
    recordings: int = 6
    recording_s: float = 20.0
    idle_every: int = 6
    faulty: int = 1
    noises: int = 64
    seed: int = 2024


def simulate_recordings(
    plan: SimulationPlan, cache: FeatureCache, progress: Callable[[str], None] = lambda _: None
) -> list[Recording]:
    """Recordings of simulated machines, healthy and faulty, and of noise."""
    recordings = []
    for machine_type in MachineType:
        for k in range(plan.machines_per_type):
            recordings += _machine(plan, machine_type, k, cache)
        progress(f"simulated {plan.machines_per_type} machines of type {machine_type.value}")
    return recordings + [_noise(plan, k, cache) for k in range(plan.noises)]


def _machine(plan: SimulationPlan, machine_type: MachineType, k: int, cache: FeatureCache) -> list[Recording]:
    machine_id = f"sim_{machine_type.value}_{k:02d}"
    origin = [plan.seed, list(MachineType).index(machine_type), k]
    spec = random_spec(machine_type, np.random.default_rng(origin), machine_id)
    rate_hz = cache.settings.sample_rate_hz
    recordings = []
    for take in range(plan.recordings):
        idle = take % plan.idle_every == plan.idle_every - 1
        state = MachineState.IDLE if idle else MachineState.RUNNING

        def render(take: int = take, state: MachineState = state) -> NDArray[np.float32]:
            seed = int(np.random.default_rng([*origin, take]).integers(1 << 31))
            return MachineSimulator(spec, seed, rate_hz, state).render(round(plan.recording_s * rate_hz))

        key = f"simulated|{_VERSION}|{machine_id}|{origin}|{take}|{state}|{plan.recording_s}"
        recordings.append(
            Recording(
                name=f"{machine_id}/{take}",
                machine_id=machine_id,
                machine_type=machine_type.value,
                condition="normal" if not idle else "state_idle",
                group=f"{machine_id}/{take}",
                licence=LICENCE,
                log_mel_db=cache.log_mel(key, render),
            )
        )
    return recordings + [
        _faulty(plan, spec, fault, [*origin, k, take], cache)
        for k, fault in enumerate(voice.kind for voice in spec.faults)
        for take in range(plan.faulty)
    ]


def _faulty(
    plan: SimulationPlan, spec: MachineSpec, fault: FaultKind, origin: list[int], cache: FeatureCache
) -> Recording:
    def render() -> NDArray[np.float32]:
        rng = np.random.default_rng([*origin, 77])
        simulator = MachineSimulator(spec, int(rng.integers(1 << 31)), cache.settings.sample_rate_hz)
        samples = round(plan.recording_s * cache.settings.sample_rate_hz)
        return simulator.render(samples, fault, severity=float(rng.uniform(0.3, 1.0)))

    name = f"{spec.id}/{fault.name}/{origin[-1]}"
    return Recording(
        name=name,
        machine_id=spec.id,
        machine_type=spec.machine_type.value,
        condition=f"fault_{fault.name}",
        group=name,
        licence=LICENCE,
        log_mel_db=cache.log_mel(f"faulty|{_VERSION}|{fault.key}|{spec.id}|{origin}|{plan.recording_s}", render),
    )


def _noise(plan: SimulationPlan, k: int, cache: FeatureCache) -> Recording:
    """Gaussian noise with a spectral slope of -9 to +3 dB per octave and a slow swell."""
    rate_hz = cache.settings.sample_rate_hz

    def render() -> NDArray[np.float32]:
        rng = np.random.default_rng([plan.seed, 99, k])
        n = 10 * rate_hz
        spectrum = np.fft.rfft(rng.standard_normal(n))
        octaves = np.log2(np.maximum(np.fft.rfftfreq(n, 1 / rate_hz), 20.0) / 1000.0)
        samples = np.fft.irfft(spectrum * 10.0 ** (rng.uniform(-9, 3) * octaves / 20.0), n)
        swell_db = rng.uniform(0, 6) * np.sin(
            2 * np.pi * (rng.uniform(0.05, 1) * np.arange(n) / rate_hz + rng.random())
        )
        samples *= 10.0 ** (swell_db / 20.0)
        scaled: NDArray[np.float32] = (0.05 * samples / np.sqrt(np.mean(samples**2))).astype(np.float32)
        return scaled

    return Recording(
        name=f"noise/{k}",
        machine_id=f"noise_{k:02d}",
        machine_type=BACKGROUND_TYPE,
        condition=BACKGROUND_TYPE,
        group=f"noise/{k}",
        licence=LICENCE,
        log_mel_db=cache.log_mel(f"noise|{_VERSION}|{plan.seed}|{k}", render),
    )
