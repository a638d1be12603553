"""The queue between readers and scorer, and the runner that opens a source again."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from edge_agent.capture.block_queue import Arrival, BlockQueue
from edge_agent.capture.clock import VirtualClock
from edge_agent.capture.reasons import Lost
from edge_agent.capture.runner import Backoff, SourceChange, SourceRunner, SourceState
from edge_agent.capture.source import Block, SourceError

RATE = 8_000


def _arrival(first: int, source_id: str = "mic", n: int = 100) -> Arrival:
    return Arrival(source_id, RATE, Block(np.zeros((n, 1), np.float32), first), 0)


def test_a_full_live_source_sheds_its_oldest_block_and_says_so() -> None:
    queue = BlockQueue(max_blocks=3)
    for k in range(5):
        assert queue.put(_arrival(100 * k), can_wait=False)
    assert queue.put(_arrival(0, "other"), can_wait=False)
    taken = queue.take(0.0)
    own = [a.block for a in taken if a.source_id == "mic" and a.block is not None]
    assert [b.first_sample for b in own] == [200, 300, 400]
    assert [b.gap_reason for b in own] == [Lost.SHED, Lost.GAP, Lost.GAP]
    assert [a.source_id for a in taken] == ["mic", "mic", "mic", "other"]


def test_a_source_that_can_wait_waits() -> None:
    queue = BlockQueue(max_blocks=1)
    queue.put(_arrival(0), can_wait=True)
    done = threading.Event()
    thread = threading.Thread(target=lambda: (queue.put(_arrival(100), can_wait=True), done.set()))
    thread.start()
    assert not done.wait(0.05)
    assert len(queue.take(0.0)) == 1
    assert done.wait(5.0)
    thread.join()
    assert len(queue) == 1


def test_a_closed_queue_takes_nothing_but_gives_what_it_has() -> None:
    queue = BlockQueue()
    queue.put(_arrival(0), can_wait=True)
    queue.close()
    assert not queue.put(_arrival(100), can_wait=True)
    assert len(queue.take(0.0)) == 1
    assert queue.take(0.0) == []


class _Scripted:
    """A source that plays what a test wrote: blocks, moves of the clock, and faults."""

    def __init__(self, clock: VirtualClock, script: list[int | str]) -> None:
        self.source_id, self.rate_hz, self.channels, self.restartable = "mic", RATE, 1, False
        self._clock, self._script, self.closed = clock, script, False

    def blocks(self) -> Iterator[Block]:
        position = 0
        for step in self._script:
            if isinstance(step, str):
                raise SourceError(step)
            self._clock.advance(step * 1_000_000_000 // RATE)
            yield Block(np.zeros((step, 1), np.float32), position)
            position += step

    def close(self) -> None:
        self.closed = True


def _run(scripts: list[list[int | str]], away_s: float, *, live: bool) -> tuple[list[Block], list[SourceChange], int]:
    clock, queue, changes = VirtualClock(), BlockQueue(), list[SourceChange]()
    opened: list[_Scripted] = []

    def open_source() -> _Scripted:
        if opened:
            clock.advance(int(away_s * 1e9))
        if len(opened) == len(scripts):
            runner._stopping.set()
            raise SourceError("no more scripts")
        opened.append(_Scripted(clock, scripts[len(opened)]))
        return opened[-1]

    runner = SourceRunner("mic", open_source, queue, clock, changes.append, live=live, backoff=Backoff(0.0, 0.0))
    runner.start()
    runner._thread.join(10.0)
    assert all(source.closed for source in opened)
    return [a.block for a in queue.take(0.0) if a.block is not None], changes, runner.restarts


def test_time_away_is_a_gap_of_its_length() -> None:
    blocks, changes, restarts = _run([[800, 800, "unplugged"], [800, 800, "unplugged"]], 2.0, live=True)
    assert [b.first_sample for b in blocks] == [0, 800, 1_600 + 2 * RATE, 2_400 + 2 * RATE]
    assert [b.gap_reason for b in blocks] == [Lost.GAP, Lost.GAP, Lost.UNPLUGGED, Lost.GAP]
    assert [c.state for c in changes] == [
        SourceState.STARTING, SourceState.UP, SourceState.DOWN, SourceState.UP, SourceState.DOWN,
    ]  # fmt: skip
    assert changes[2].detail == "unplugged"
    assert restarts >= 2


def test_a_recording_ends_at_its_end() -> None:
    blocks, changes, restarts = _run([[800, 800]], 5.0, live=False)
    assert [b.first_sample for b in blocks] == [0, 800]
    assert (changes[-1].state, changes[-1].detail, restarts) == (SourceState.DOWN, "ended", 0)


def test_a_source_that_never_starts_is_down() -> None:
    _, changes, _ = _run([["no such device"]], 0.1, live=True)
    assert [c.state for c in changes] == [SourceState.STARTING, SourceState.DOWN]


@pytest.mark.parametrize("failures", [1, 5, 1_000_000])
def test_backoff_is_capped(failures: int) -> None:
    assert 0.25 <= Backoff().delay_s(failures) <= 2.0


def test_what_only_a_person_can_mend_is_not_tried_again_at_once() -> None:
    attempts: list[float] = []

    def open_source() -> _Scripted:
        attempts.append(0.0)
        raise SourceError("another rate than declared", Lost.GAP, hold_s=30.0)

    changes: list[SourceChange] = []
    backoff = Backoff(0.01, 0.01)
    runner = SourceRunner("mic", open_source, BlockQueue(), VirtualClock(), changes.append, live=True, backoff=backoff)
    runner.start()
    runner._stopping.wait(0.3)
    assert len(attempts) == 1 and changes[-1].detail == "another rate than declared"
    assert runner.stop(), "and whoever stops it need not wait so long"
