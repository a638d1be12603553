"""What stands between two ends of TCP: takes connections on the loopback and hands each to a thread of its own."""

from __future__ import annotations

import contextlib
import socket
import threading
from abc import ABC, abstractmethod


class TcpRelay(ABC):
    """A listener whose connections are served by what a subclass makes of them.

    Args:
        port: Of the far end, on the loopback.
        receive_buffer: Bytes that a connection's buffer holds; None for the system's choice.
    """

    def __init__(self, port: int, receive_buffer: int | None = None) -> None:
        self.connections = 0
        """Connections that were begun."""
        self._far_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        if receive_buffer is not None:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        """Where it begins."""
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        """Take no more connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # close alone leaves the waiting accept to take one more
        self._listener.close()

    @abstractmethod
    def serve(self, client: socket.socket) -> None:
        """Carry one connection to its end, in a thread of its own."""

    def connect(self) -> socket.socket:
        """A connection to the far end."""
        return socket.create_connection(("127.0.0.1", self._far_port))

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()


def carry_back(source: socket.socket, target: socket.socket) -> None:
    """Carry all of one direction, in a thread of its own, and end it where the source does."""

    def carry() -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    threading.Thread(target=carry, daemon=True).start()
