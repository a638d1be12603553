"""A thin link to a hub that breaks where it is told to, and afterwards holds."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Sequence

from tests.support.tcp_relay import TcpRelay, carry_back

_PIECE = 2048
_BUFFER = 16 << 10


class SlowLine(TcpRelay):
    """A TCP relay that carries so many bytes a second up, and ends its first connections after so many bytes.

    Args:
        port: The hub's, on the loopback.
        bytes_per_s: Towards the hub.
        cuts: After how many bytes the first connection ends, the second, ...; those after them hold.
        when_cut: Called at each cut, before the line's ends hear of it.
    """

    def __init__(
        self, port: int, *, bytes_per_s: int, cuts: Sequence[int] = (), when_cut: Callable[[], None] = lambda: None
    ) -> None:
        self.carried = 0
        """Bytes of the connection in use, or of the last one."""
        self.cut = 0
        self._bytes_per_s = bytes_per_s
        self._cuts = list(cuts)
        self._when_cut = when_cut
        # what the link has not carried yet must not lie in a buffer
        super().__init__(port, receive_buffer=_BUFFER)

    @property
    def url(self) -> str:
        """Of the hub, by this line."""
        return f"http://127.0.0.1:{self.port}"

    def serve(self, client: socket.socket) -> None:
        """Carry one connection, up to its cut."""
        most = self._cuts.pop(0) if self._cuts else None
        self.carried = 0
        with contextlib.suppress(OSError), client, self.connect() as hub:
            carry_back(hub, client)
            while data := client.recv(_PIECE):
                time.sleep(len(data) / self._bytes_per_s)
                hub.sendall(data)
                self.carried += len(data)
                if most is not None and self.carried >= most:
                    self.cut += 1
                    self._when_cut()
                    client.shutdown(socket.SHUT_RDWR)
                    return
