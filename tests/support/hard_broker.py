"""A broker of MQTT 5 that acknowledges as a test says: late, twice, out of order, with a refusal, or by hanging up."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Self

ACCEPTED, QUOTA_EXCEEDED, UNSPECIFIED = 0x00, 0x97, 0x80
HANG_UP = -1
"""In place of a reason code: end the connection."""

_RECEIVE_MAXIMUM, _MAXIMUM_PACKET_SIZE = 0x21, 0x27
_CONNECT, _CONNACK, _PUBLISH, _PUBACK, _SUBSCRIBE, _SUBACK, _PINGREQ, _PINGRESP, _DISCONNECT = (
    1, 2, 3, 4, 8, 9, 12, 13, 14,
)  # fmt: skip
_RECEIVE_MAXIMUM_EXCEEDED = 0x93


@dataclass(frozen=True)
class Published:
    """One PUBLISH that came.

    Attributes:
        connection: Which one, from 1.
        mid: Its packet identifier.
    """

    connection: int
    mid: int
    topic: str
    payload: bytes
    retain: bool


Answer = tuple[int, int]
"""Packet identifier and reason code of a PUBACK, or `HANG_UP`."""

Script = Callable[[Published], Iterable[Answer]]


def accept(published: Published) -> Iterable[Answer]:
    """Acknowledge at once."""
    return [(published.mid, ACCEPTED)]


@dataclass
class HardBroker:
    """Listens on a port of its own until the block ends.

    Args:
        script: What to answer to each event; letters to the status topic are always accepted.
        receive_maximum: Most that may be unanswered; one more ends the connection, as the standard has it.
        maximum_packet_bytes: A larger packet ends the connection.
    """

    script: Script = accept
    receive_maximum: int | None = None
    maximum_packet_bytes: int | None = None
    taken: list[Published] = field(default_factory=list)
    broken_rules: list[str] = field(default_factory=list)
    connections: int = 0
    _unanswered: set[int] = field(default_factory=set)

    def __enter__(self) -> Self:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def accepted_payloads(self) -> list[bytes]:
        """Payloads of the events that were acknowledged, in order."""
        return [each.payload for each in list(self.taken)]

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = self._listening.accept()
                self.connections += 1
                self._unanswered.clear()
                with line, contextlib.suppress(OSError, EOFError):
                    self._serve(line)

    def _serve(self, line: socket.socket) -> None:
        waiting: dict[int, Published] = {}
        while True:
            kind, flags, body = _packet(line)
            if self.maximum_packet_bytes is not None and len(body) + 2 > self.maximum_packet_bytes:
                self.broken_rules.append(f"a packet of {len(body) + 2} bytes")
                return
            if kind == _CONNECT:
                line.sendall(_framed(_CONNACK, 0, b"\0\0" + self._properties()))
            elif kind == _PINGREQ:
                line.sendall(_framed(_PINGRESP, 0, b""))
            elif kind == _SUBSCRIBE:
                line.sendall(_framed(_SUBACK, 0, body[:2] + b"\0\1"))
            elif kind == _DISCONNECT:
                return
            elif kind == _PUBLISH and not self._published(line, flags, body, waiting):
                return

    def _published(self, line: socket.socket, flags: int, body: bytes, waiting: dict[int, Published]) -> bool:
        published = _parsed(self.connections, flags, body)
        waiting[published.mid] = published
        if self.receive_maximum is not None and len(waiting) > self.receive_maximum:
            self.broken_rules.append(f"{len(waiting)} unanswered")
            line.sendall(_framed(_DISCONNECT, 0, bytes([_RECEIVE_MAXIMUM_EXCEEDED, 0])))
            return False
        letter = not published.topic.endswith(("/result", "/alarm", "/state", "/health"))
        for mid, reason in accept(published) if letter else self.script(published):
            if reason == HANG_UP:
                return False
            answered = waiting.pop(mid, None)
            if answered is not None and reason == ACCEPTED and not (letter and mid == published.mid):
                self.taken.append(answered)
            line.sendall(_framed(_PUBACK, 0, struct.pack(">HBB", mid, reason, 0)))
        return True

    def _properties(self) -> bytes:
        properties = b""
        if self.receive_maximum is not None:
            properties += struct.pack(">BH", _RECEIVE_MAXIMUM, self.receive_maximum)
        if self.maximum_packet_bytes is not None:
            properties += struct.pack(">BI", _MAXIMUM_PACKET_SIZE, self.maximum_packet_bytes)
        return bytes([len(properties)]) + properties


def _packet(line: socket.socket) -> tuple[int, int, bytes]:
    first = _exactly(line, 1)[0]
    length, shift = 0, 0
    while True:
        digit = _exactly(line, 1)[0]
        length |= (digit & 127) << shift
        shift += 7
        if not digit & 128:
            return first >> 4, first & 15, _exactly(line, length)


def _exactly(line: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = line.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def _framed(kind: int, flags: int, body: bytes) -> bytes:
    assert len(body) < 128
    return bytes([kind << 4 | flags, len(body)]) + body


def _parsed(connection: int, flags: int, body: bytes) -> Published:
    topic_bytes = int.from_bytes(body[:2], "big")
    topic, rest = body[2 : 2 + topic_bytes].decode(), body[2 + topic_bytes :]
    mid, properties_bytes = int.from_bytes(rest[:2], "big"), rest[2]
    assert properties_bytes < 128
    return Published(connection, mid, topic, rest[3 + properties_bytes :], bool(flags & 1))
