"""A live microphone: a reader thread that waits for the device and hands blocks over."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from edge_agent.capture.handover import HandOver
from edge_agent.capture.raw_stream import DeviceSettings, OpenStream, PortAudioStream, RawStream
from edge_agent.capture.reasons import Lost
from edge_agent.capture.source import Block, SourceError

BLOCK_S: Final = 0.1
STALL_S: Final = 5.0
"""A device that gives nothing for this long is frozen, unless told otherwise."""
QUEUE_S: Final = 10.0
"""Sound held for a consumer that falls behind; what comes on top is lost and counted."""
CLOSE_TIMEOUT_S: Final = 2.0

_log = logging.getLogger(__name__)
_NS_PER_S: Final = 1_000_000_000


class DeviceReader:
    """Turns one raw stream into blocks on a sample clock; the part that moves into a child process of its own.

    The clock counts samples. PortAudio says that samples were lost, but not how many: their number is taken
    from the time since the last read, at least one, so that the clock stays with the world within one period
    of the device.

    Args:
        settings: The device's settings.
        stream: The open device.
        monotonic_ns: Monotonic time.
    """

    def __init__(
        self,
        settings: DeviceSettings,
        stream: RawStream,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._settings = settings
        self._stream = stream
        self._monotonic_ns = monotonic_ns
        self._block_samples = max(1, round(settings.rate_hz * BLOCK_S))
        self._position = 0
        self._seen_ns = monotonic_ns()  # when the device was last read, and what it still held then
        self._seen_left = 0

    @property
    def position(self) -> int:
        """Where the sample clock stands, lost samples included."""
        return self._position

    def next_block(self) -> Block:
        """Wait for a whole block.

        Raises:
            SourceError: The device failed. A frozen one never returns.
        """
        return self._read(self._block_samples)

    def rest(self) -> Iterator[Block]:
        """What the device holds at this moment, at the end; never waits."""
        left = self._stream.available()
        while left > 0:
            block = self._read(min(left, self._block_samples))
            left -= len(block.samples)
            yield block

    def _read(self, n: int) -> Block:
        data, overflowed = self._stream.read(n)
        now_ns, left = self._monotonic_ns(), self._stream.available()
        if overflowed:
            elapsed = (now_ns - self._seen_ns) * self._settings.rate_hz // _NS_PER_S
            self._position += max(1, elapsed - (n + left - self._seen_left))
        samples = np.frombuffer(data, dtype=np.float32).reshape(n, self._settings.channels)
        # A gap made on this side (overflow, or a refused block before) has one cause: nobody read in time.
        block = Block(samples, self._position, Lost.OVERRUN)
        self._position = block.stop_sample
        self._seen_ns, self._seen_left = now_ns, left
        return block


class MicrophoneSource:
    """A microphone as a source. The device is opened when `blocks` is called, and read by a thread.

    PortAudio itself is not made for being used by several threads at once, and a frozen device can hang it for
    ever; both end with one child process per device, which will run `DeviceReader` instead of the thread.

    Args:
        source_id: Name of the source.
        settings: Which device, rate and channels.
        open_stream: Opens the device.
        stall_s: A device that gives nothing for this long is taken as frozen.
    """

    restartable = False

    def __init__(
        self,
        source_id: str,
        settings: DeviceSettings,
        *,
        open_stream: OpenStream = PortAudioStream,
        stall_s: float = STALL_S,
    ) -> None:
        self.source_id = source_id
        self.settings = settings
        self._open_stream = open_stream
        self._stall_s = stall_s
        self._handover = HandOver(max(1, round(QUEUE_S / BLOCK_S)))
        self._stop = threading.Event()
        self._state = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def rate_hz(self) -> int:
        """Sample rate recorded at, in Hz."""
        return self.settings.rate_hz

    @property
    def channels(self) -> int:
        """Number of channels recorded."""
        return self.settings.channels

    def blocks(self) -> Iterator[Block]:
        """Open the device and yield what it hears until `close`.

        Raises:
            SourceError: The source was used before or is closed; or, while iterating, the device is absent,
                was unplugged or froze.
        """
        with self._state:
            if self._stop.is_set() or self._thread is not None:
                msg = f"{self.source_id}: a microphone runs once; make a new source to start again"
                raise SourceError(msg)
            self._thread = threading.Thread(target=self._run, name=f"capture-{self.source_id}", daemon=True)
            self._thread.start()
        return self._blocks()

    def close(self) -> None:
        """Stop recording. What was captured is still handed over by the iterator of `blocks`."""
        with self._state:
            self._stop.set()
            thread = self._thread
        if thread is None or thread is threading.current_thread():
            return
        thread.join(CLOSE_TIMEOUT_S)
        if thread.is_alive():
            _log.warning("source %s: the device does not stop; it is abandoned until the process ends", self.source_id)
            self._handover.finish(SourceError(f"{self.source_id}: the device does not stop; replug it"))

    def _blocks(self) -> Iterator[Block]:
        try:
            while (block := self._handover.get(self._stall_s)) is not None:
                yield block
        except TimeoutError:
            msg = f"device {self.settings.device!r} has given nothing for {self._stall_s:g} s; it is frozen: replug it"
            raise SourceError(msg) from None
        finally:
            self.close()

    def _run(self) -> None:
        error: SourceError | None = None
        try:
            stream = self._open_stream(self.settings)
            try:
                self._read(stream)
            except SourceError as fault:
                # Told before closing, which a frozen device may hang in.
                self._handover.finish(fault)
            finally:
                stream.close()
        except SourceError as fault:
            error = fault
        except Exception as fault:
            _log.exception("source %s: the reader failed", self.source_id)
            error = SourceError(f"{self.source_id}: the reader failed ({type(fault).__name__}: {fault}); see the log")
        finally:
            self._handover.finish(error)

    def _read(self, stream: RawStream) -> None:
        reader = DeviceReader(self.settings, stream)
        while not self._stop.is_set():
            self._handover.put(reader.next_block())
        for block in reader.rest():
            self._handover.put_last(block)
