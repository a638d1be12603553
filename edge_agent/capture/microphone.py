"""A live microphone: a child process reads the device, this side watches it and stamps what it gave."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np

from edge_agent.capture.cards import SoundCards
from edge_agent.capture.device_process import CHILD_COMMAND, DeviceProcess
from edge_agent.capture.devices import refuse_moving_name
from edge_agent.capture.pace import LossMeter, RateMeter
from edge_agent.capture.presence import check_present
from edge_agent.capture.raw_stream import DeviceSettings
from edge_agent.capture.reasons import Lost
from edge_agent.capture.ring import RawBlock
from edge_agent.capture.source import Block, SourceError

STALL_S: Final = 2.5
"""A device that gives nothing for this long is frozen, unless told otherwise.

It should give something every 0.1 s. With the second that opening it again takes, what is lost stays below the 4 s that
could cost two windows of 10 s.
"""

OPEN_S: Final = 6.0
"""A device that has neither opened nor given its first block after this long is frozen."""

WRONG_RATE_HOLD_S: Final = 60.0
"""A device that runs at another rate than asked for is tried again this seldom."""

_NS_PER_S: Final = 1_000_000_000


class Stamper:
    """Gives raw blocks of one device their place on its sample clock.

    The clock counts samples, and time where samples are missing: those that found no room in the ring are known by
    number; those that the driver lost are told by `LossMeter`.

    Args:
        settings: The device.
        real_time: Whether it gives samples at the pace of time.
    """

    def __init__(self, settings: DeviceSettings, *, real_time: bool = True) -> None:
        self._channels = settings.channels
        self._rate_hz = settings.rate_hz
        self._device = settings.device
        self._meter = LossMeter(settings.rate_hz)
        self._rate_meter = RateMeter(settings.rate_hz) if real_time else None
        self._missing = 0

    def stamp(self, raw: RawBlock) -> Block:
        """The block at its place; a gap before it has one cause, that nobody read in time.

        Raises:
            SourceError: The device gives samples faster than it was asked to.
        """
        given = raw.first + raw.samples
        rate_hz = self._rate_meter.observe(given + raw.left, raw.read_ns) if self._rate_meter else None
        if rate_hz is not None:
            message = f"device {self._device!r} gives about {rate_hz} samples a second, not {self._rate_hz}"
            raise SourceError(f"{message}; set rate_hz to a rate that it has", Lost.GAP, hold_s=WRONG_RATE_HOLD_S)
        self._missing += self._meter.observe(given, raw.left, raw.read_ns, overflowed=raw.overflowed)
        samples = np.frombuffer(raw.data, dtype=np.float32).reshape(raw.samples, self._channels)
        captured_ns = raw.read_ns - raw.left * _NS_PER_S // self._rate_hz
        return Block(samples, raw.first + self._missing, Lost.OVERRUN, captured_ns)


class MicrophoneSource:
    """A microphone as a source. The device is opened when the first block is asked for.

    The child dies with the thread that asked for the first block, so one thread takes them all.

    Args:
        source_id: Name of the source.
        settings: Which device, rate and channels.
        stall_s: A device that gives nothing for this long is taken as frozen, and its reader killed.
        open_s: Time that opening and the first block may take.
        command: What reads the device.
        cards: The cards of this computer.
        monotonic_ns: Monotonic time.
        real_time: False for a device that gives as fast as it is read, such as a file of ALSA's.

    Raises:
        SourceError: The device is named by what moves.
    """

    restartable = False

    def __init__(
        self,
        source_id: str,
        settings: DeviceSettings,
        *,
        stall_s: float = STALL_S,
        open_s: float = OPEN_S,
        command: Sequence[str] = CHILD_COMMAND,
        cards: SoundCards | None = None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        real_time: bool = True,
    ) -> None:
        refuse_moving_name(settings.device)
        self.source_id = source_id
        self.settings = settings
        self._stall_s = stall_s
        self._open_s = open_s
        self._command = command
        self._cards = cards or SoundCards()
        self._monotonic_ns = monotonic_ns
        self._real_time = real_time
        self._lock = threading.Lock()
        self._closed = False
        self._used = False
        self._process: DeviceProcess | None = None

    @property
    def rate_hz(self) -> int:
        """Sample rate recorded at, in Hz."""
        return self.settings.rate_hz

    @property
    def channels(self) -> int:
        """Number of channels recorded."""
        return self.settings.channels

    @property
    def reader_pid(self) -> int | None:
        """Process id of the child; None while there is none."""
        with self._lock:
            return None if self._process is None else self._process.pid

    def blocks(self) -> Iterator[Block]:
        """Open the device and yield what it hears until `close`.

        Raises:
            SourceError: The source was used before or is closed; or, while iterating, the device is absent,
                was unplugged, froze, or its reader died.
        """
        with self._lock:
            if self._closed or self._used:
                msg = f"{self.source_id}: a microphone runs once; make a new source to start again"
                raise SourceError(msg)
            self._used = True
        return self._blocks()

    def close(self) -> None:
        """Stop recording. What was captured is still handed over by the iterator of `blocks`."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                self._process.kill()
                self._process.wake()

    def _blocks(self) -> Iterator[Block]:
        check_present(self.settings.device, self._cards)
        with self._lock:
            if self._closed:
                return
            process = self._process = DeviceProcess(self.settings, self._command)
        try:
            yield from self._watch(process)
        finally:
            with self._lock:
                self._closed = True
                self._process = None
            process.close()

    def _watch(self, process: DeviceProcess) -> Iterator[Block]:
        stamper = Stamper(self.settings, real_time=self._real_time)
        progress_ns = self._monotonic_ns()
        patience_s = self._open_s
        while True:
            raw = process.take()
            if raw is not None:
                yield stamper.stamp(raw)
                progress_ns, patience_s = self._monotonic_ns(), self._stall_s
                continue
            if self._closed:
                return
            process.check()
            left_s = patience_s - (self._monotonic_ns() - progress_ns) / _NS_PER_S
            if left_s <= 0:
                did = f"has given nothing for {patience_s:g} s" if process.opened else "does not open"
                raise SourceError(f"device {self.settings.device!r} {did}: it is frozen; replug it", Lost.FROZEN)
            process.wait(left_s)
