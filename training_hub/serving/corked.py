"""An answer's head and body in one packet.

Each packet wakes its reader, who takes the processor from the thread that sent it: with the interpreter's lock in hand.
"""

import asyncio
from typing import Any

_MOST_BYTES = 64 << 10


class Corked:
    """A transport that sends what is written in one turn of the event loop at the turn's end. For the loop's thread.

    Args:
        transport: What carries it.
        loop: Whose turns.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever the transport has
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send soon; at once where much waits."""
        if not self._waiting:
            self._loop.call_soon(self._send)
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes >= _MOST_BYTES:
            self._send()

    def close(self) -> None:
        """Hang up, once all is sent."""
        self._send()
        self._transport.close()

    def _send(self) -> None:
        if not self._waiting:
            return
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        if not self._transport.is_closing():
            self._transport.write(b"".join(waiting))
