from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import islice

import numpy as np
import pytest

from edge_agent.capture.simulated import ScheduledFault, ScheduledState, SimulatedChannel, SimulatedSource
from edge_agent.capture.source import SourceError
from edge_agent.simulate import MachineSimulator, MachineState, MachineType, fault_kind, random_spec

from .contract import CHECKS, MakeSource

FAN = random_spec(MachineType.FAN, np.random.default_rng(1), "fan_1")
PUMP = random_spec(MachineType.PUMP, np.random.default_rng(2), "pump_2")
IMBALANCE = fault_kind(MachineType.FAN, "imbalance")
BEARING = fault_kind(MachineType.FAN, "bearing_outer_race")


class FakeClock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.sleeps_s: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.sleeps_s.append(seconds)
        self.now_s += seconds


def samples_of(source: SimulatedSource) -> np.ndarray:
    return np.concatenate([block.samples for block in source.blocks()])


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("paced", [False, True], ids=["unpaced", "paced"])
def test_source_keeps_the_contract(check: Callable[[MakeSource], None], paced: bool) -> None:
    def make() -> SimulatedSource:
        clock = FakeClock() if paced else None
        channels = [SimulatedChannel(FAN, 1), SimulatedChannel(PUMP, 2)]
        sleep = clock.sleep if clock else None
        return SimulatedSource("hall", channels, duration_s=2.0, clock=clock, sleep=sleep)

    check(make)


@pytest.mark.parametrize("block_samples", [1_000, 1_024, 4_096, 40_000])
def test_samples_do_not_depend_on_the_block_length(block_samples: int) -> None:
    channel = SimulatedChannel(
        FAN,
        1,
        faults=(ScheduledFault(IMBALANCE, 0.3, 0.5, stop_s=1.2), ScheduledFault(BEARING, 1.25)),
        states=(ScheduledState(1.5, MachineState.IDLE),),
    )
    reference = samples_of(SimulatedSource("a", [channel], duration_s=2.0, block_samples=777))
    source = SimulatedSource("a", [channel], duration_s=2.0, block_samples=block_samples)
    np.testing.assert_array_equal(samples_of(source), reference)
    assert reference.shape == (32_000, 1)


def test_channels_are_the_machines() -> None:
    source = SimulatedSource("a", [SimulatedChannel(FAN, 1), SimulatedChannel(PUMP, 2)], duration_s=1.0)
    samples = samples_of(source)
    np.testing.assert_array_equal(samples[:, 0], MachineSimulator(FAN, 1).render(16_000))
    np.testing.assert_array_equal(samples[:, 1], MachineSimulator(PUMP, 2).render(16_000))


def test_fault_begins_and_ends_when_scheduled() -> None:
    healthy = samples_of(SimulatedSource("a", [SimulatedChannel(FAN, 1)], duration_s=6.0))[:, 0]
    channel = SimulatedChannel(FAN, 1, faults=(ScheduledFault(BEARING, 2.0, 0.5, stop_s=4.0),))
    faulty = samples_of(SimulatedSource("a", [channel], duration_s=6.0))[:, 0]
    changed_s = np.flatnonzero(np.abs(faulty - healthy) > 1e-4) / 16_000
    assert 1.9 < changed_s[0] < 2.2
    assert 3.9 < changed_s[-1] < 4.6  # the room rings on


@pytest.mark.parametrize(("time_s", "severity"), [(0, 0), (10, 0), (15, 0.4), (20, 0.8), (25, 0.8), (30, 0)], ids=str)
def test_ramp(time_s: float, severity: float) -> None:
    fault = ScheduledFault(BEARING, 10, 10, severity=0.8, stop_s=30)
    assert fault.severity_at(time_s) == pytest.approx(severity)


def test_state_follows_its_schedule() -> None:
    channel = SimulatedChannel(
        FAN, 1, states=(ScheduledState(0, MachineState.OFF), ScheduledState(5, MachineState.IDLE))
    )
    assert [channel.state_at(t) for t in (0, 4.9, 5)] == [MachineState.OFF, MachineState.OFF, MachineState.IDLE]
    assert SimulatedChannel(FAN, 1).state_at(0) is MachineState.RUNNING


def test_pace_is_the_clocks_and_does_not_drift() -> None:
    clock = FakeClock()
    source = SimulatedSource("a", [SimulatedChannel(FAN, 1)], block_samples=1_600, clock=clock, sleep=clock.sleep)
    blocks = source.blocks()
    handed_out_s = []
    for block in islice(blocks, 10):
        handed_out_s.append(clock.now_s - 100.0)
        if block.first_sample == 3 * 1_600:
            clock.now_s += 0.25  # the reader is held up for two and a half blocks
    expected_s = [0.1, 0.2, 0.3, 0.4, 0.65, 0.65, 0.7, 0.8, 0.9, 1.0]
    assert handed_out_s == pytest.approx(expected_s)


def test_closing_wakes_a_source_that_waits() -> None:
    source = SimulatedSource("a", [SimulatedChannel(FAN, 1)], block_samples=16_000 * 60, clock=lambda: 0.0)
    reader = threading.Thread(target=lambda: list(source.blocks()))
    reader.start()
    source.close()
    reader.join(20)
    assert not reader.is_alive()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SimulatedSource("a", []), "0 channels"),
        (lambda: SimulatedSource("a", [SimulatedChannel(FAN, 1)], rate_hz=8_000), "rate_hz is 8000"),
        (lambda: SimulatedSource("a", [SimulatedChannel(FAN, 1)], block_samples=0), "block_samples 0"),
        (lambda: SimulatedSource("a", [SimulatedChannel(FAN, 1)], duration_s=-1.0), "duration_s -1.0"),
        (lambda: ScheduledFault(BEARING, 5, stop_s=5), "start_s < stop_s"),
        (lambda: ScheduledFault(BEARING, float("nan")), "start_s < stop_s"),
        (lambda: ScheduledFault(BEARING, 0, severity=1.1), r"severity in 0\.\.1"),
        (lambda: SimulatedChannel(PUMP, 1, (ScheduledFault(BEARING, 0),)), "cannot have the fault"),
        (lambda: SimulatedChannel(FAN, 1, (ScheduledFault(BEARING, 0), ScheduledFault(IMBALANCE, 9))), "overlap"),
    ],
)
def test_nonsense_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        make()
