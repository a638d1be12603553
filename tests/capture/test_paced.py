"""Recordings at the pace of the world: never early, looped on one count, ended at once."""

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from edge_agent.capture.paced import PacedSource
from edge_agent.capture.source import Block

RATE_HZ = 8_000


class Tape:
    """One second in ten blocks, and a gap of a tenth after the first half."""

    source_id, rate_hz, channels, restartable = "tape", RATE_HZ, 1, True

    def __init__(self) -> None:
        self.closed = False

    def blocks(self) -> Iterator[Block]:
        for index in range(10):
            yield Block(np.full((800, 1), index, np.float32), 800 * index + (800 if index >= 5 else 0))

    def close(self) -> None:
        self.closed = True


class World:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def clock(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now_s += seconds


@pytest.mark.parametrize("speed", [1.0, 4.0, 0.5])
def test_no_block_comes_before_its_last_sample(speed: float) -> None:
    world = World()
    source = PacedSource(Tape(), speed=speed, clock=world.clock, sleep=world.sleep)
    for block in source.blocks():
        assert world.now_s - 100.0 == pytest.approx(block.stop_sample / RATE_HZ / speed)


def test_a_late_reader_is_not_made_later() -> None:
    world = World()
    source = PacedSource(Tape(), clock=world.clock, sleep=world.sleep)
    times = []
    for block in source.blocks():
        if block.first_sample == 0:
            world.now_s += 0.45  # it was busy
        times.append(world.now_s - 100.0)
    assert times[:5] == pytest.approx([0.55, 0.55, 0.55, 0.55, 0.55])
    assert times[-1] == pytest.approx(1.1)


def test_a_loop_counts_on_and_keeps_its_gaps() -> None:
    world = World()
    source = PacedSource(Tape(), loop=True, clock=world.clock, sleep=world.sleep)
    blocks = source.blocks()
    taken = [next(blocks) for _ in range(25)]
    firsts = [block.first_sample for block in taken]
    assert firsts[:12] == [0, 800, 1600, 2400, 3200, 4800, 5600, 6400, 7200, 8000, 8800, 9600]
    assert firsts[20] == 2 * 8_800
    assert world.now_s - 100.0 == pytest.approx(taken[-1].stop_sample / RATE_HZ)


def test_close_ends_a_wait_at_once() -> None:
    tape = Tape()
    source = PacedSource(tape, speed=0.001)
    found: list[Block] = []
    reader = threading.Thread(target=lambda: found.extend(source.blocks()))
    started_s = time.monotonic()
    reader.start()
    source.close()
    reader.join(5.0)
    assert not reader.is_alive()
    assert time.monotonic() - started_s < 5.0
    assert found == []
    assert tape.closed


def test_a_tape_without_a_block_is_not_looped_for_ever() -> None:
    class Empty(Tape):
        def blocks(self) -> Iterator[Block]:
            return iter(())

    assert list(PacedSource(Empty(), loop=True).blocks()) == []
