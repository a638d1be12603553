"""A microphone that is not plugged in: samples that come over the network."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from edge_agent.capture.limits import MAX_CHANNELS, MAX_RATE_HZ, MIN_RATE_HZ
from edge_agent.capture.pace import LossMeter, RateMeter
from edge_agent.capture.raw_stream import BLOCK_S
from edge_agent.capture.reasons import Lost
from edge_agent.capture.source import Block, SourceError
from edge_agent.capture.stream_input import OpenInput, StreamInput

STALL_S: Final = 10.0
"""A stream that gives nothing for this long is opened again."""

LOSS_TOLERANCE_S: Final = 0.2
LOSS_WINDOW_S: Final = 10.0
"""Networks delay more than drivers do: a delay counts as a loss only once it has stayed for this long."""

WRONG_RATE_HOLD_S: Final = 60.0
"""A stream of another rate than declared is tried again this seldom: what comes of it until it is told is misheard."""

_NS_PER_S: Final = 1_000_000_000


class NetworkSource:
    """A network stream as a source. It is opened when the first block is asked for.

    Packets that were lost on the way are told by the pace: the count of samples falls behind the clock. One thread
    takes all blocks.

    Args:
        source_id: Name of the source.
        rate_hz: Rate of the stream.
        channels: Its channels.
        open_input: Opens the stream.
        stall_s: Silence after which the stream is given up.
        monotonic_ns: Monotonic time.

    Raises:
        SourceError: Rate or channels are out of range.
    """

    restartable = False

    def __init__(
        self,
        source_id: str,
        *,
        rate_hz: int,
        channels: int,
        open_input: OpenInput,
        stall_s: float = STALL_S,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ or not 1 <= channels <= MAX_CHANNELS:
            raise SourceError(f"{source_id}: {rate_hz} Hz and {channels} channels are out of range")
        self.source_id = source_id
        self.rate_hz = rate_hz
        self.channels = channels
        self._open_input = open_input
        self._stall_s = stall_s
        self._monotonic_ns = monotonic_ns
        self._block_samples = max(1, round(rate_hz * BLOCK_S))
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._used = False
        self._wake: int | None = None

    def blocks(self) -> Iterator[Block]:
        """Open the stream and yield what comes until `close`.

        Raises:
            SourceError: The source was used before or is closed; or, while iterating, the stream failed.
        """
        with self._lock:
            if self._closed.is_set() or self._used:
                raise SourceError(f"{self.source_id}: a stream runs once; make a new source to start again")
            self._used = True
        return self._blocks()

    def close(self) -> None:
        """Stop listening. What has come is still handed over by the iterator of `blocks`."""
        self._closed.set()
        with self._lock:
            if self._wake is not None:
                os.eventfd_write(self._wake, 1)

    def _blocks(self) -> Iterator[Block]:
        if self._closed.is_set():
            return
        stream = self._open_input()
        with self._lock:
            wake = self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        try:
            yield from self._cut(stream, wake)
        finally:
            with self._lock:
                self._wake = None
            os.close(wake)
            stream.close()
            self._closed.set()

    def _cut(self, stream: StreamInput, wake: int) -> Iterator[Block]:
        """Blocks of an even length, and the rest at the end."""
        meter = LossMeter(self.rate_hz, tolerance_s=LOSS_TOLERANCE_S, window_s=LOSS_WINDOW_S)
        frame_bytes = self.channels * stream.sample_format.sample_bytes
        block_bytes = self._block_samples * frame_bytes
        rate_meter = RateMeter(self.rate_hz)
        held = bytearray()
        position = given = 0
        fault: SourceError | None = None
        while True:
            try:
                data = self._next(stream, wake)
            except SourceError as error:
                data, fault = b"", error
            ended = fault is not None or self._closed.is_set()
            held += data
            now_ns = self._monotonic_ns()
            while len(held) >= block_bytes or (ended and len(held) >= frame_bytes):
                take = min(block_bytes, len(held) // frame_bytes * frame_bytes)
                samples = stream.sample_format.decode(bytes(held[:take]), self.channels)
                del held[:take]
                given += len(samples)
                left = len(held) // frame_bytes
                if rate_hz := rate_meter.observe(given + left, now_ns):
                    told = f"{rate_hz} samples a second for each of {self.channels} channels, not {self.rate_hz}"
                    message = f"{self.source_id}: the stream gives about {told}; correct rate_hz, channels or format"
                    raise SourceError(message, Lost.GAP, hold_s=WRONG_RATE_HOLD_S)
                position += meter.observe(given, left, now_ns)
                yield Block(samples, position, Lost.GAP, now_ns - left * _NS_PER_S // self.rate_hz)
                position += len(samples)
            if fault is not None:
                raise fault
            if ended:
                return

    def _next(self, stream: StreamInput, wake: int) -> bytes:
        """The next samples; none when it was closed."""
        poll = select.poll()
        for descriptor in (*stream.descriptors, wake):
            poll.register(descriptor, select.POLLIN)
        deadline_ns = self._monotonic_ns() + round(self._stall_s * _NS_PER_S)
        while not self._closed.is_set():
            left_s = (deadline_ns - self._monotonic_ns()) / _NS_PER_S
            if left_s <= 0:
                raise SourceError(
                    f"{self.source_id}: the stream has given nothing for {self._stall_s:g} s", Lost.FROZEN
                )
            for descriptor, _ in poll.poll(round(left_s * 1000) + 1):
                if descriptor != wake and (data := stream.receive(descriptor)):
                    return data
        return b""
