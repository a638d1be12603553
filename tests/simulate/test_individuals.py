from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.simulate import (
    FaultKind,
    MachineSimulator,
    MachineType,
    SimulationError,
    fault_kind,
    fault_kinds,
    random_spec,
)

from .measure import ALL_FAULTS, RATE_HZ, power_spectrum, spec_of, steady


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(MachineType), st.integers(0, 2**32))
def test_every_individual_is_sound(machine_type: MachineType, seed: int) -> None:
    spec = spec_of(machine_type, seed)
    assert spec == spec_of(machine_type, seed)
    assert tuple(voice.kind for voice in spec.faults) == fault_kinds(machine_type)
    assert -45 <= spec.microphone.level_dbfs <= -15
    for voice in spec.faults:
        low_hz, high_hz = voice.band_hz
        assert voice.kind.band_hz[0] <= low_hz < high_hz <= voice.kind.band_hz[1], voice.kind.key


@pytest.mark.parametrize("machine_type", MachineType)
def test_individuals_of_a_type_differ_more_than_recordings_of_one(machine_type: MachineType) -> None:
    def shape_db(seed: int, take: int) -> np.ndarray:
        # at one operating point and alone: a change of load or a clank makes takes of one machine differ too
        spec = replace(steady(spec_of(machine_type, seed)), surroundings=())
        samples = MachineSimulator(spec, take).render(4 * RATE_HZ)
        bands = [band.mean() for band in np.array_split(power_spectrum(samples)[1], 64)]
        level_db = 10 * np.log10(bands)
        return np.asarray(level_db - level_db.mean())

    machines = [shape_db(seed, 0) for seed in range(5)]
    again = [shape_db(seed, 1) for seed in range(5)]
    same = [np.abs(one - other).mean() for one, other in zip(machines, again, strict=True)]
    different = [np.abs(machines[i] - machines[j]).mean() for i in range(5) for j in range(i)]
    assert min(different) > 1.3 * max(same), "the two most alike machines differ more than any two takes of one"
    assert np.median(different) > 3.0
    assert np.median(different) > 4 * np.median(same)


def test_names() -> None:
    rng = np.random.default_rng(0)
    assert random_spec(MachineType.FAN, rng, "fan.7-b").id == "fan.7-b"
    assert random_spec(MachineType.FAN, rng).id != random_spec(MachineType.FAN, rng).id
    with pytest.raises(SimulationError, match="another name"):
        random_spec(MachineType.FAN, rng, "../fan")


@pytest.mark.parametrize("kind", ALL_FAULTS, ids=lambda kind: kind.key)
def test_fault_kinds_are_found_by_name(kind: FaultKind) -> None:
    assert fault_kind(kind.machine_type, kind.name) is kind


def test_a_fault_of_another_type_is_refused() -> None:
    with pytest.raises(SimulationError, match="it has: imbalance, broken_blade, bearing_outer_race"):
        fault_kind(MachineType.FAN, "cavitation")
    cavitation = fault_kind(MachineType.PUMP, "cavitation")
    with pytest.raises(SimulationError, match="cannot have the fault 'pump/cavitation'"):
        MachineSimulator(spec_of(MachineType.FAN, 0), 0).render(10, cavitation, 1.0)
