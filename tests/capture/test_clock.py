from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.capture.clock import (
    NS_PER_S,
    SYNCED_ASKED_EVERY_NS,
    SampleClock,
    SystemClock,
    VirtualClock,
    system_clock_is_synced,
)


class Machine:
    """A machine's two clocks in the test's hand."""

    def __init__(self) -> None:
        self.monotonic = 5 * NS_PER_S
        self.wall = 1_000 * NS_PER_S

    def clock(self) -> SystemClock:
        return SystemClock(lambda: self.monotonic, lambda: self.wall, lambda: True)

    def run(self, ns: int) -> None:
        self.monotonic += ns
        self.wall += ns


def test_stepped_wall_clock_moves_no_stamp() -> None:
    machine = Machine()
    clock = machine.clock()
    samples = SampleClock(16_000, clock)
    before = samples.wall_ns(16_000)
    machine.run(NS_PER_S)
    machine.wall -= 3600 * NS_PER_S
    assert samples.wall_ns(16_000) == before == 1_001 * NS_PER_S
    assert clock.wall_ns() == 1_001 * NS_PER_S
    assert clock.step_ns() == -3600 * NS_PER_S
    clock.reanchor()
    assert samples.wall_ns(16_000) == before - 3600 * NS_PER_S


def test_late_blocks_do_not_move_stamps_and_the_earliest_one_mends_them() -> None:
    machine = Machine()
    samples = SampleClock(16_000, machine.clock())
    machine.run(2 * NS_PER_S)
    samples.observe(16_000)  # a second late at first
    machine.run(NS_PER_S // 2)
    samples.observe(32_000)  # half a second late
    assert samples.monotonic_ns(0) == 5 * NS_PER_S + NS_PER_S // 2
    machine.run(10 * NS_PER_S)
    samples.observe(48_000)  # very late: delay, not drift
    assert samples.monotonic_ns(0) == 5 * NS_PER_S + NS_PER_S // 2


def test_drift_of_the_crystal_is_followed() -> None:
    machine = Machine()
    samples = SampleClock(16_000, machine.clock())
    position = 0
    for _ in range(86_400):  # a day of a device that is 100 ppm slow, in blocks of a second
        position += 16_000
        machine.run(NS_PER_S + NS_PER_S // 10_000)
        samples.observe(position)
    assert samples.monotonic_ns(position) == pytest.approx(machine.monotonic, abs=NS_PER_S // 50)


def test_virtual_clock_stands_until_moved_and_never_goes_back() -> None:
    clock = VirtualClock(wall_ns=7, synced=False)
    assert (clock.wall_ns(), clock.wall_ns(), clock.is_synced()) == (7, 7, False)
    with pytest.raises(ValueError, match="cannot go back"):
        clock.advance(-1)


def test_the_machine_is_asked_once_a_second_whether_it_is_synchronised() -> None:
    now_ns, answers = 0, iter([False, True])
    clock = SystemClock(lambda: now_ns, lambda: 0, lambda: next(answers))
    assert not clock.is_synced()
    now_ns = SYNCED_ASKED_EVERY_NS - 1
    assert not clock.is_synced()
    now_ns = SYNCED_ASKED_EVERY_NS
    assert clock.is_synced() and clock.is_synced()


def test_timesync_flag_means_synchronised(tmp_path: Path) -> None:
    flag = tmp_path / "synchronized"
    assert isinstance(system_clock_is_synced(flag), bool)
    flag.touch()
    assert system_clock_is_synced(flag)
