"""A server that is no good broker: it answers CONNECT with the bytes, and the manners, that a test gives it."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable

Manners = Callable[["Caller"], None]

CONNACK = b"\x20\x03\x00\x00\x00"
"""MQTT 5: welcome, no properties."""
CONNACK_311 = b"\x20\x02\x00\x00"


def variable(number: int) -> bytes:
    """A variable byte integer of MQTT."""
    found = bytearray()
    while True:
        number, digit = divmod(number, 128)
        found.append(digit | (0x80 if number else 0))
        if not number:
            return bytes(found)


def packet(first: int, body: bytes) -> bytes:
    """A control packet: its first byte, its length, its body."""
    return bytes([first]) + variable(len(body)) + body


def text(value: str) -> bytes:
    """A string of MQTT."""
    return len(value.encode()).to_bytes(2, "big") + value.encode()


def disconnect(code: int, properties: bytes = b"") -> bytes:
    """DISCONNECT of MQTT 5 with a reason."""
    return packet(0xE0, bytes([code]) + variable(len(properties)) + properties)


class Caller:
    """One connection: what the client says is read packet by packet; acknowledged unless told otherwise."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self.said: list[bytes] = []
        """First byte and body of each packet of the client, `CONNECT` first."""

    @property
    def mqtt5(self) -> bool:
        """Whether the client spoke MQTT 5."""
        return self.said[0][7] == 5

    def send(self, data: bytes) -> None:
        """Say something, well formed or not."""
        self._socket.sendall(data)

    def read(self) -> bytes:
        """The next packet of the client, empty at the end."""
        first = self._exactly(1)
        length, shift = 0, 0
        while True:
            (digit,) = self._exactly(1)
            length |= (digit & 127) << shift
            shift += 7
            if digit < 128:
                break
        self.said.append(first + self._exactly(length))
        return self.said[-1]

    def more(self, within_s: float) -> bool:
        """Whether the client says something more within some time."""
        return bool(select.select([self._socket], [], [], within_s)[0])

    def serve(self, until_s: float = 60.0) -> None:
        """Be a broker that acknowledges everything, until the client goes or the time is over."""
        deadline_s = time.monotonic() + until_s
        while time.monotonic() < deadline_s:
            self.answer(self.read())

    def answer(self, said: bytes) -> None:
        """Acknowledge one packet as a broker must."""
        kind, end = said[0] & 0xF0, b"\x00" if self.mqtt5 else b""
        if kind == 0x30 and said[0] & 0x06:
            topic_end = 3 + int.from_bytes(said[1:3], "big")
            self.send(packet(0x40, said[topic_end : topic_end + 2]))
        elif kind == 0x80:
            self.send(packet(0x90, said[1:3] + end + b"\x01"))
        elif kind == 0xC0:
            self.send(b"\xd0\x00")

    def _exactly(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            part = self._socket.recv(count - len(found))
            if not part:
                raise ConnectionError("the client is gone")
            found += part
        return found


class RudeBroker:
    """Listens on the loopback; each connection gets what `manners` makes of it, and is closed afterwards."""

    def __init__(self, manners: Manners) -> None:
        self.manners = manners
        self.callers: list[Caller] = []
        self.came_s: list[float] = []
        """When each connection was begun, monotonic seconds."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        """Listen no more, and end what is open."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._open:
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.came_s.append(time.monotonic())
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        caller = Caller(connection)
        with connection, contextlib.suppress(OSError):
            caller.read()
            self.callers.append(caller)
            self.manners(caller)
