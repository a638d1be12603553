"""A ring of blocks in memory shared by two processes: one writes, one reads, neither waits for the other.

The memory is an anonymous file (memfd) whose size is sealed, so that a child that goes wild cannot shrink it under its
parent. `head` counts the blocks ever written, `tail` the blocks ever taken; each is written by one side only. A block
that does not fit is refused: what lies in the ring is never overwritten, so the reader copies without a second look.

On processors that reorder memory accesses a counter must not be seen before the block it vouches for. Python has no
fences; taking and releasing a lock is one, and the event descriptor that wakes the reader is another.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import threading
from dataclasses import dataclass
from typing import Final

_COUNTERS_BYTES: Final = 128
_HEAD_WORD: Final = 0
_TAIL_WORD: Final = 8
_SLOT_HEADER_BYTES: Final = 64
_LINE_BYTES: Final = 64
_OVERFLOWED: Final = 1
SAMPLE_BYTES: Final = 4


class RingError(Exception):
    """The other side broke the rules of the ring, or the memory is not what was agreed."""


@dataclass(frozen=True, slots=True)
class RingLayout:
    """What both sides must agree on.

    Attributes:
        channels: Channels of float32 samples, interleaved.
        block_samples: Most samples per channel in a block.
        slots: Blocks that fit.
    """

    channels: int
    block_samples: int
    slots: int

    @property
    def slot_bytes(self) -> int:
        """Bytes of one slot, header and all."""
        payload = self.channels * self.block_samples * SAMPLE_BYTES
        return _SLOT_HEADER_BYTES + -(-payload // _LINE_BYTES) * _LINE_BYTES

    @property
    def total_bytes(self) -> int:
        """Bytes of the memory."""
        return _COUNTERS_BYTES + self.slots * self.slot_bytes


@dataclass(frozen=True, slots=True)
class RawBlock:
    """One block as the device gave it.

    Attributes:
        data: Interleaved float32 samples.
        first: Samples per channel that the device had given before, those of refused blocks included.
        samples: Samples per channel in `data`.
        read_ns: Monotonic time right after the read.
        left: Samples per channel that the driver held after the read.
        overflowed: Whether the driver said that it had thrown samples away before these.
    """

    data: bytes
    first: int
    samples: int
    read_ns: int
    left: int
    overflowed: bool


def create_memory(layout: RingLayout) -> int:
    """A descriptor of zeroed, sealed memory for a ring."""
    descriptor = os.memfd_create("edge-agent-ring", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, layout.total_bytes)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


class _Ring:
    """The mapped memory, seen as bytes and as 64-bit words."""

    def __init__(self, descriptor: int, layout: RingLayout) -> None:
        if os.fstat(descriptor).st_size != layout.total_bytes:
            raise RingError(f"the shared memory is not of {layout.total_bytes} bytes")
        self.layout = layout
        self._map = mmap.mmap(descriptor, layout.total_bytes)
        self._bytes = memoryview(self._map)
        self._words = self._bytes.cast("Q")
        self._fence_lock = threading.Lock()

    def close(self) -> None:
        """Give the memory back."""
        self._words.release()
        self._bytes.release()
        self._map.close()

    def _slot(self, count: int) -> int:
        """Offset of the slot that holds the `count`-th block."""
        return _COUNTERS_BYTES + count % self.layout.slots * self.layout.slot_bytes

    def _fence(self) -> None:
        with self._fence_lock:
            pass


class RingWriter(_Ring):
    """The device's side."""

    def __init__(self, descriptor: int, layout: RingLayout) -> None:
        super().__init__(descriptor, layout)
        self._head = 0

    def write(self, block: RawBlock) -> bool:
        """Add a block; False, and nothing written, where there is no room."""
        if self._head - self._words[_TAIL_WORD] >= self.layout.slots:
            return False
        self._fence()
        offset = self._slot(self._head)
        start = offset + _SLOT_HEADER_BYTES
        self._bytes[start : start + len(block.data)] = block.data
        word = offset // 8
        flags = _OVERFLOWED if block.overflowed else 0
        for at, value in enumerate((self._head + 1, block.first, block.samples, block.read_ns, block.left, flags)):
            self._words[word + at] = value
        self._head += 1
        self._fence()
        self._words[_HEAD_WORD] = self._head
        return True


class RingReader(_Ring):
    """The agent's side; takes nothing that it finds on trust."""

    def __init__(self, descriptor: int, layout: RingLayout) -> None:
        super().__init__(descriptor, layout)
        self._tail = 0
        self._expected = 0

    def read(self) -> RawBlock | None:
        """Take the oldest block; None where there is none.

        Raises:
            RingError: What lies there cannot have come from a writer that works.
        """
        head = self._words[_HEAD_WORD]
        if head == self._tail:
            return None
        self._fence()
        offset = self._slot(self._tail)
        word = offset // 8
        sequence, first, samples, read_ns, left, flags = self._words[word : word + 6]
        sane = (
            self._tail < head <= self._tail + self.layout.slots
            and sequence == self._tail + 1
            and 1 <= samples <= self.layout.block_samples
            and self._expected <= first < 1 << 62
            and read_ns < 1 << 62
            and left < 1 << 31
        )
        if not sane:
            raise RingError(f"block {self._tail} of the shared memory is damaged: {[sequence, first, samples, left]}")
        start = offset + _SLOT_HEADER_BYTES
        data = bytes(self._bytes[start : start + samples * self.layout.channels * SAMPLE_BYTES])
        self._expected = first + samples
        self._tail += 1
        self._fence()
        self._words[_TAIL_WORD] = self._tail
        return RawBlock(data, first, samples, read_ns, left, bool(flags & _OVERFLOWED))
