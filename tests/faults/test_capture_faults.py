"""Promise 2: a fault costs at most one window, of that microphone alone. `CAPTURE_CHAOS_FAULTS=50` for the long run."""

from __future__ import annotations

import os
import time
from itertools import pairwise
from pathlib import Path

import pytest

from edge_agent.capture.clock import NS_PER_S, SystemClock
from edge_agent.capture.reasons import Lost
from edge_agent.capture.runner import SourceState
from tests.faults import capture_chaos
from tests.faults.capture_rig import RATE_HZ, TONES_HZ, Microphone, Rig, await_true, readers
from tests.support.pulse import missing_parts

FAULTS = int(os.environ.get("CAPTURE_CHAOS_FAULTS", "4"))
DAY_NS = 86_400 * NS_PER_S
pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(
        bool(missing_parts()) and os.environ.get("CI") != "true", reason=f"for want of: {missing_parts()}"
    ),
]


@pytest.mark.timeout(90 + 15 * FAULTS)
def test_random_faults_cost_what_is_promised(tmp_path: Path) -> None:
    outcome = capture_chaos.run(tmp_path, faults=FAULTS, seed=5)
    assert outcome.complaints == [], capture_chaos.summary(outcome)
    assert len(outcome.blows) == FAULTS


def _microphones(directory: Path, count: int) -> tuple[Microphone, ...]:
    return tuple(Microphone(directory / f"m{k}", f"m{k}", TONES_HZ[k]) for k in range(count))


def test_two_hear_their_own_tones_and_a_third_joins_when_it_comes(tmp_path: Path) -> None:
    one, two, late = _microphones(tmp_path, 3)
    one.plug()
    two.plug()
    try:
        rig = Rig((one, two, late))
        with rig.running():
            assert await_true(lambda: min(rig.seen[m].blocks for m in ("m0", "m1")) > 20, 15) < 15
            assert rig.state(late.name) is SourceState.DOWN, "one that never started is down, not starting"
            assert "is not there" in rig.seen[late.name].states[-1][1].detail
            assert rig.books()[late.name].captured == 0
            late.plug()
            assert await_true(lambda: rig.state(late.name) is SourceState.UP, 15) < capture_chaos.REPLUG_WITHIN_S
            assert await_true(lambda: rig.seen[late.name].blocks > 20, 10) < 10
        for microphone in (one, two, late):
            seen = rig.seen[microphone.name]
            assert seen.foreign == []
            assert seen.blocks - seen.silent > 10, "the tone was heard"
            assert rig.lost(microphone.name) == 0
        assert rig.unbalanced == []
        assert readers() == {}
    finally:
        for microphone in (one, two, late):
            microphone.unplug()


@pytest.mark.parametrize(("fault", "reason"), [("unplug", Lost.UNPLUGGED), ("freeze", Lost.FROZEN)])
def test_what_is_lost_is_booked_with_its_reason_and_its_length(tmp_path: Path, fault: str, reason: Lost) -> None:
    (microphone,) = _microphones(tmp_path, 1)
    microphone.plug()
    try:
        rig = Rig((microphone,))
        with rig.running():
            assert await_true(lambda: rig.seen["m0"].blocks > 5, 15) < 15
            started_s, clock = time.monotonic(), rig.books()["m0"].captured
            microphone.unplug() if fault == "unplug" else microphone.freeze()
            assert await_true(lambda: rig.state("m0") is SourceState.DOWN, 10) < 10
            microphone.plug() if fault == "unplug" else microphone.thaw()
            assert await_true(lambda: rig.state("m0") is SourceState.UP, 10) < 10
            time.sleep(2)
            passed_s, passed = time.monotonic() - started_s, rig.books()["m0"].captured - clock
        books = rig.books()["m0"]
        assert books.lost[reason] > 0
        assert {each: count for each, count in books.lost.items() if count} == {reason: books.lost[reason]}
        assert passed / RATE_HZ == pytest.approx(passed_s, abs=0.5), "the sample clock went on through the fault"
        assert rig.unbalanced == []
        assert books.pending == 0
    finally:
        microphone.unplug()


@pytest.mark.parametrize("step_ns", [DAY_NS, -DAY_NS])
def test_stepped_wall_clock_moves_no_window(tmp_path: Path, step_ns: int) -> None:
    (microphone,) = _microphones(tmp_path, 1)
    microphone.plug()
    offset_ns = 0
    clock = SystemClock(wall_time_ns=lambda: time.time_ns() + offset_ns)
    window_s = 2.1
    try:
        rig = Rig((microphone,), clock, window_s)
        with rig.running():
            assert await_true(lambda: len(rig.seen["m0"].windows) >= 1, 15) < 15
            offset_ns = step_ns
            assert await_true(lambda: len(rig.seen["m0"].windows) >= 4, 15) < 15
        assert abs(clock.step_ns()) > DAY_NS * 0.99, "the clock did step"
        full = [event for event in rig.seen["m0"].windows if event.rejected is None][:4]
        for before, after in pairwise(full):
            assert (after.start_ns - before.start_ns) / NS_PER_S == pytest.approx(window_s, abs=0.1)
        assert abs(full[-1].start_ns - time.time_ns()) < 60 * NS_PER_S
    finally:
        microphone.unplug()
