"""A thin link to a hub that breaks where it is told to, and afterwards holds."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Sequence

_PIECE = 2048
_BUFFER = 16 << 10


class SlowLine:
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
        self._hub_port = port
        self._bytes_per_s = bytes_per_s
        self._cuts = list(cuts)
        self._when_cut = when_cut
        self._listener = socket.create_server(("127.0.0.1", 0))
        # what the link has not carried yet must not lie in a buffer
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Of the hub, by this line."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        """Where it begins."""
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        """Take no more connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        most = self._cuts.pop(0) if self._cuts else None
        self.carried = 0
        with contextlib.suppress(OSError), client, socket.create_connection(("127.0.0.1", self._hub_port)) as hub:
            threading.Thread(target=_relay, args=(hub, client), daemon=True).start()
            while data := client.recv(_PIECE):
                time.sleep(len(data) / self._bytes_per_s)
                hub.sendall(data)
                self.carried += len(data)
                if most is not None and self.carried >= most:
                    self.cut += 1
                    self._when_cut()
                    client.shutdown(socket.SHUT_RDWR)
                    return


def _relay(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
