"""The agent's hold on the process that reads one device."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

from edge_agent.capture.device_child import MARK, ChildOrders
from edge_agent.capture.errors import SourceError
from edge_agent.capture.raw_stream import DeviceSettings
from edge_agent.capture.reasons import Lost
from edge_agent.capture.ring import RawBlock, RingError, RingLayout, RingReader, create_memory

RING_S: Final = 5.0
"""Sound that the ring holds for a parent that is late; what comes on top is lost and counted."""

_MAX_RING_BYTES: Final = 32 * 1024 * 1024
_MIN_SLOTS: Final = 8
_MAX_NOISE_BYTES: Final = 4_000
_REAP_TIMEOUT_S: Final = 2.0
CHILD_COMMAND: Final = (sys.executable, "-m", "edge_agent.capture.device_child")


class DeviceProcess:
    """One child, its ring and its words. Used by one thread, but for `kill` and `wake`.

    The child is killed by the kernel when the thread that made this object ends.

    Args:
        settings: What the child opens.
        command: What is started; the orders are added as the last argument.

    Raises:
        SourceError: There is no memory or no process to be had.
    """

    def __init__(self, settings: DeviceSettings, command: Sequence[str] = CHILD_COMMAND) -> None:
        self._name = settings.device
        self.opened = False
        self._fault: SourceError | None = None
        self._noise = b""
        layout = RingLayout(settings.channels, settings.block_samples, _slots(settings))
        try:
            memory = create_memory(layout)
            try:
                self._ring = RingReader(memory, layout)
                self._event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
                self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
                self._process = self._start(settings, command, memory, layout)
            finally:
                os.close(memory)
        except OSError as error:
            raise SourceError(f"device {self._name!r}: its reader cannot be started ({error})") from error
        assert self._process.stdout is not None
        self._words = self._process.stdout
        self._poll = select.poll()
        for descriptor in (self._event, self._wake, self._words.fileno()):
            self._poll.register(descriptor, select.POLLIN)

    def _start(
        self, settings: DeviceSettings, command: Sequence[str], memory: int, layout: RingLayout
    ) -> subprocess.Popen[bytes]:
        orders = ChildOrders(
            parent_pid=os.getpid(),
            device=settings.device,
            rate_hz=settings.rate_hz,
            channels=settings.channels,
            ring_descriptor=memory,
            event_descriptor=self._event,
            slots=layout.slots,
        )
        return subprocess.Popen(
            [*command, orders.to_json()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(memory, self._event),
        )

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._process.pid

    def wait(self, timeout_s: float) -> None:
        """Wait until the child has given or said something, has died, or `wake` is called; at most so long."""
        for descriptor, _ in self._poll.poll(max(0, round(timeout_s * 1000))):
            if descriptor == self._event:
                os.eventfd_read(self._event)
            elif descriptor == self._words.fileno():
                self._listen()

    def take(self) -> RawBlock | None:
        """The oldest block; None where there is none.

        Raises:
            SourceError: The child wrote nonsense.
        """
        try:
            return self._ring.read()
        except RingError as error:
            raise SourceError(f"device {self._name!r}: its reader is damaged ({error})") from error

    def check(self) -> None:
        """Raise what the child died of; to be called once `take` gives nothing.

        Raises:
            SourceError: The child told of a fault, or is dead.
        """
        if self._fault is not None:
            raise self._fault

    def wake(self) -> None:
        """End `wait`, from any thread."""
        os.eventfd_write(self._wake, 1)

    def kill(self) -> None:
        """End the child, frozen or not; from any thread."""
        self._process.kill()

    def close(self) -> None:
        """End the child and free everything."""
        self.kill()
        try:
            self._process.wait(_REAP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            # In the kernel, inside a driver that hangs: it goes when the driver lets go, and holds no one up.
            pass
        self._words.close()
        os.close(self._event)
        os.close(self._wake)
        self._ring.close()

    def _listen(self) -> None:
        heard = os.read(self._words.fileno(), 65_536)
        if not heard:
            self._poll.unregister(self._words.fileno())
            self._fault = self._fault or self._death()
            return
        *lines, self._noise = (self._noise + heard).split(b"\n")
        for line in lines:
            text = line.decode("utf-8", "replace")
            if text.startswith(MARK):
                self._understand(text.removeprefix(MARK))
            elif text:
                self._noise = (text.encode() + b" " + self._noise)[:_MAX_NOISE_BYTES]
        self._noise = self._noise[:_MAX_NOISE_BYTES]

    def _understand(self, text: str) -> None:
        try:
            words = json.loads(text)
            if words["event"] == "open":
                self.opened = True
            else:
                self._fault = SourceError(str(words["message"]), Lost(words.get("reason", Lost.UNPLUGGED)))
        except (ValueError, KeyError, TypeError):
            self._fault = SourceError(f"device {self._name!r}: its reader spoke nonsense: {text[:200]!r}")

    def _death(self) -> SourceError:
        try:
            status = self._process.wait(_REAP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return SourceError(f"device {self._name!r}: its reader has closed its output")
        how = f"signal {-status}" if status < 0 else f"status {status}"
        noise = self._noise.decode("utf-8", "replace").strip()[-300:]
        return SourceError(f"device {self._name!r}: its reader died ({how}){': ' + noise if noise else ''}")


def _slots(settings: DeviceSettings) -> int:
    block_s = settings.block_samples / settings.rate_hz
    layout = RingLayout(settings.channels, settings.block_samples, 1)
    return max(_MIN_SLOTS, min(round(RING_S / block_s), _MAX_RING_BYTES // layout.slot_bytes))
