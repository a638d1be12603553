from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.simulate import MachineSimulator, MachineState, MachineType, SimulationError, fault_kind

from .measure import RATE_HZ, level_dbfs, spec_of, steady

BEARING = fault_kind(MachineType.FAN, "bearing_outer_race")


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(MachineType), st.lists(st.integers(0, 6_000), max_size=6), st.booleans())
def test_output_is_the_same_however_it_is_cut(machine_type: MachineType, cuts: list[int], faulty: bool) -> None:
    spec = spec_of(machine_type, 11)
    fault = spec.faults[0].kind if faulty else None

    def severity(time_s: float) -> float:
        return min(1.0, time_s / 2)

    whole = MachineSimulator(spec, 5).render(sum(cuts), fault, severity)
    in_parts = MachineSimulator(spec, 5)
    parts = [in_parts.render(count, fault, severity) for count in cuts]
    assert in_parts.position == sum(cuts)
    np.testing.assert_array_equal(np.concatenate([np.zeros(0, np.float32), *parts]), whole)


@pytest.mark.parametrize("machine_type", MachineType)
def test_seed_decides_the_recording(machine_type: MachineType) -> None:
    spec = spec_of(machine_type, 2)
    first = MachineSimulator(spec, 1).render(8_000)
    np.testing.assert_array_equal(MachineSimulator(spec, 1).render(8_000), first)
    assert not np.array_equal(MachineSimulator(spec, 2).render(8_000), first)
    assert first.dtype == np.float32


@pytest.mark.parametrize("machine_type", MachineType)
@pytest.mark.parametrize("seed", range(2))
def test_level_is_the_one_the_microphone_is_set_to(machine_type: MachineType, seed: int) -> None:
    spec = steady(spec_of(machine_type, seed))
    samples = MachineSimulator(spec, seed).render(12 * RATE_HZ)
    # the surroundings add their share, slow wander its own, and a tone at one exact speed may sit on the flank of a
    # resonance, over which the level is set as a mean
    assert level_dbfs(samples) == pytest.approx(spec.microphone.level_dbfs, abs=4)


@pytest.mark.parametrize("machine_type", MachineType)
@pytest.mark.parametrize("seed", range(2))
def test_full_scale_is_never_reached_and_levels_are_sane(machine_type: MachineType, seed: int) -> None:
    spec = spec_of(machine_type, seed)
    healthy = MachineSimulator(spec, 0).render(5 * RATE_HZ)
    assert -45 <= level_dbfs(healthy) <= -15
    for voice in spec.faults:
        samples = MachineSimulator(spec, 0).render(3 * RATE_HZ, voice.kind, 1.0)
        assert np.isfinite(samples).all()
        assert np.abs(samples).max() < 1.0
    loud = replace(spec, microphone=replace(spec.microphone, level_dbfs=0.0))
    assert np.abs(MachineSimulator(loud, 0).render(RATE_HZ)).max() < 1.0


def test_no_seam_at_chunk_edges() -> None:
    samples = MachineSimulator(steady(spec_of(MachineType.GEARBOX, 4)), 0).render(100 * 4_096).astype(np.float64)
    bend = np.abs(np.diff(samples, 2))
    at_edges = np.mean([bend[k * 4_096 - 2 : k * 4_096] for k in range(1, 100)])
    assert at_edges == pytest.approx(bend.mean(), rel=0.25)


def test_severity_zero_adds_nothing_and_the_ramp_begins_where_it_says() -> None:
    spec = spec_of(MachineType.FAN, 1)
    healthy = MachineSimulator(spec, 0).render(4 * RATE_HZ)
    np.testing.assert_array_equal(MachineSimulator(spec, 0).render(4 * RATE_HZ, BEARING, 0.0), healthy)
    late = MachineSimulator(spec, 0).render(4 * RATE_HZ, BEARING, lambda t_s: 0.0 if t_s < 2 else 1.0)
    changed = np.flatnonzero(np.abs(late - healthy) > 1e-4)  # above the rounding of the FFT
    assert 1.9 < changed[0] / RATE_HZ < 2.1


@pytest.mark.parametrize("machine_type", MachineType)
def test_a_stopped_machine_leaves_the_background(machine_type: MachineType) -> None:
    spec = spec_of(machine_type, 3)
    silent_room = replace(spec, surroundings=())
    simulator = MachineSimulator(silent_room, 0)
    running = level_dbfs(simulator.render(4 * RATE_HZ))
    simulator.state = MachineState.OFF
    simulator.render(16 * RATE_HZ)
    stopped = level_dbfs(simulator.render(2 * RATE_HZ))
    assert stopped == pytest.approx(spec.microphone.noise_dbfs, abs=0.5)
    assert stopped < running - 10
    simulator.state = MachineState.RUNNING
    simulator.render(16 * RATE_HZ)
    assert level_dbfs(simulator.render(4 * RATE_HZ)) == pytest.approx(running, abs=3)


def test_idle_lies_between_off_and_running() -> None:
    spec = spec_of(MachineType.PUMP, 5)
    levels = [level_dbfs(MachineSimulator(spec, 0, state=state).render(4 * RATE_HZ)) for state in MachineState]
    assert levels == sorted(levels)
    assert all(higher - lower > 1 for lower, higher in pairwise(levels))


@pytest.mark.parametrize("rate_hz", [44_100, 48_000])
def test_other_rates_sound_alike(rate_hz: int) -> None:
    spec = steady(spec_of(MachineType.FAN, 6))
    usual = level_dbfs(MachineSimulator(spec, 0).render(5 * RATE_HZ))
    assert level_dbfs(MachineSimulator(spec, 0, rate_hz).render(5 * rate_hz)) == pytest.approx(usual, abs=2)


def test_what_makes_no_sense_is_refused() -> None:
    spec = spec_of(MachineType.FAN, 1)
    with pytest.raises(SimulationError, match="rate_hz is 8000"):
        MachineSimulator(spec, 0, 8_000)
    with pytest.raises(SimulationError, match="n_samples is -1"):
        MachineSimulator(spec, 0).render(-1)
    for severity in (-0.1, 1.5, math.nan):
        with pytest.raises(SimulationError, match=r"must lie in 0\.\.1"):
            MachineSimulator(spec, 0).render(100, BEARING, severity)
