"""A line on which things take their time, and are lost with it: what is on its way when one end dies never arrives."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time

from tests.support.tcp_relay import TcpRelay


class LongLine(TcpRelay):
    """A TCP relay that carries both directions with a delay.

    Args:
        port: Of the far end, on the loopback.
        delay_s: For each direction.
    """

    def __init__(self, port: int, *, delay_s: float) -> None:
        self._delay_s = delay_s
        super().__init__(port)

    def serve(self, client: socket.socket) -> None:
        """Carry one connection until one of its ends is gone."""
        try:
            far = self.connect()
        except OSError:
            client.close()
            return
        for source, target in ((client, far), (far, client)):
            threading.Thread(target=self._carry, args=(source, target), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        on_its_way: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
        threading.Thread(target=self._arrive, args=(on_its_way, target), daemon=True).start()
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                on_its_way.put((time.monotonic() + self._delay_s, data))
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        on_its_way.put((0.0, b""))

    def _arrive(self, on_its_way: queue.SimpleQueue[tuple[float, bytes]], target: socket.socket) -> None:
        while True:
            due_s, data = on_its_way.get()
            if not data:
                return
            time.sleep(max(0.0, due_s - time.monotonic()))
            with contextlib.suppress(OSError):  # the other end is gone, and what was on its way with it
                target.sendall(data)
