"""Recordings played at the pace at which they were heard."""

import threading
import time
from collections.abc import Callable, Iterator

from edge_agent.capture.source import Block, Source


class PacedSource:
    """Hands out the blocks of another source when a microphone would have captured them.

    Args:
        source: What is played; it must be restartable if it is to be looped.
        speed: Times real time.
        loop: Whether it starts over at its end; samples keep one count through it.
        clock: Monotonic seconds.
        sleep: Waits for so many seconds; by default until then or until closed.
    """

    restartable = False

    def __init__(
        self,
        source: Source,
        *,
        speed: float = 1.0,
        loop: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self._source = source
        self._speed = speed
        self._loop = loop
        self._clock = clock
        self._closed = threading.Event()
        self._sleep = sleep if sleep is not None else self._wait

    @property
    def source_id(self) -> str:
        """Name of the source."""
        return self._source.source_id

    @property
    def rate_hz(self) -> int:
        """Native sample rate, Hz."""
        return self._source.rate_hz

    @property
    def channels(self) -> int:
        """Number of channels in every block."""
        return self._source.channels

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks, each no earlier than its last sample is due."""
        started_s = self._clock()
        base = 0
        while not self._closed.is_set():
            position = base
            for block in self._source.blocks():
                position = base + block.stop_sample
                early_s = started_s + position / self.rate_hz / self._speed - self._clock()
                if early_s > 0:
                    self._sleep(early_s)
                if self._closed.is_set():
                    return
                yield Block(block.samples, base + block.first_sample, block.gap_reason)
            if not self._loop or position == base:
                return
            base = position

    def close(self) -> None:
        """End it after the block in hand."""
        self._closed.set()
        self._source.close()

    def _wait(self, seconds: float) -> None:
        self._closed.wait(seconds)
