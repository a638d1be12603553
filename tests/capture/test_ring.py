from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.capture.ring import RawBlock, RingError, RingLayout, RingReader, RingWriter, create_memory

LAYOUT = RingLayout(channels=2, block_samples=5, slots=3)


@contextmanager
def ring(layout: RingLayout = LAYOUT) -> Iterator[tuple[RingWriter, RingReader]]:
    memory = create_memory(layout)
    writer, reader = RingWriter(memory, layout), RingReader(memory, layout)
    os.close(memory)
    try:
        yield writer, reader
    finally:
        writer.close()
        reader.close()


def block(first: int, samples: int = 5, *, overflowed: bool = False) -> RawBlock:
    data = bytes((first + k) % 256 for k in range(samples * 2 * 4))
    return RawBlock(data, first, samples, read_ns=first * 7, left=first % 11, overflowed=overflowed)


@given(st.lists(st.one_of(st.just("read"), st.integers(1, 5)), max_size=60))
def test_ring_is_a_bounded_queue(steps: list[str | int]) -> None:
    expected: list[RawBlock] = []
    first = 0
    with ring() as (writer, reader):
        for step in steps:
            if isinstance(step, int):
                written = block(first, step, overflowed=step == 3)
                assert writer.write(written) is (len(expected) < LAYOUT.slots)
                if len(expected) < LAYOUT.slots:
                    expected.append(written)
                first += step
            else:
                assert reader.read() == (expected.pop(0) if expected else None)


def test_memory_cannot_be_shrunk_under_the_reader() -> None:
    memory = create_memory(LAYOUT)
    with pytest.raises(OSError, match="not permitted"):
        os.ftruncate(memory, 0)
    os.close(memory)


def test_memory_of_another_size_is_refused() -> None:
    memory = create_memory(LAYOUT)
    with pytest.raises(RingError, match="bytes"):
        RingReader(memory, RingLayout(channels=2, block_samples=5, slots=4))
    os.close(memory)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        pytest.param(16, 99, id="sequence"),
        pytest.param(17, 2**63, id="position"),
        pytest.param(18, 0, id="no samples"),
        pytest.param(18, 6, id="too many samples"),
        pytest.param(19, 2**63, id="time"),
        pytest.param(20, 2**40, id="left"),
        pytest.param(0, 5, id="head too far"),
    ],
)
def test_reader_takes_no_damaged_block(word: int, value: int) -> None:
    with ring() as (writer, reader):
        writer.write(block(0))
        writer._words[word] = value
        with pytest.raises(RingError, match="damaged"):
            reader.read()


def test_positions_never_go_back() -> None:
    with ring() as (writer, reader):
        writer.write(block(10))
        writer.write(block(12))
        assert reader.read() == block(10)
        with pytest.raises(RingError):
            reader.read()


_WRITER = """
import sys
from edge_agent.capture.ring import RawBlock, RingLayout, RingWriter
layout = RingLayout(1, 64, 8)
ring = RingWriter(int(sys.argv[1]), layout)
first = 0
while first < 64 * 20_000:
    data = (first // 64).to_bytes(4, "little") * 64
    if ring.write(RawBlock(data, first, 64, first, 0, False)):
        first += 64
"""


def test_two_processes_share_it_without_a_torn_block() -> None:
    layout = RingLayout(1, 64, 8)
    memory = create_memory(layout)
    reader = RingReader(memory, layout)
    with subprocess.Popen([sys.executable, "-c", _WRITER, str(memory)], pass_fds=(memory,)) as writer:
        taken = 0
        while taken < 20_000 and writer.poll() in (None, 0):
            found = reader.read()
            if found is not None:
                assert found.first == taken * 64
                assert found.data == taken.to_bytes(4, "little") * 64
                taken += 1
    assert taken == 20_000
    reader.close()
    os.close(memory)
