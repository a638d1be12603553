"""A TCP relay in front of a broker: cuts lines, and can play a broker that knows only MQTT 3.1.1."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Literal

from tests.support.tcp_relay import TcpRelay

Mode = Literal["open", "refuse-mqtt5", "hang-up-on-mqtt5", "swallow-acks"]
_PROTOCOL_LEVEL_OFFSET = 6  # after "MQTT" with its length, behind a two-byte fixed header or longer
_PUBACK = 0x40


class Gate(TcpRelay):
    """The relay; `mode` says how it behaves from now on."""

    def __init__(self, broker_port: int, mode: Mode = "open") -> None:
        self.mode: Mode = mode
        self._open: list[socket.socket] = []
        super().__init__(broker_port)

    def cut(self) -> None:
        """End every connection without a word."""
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._open.clear()

    def close(self) -> None:
        """Take no more connections, and end those that are open."""
        super().close()
        self.cut()

    def serve(self, client: socket.socket) -> None:
        """Carry one connection, unless the mode refuses it."""
        with contextlib.suppress(OSError):
            first = client.recv(4096)
            level = first[first.index(b"MQTT") + 4]
            if level == 5 and self.mode in ("refuse-mqtt5", "hang-up-on-mqtt5"):
                if self.mode == "refuse-mqtt5":
                    client.sendall(b"\x20\x02\x00\x01")  # CONNACK 3.1.1: unacceptable protocol version
                client.close()
                return
            broker = self.connect()
            self._open += [client, broker]
            broker.sendall(first)
            threading.Thread(target=self._relay, args=(broker, client), daemon=True).start()
            self._relay(client, broker)

    def _relay(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self.mode == "swallow-acks" and data[0] & 0xF0 == _PUBACK:
                    continue
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
