"""Connections that end: who opens one has to ask in time, and to take the answer."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

MAX_CONNECTIONS: Final = 256
REQUEST_WITHIN_S: Final = 10.0
ANSWER_TAKEN_WITHIN_S: Final = 60.0


class PromptProtocol(H11Protocol):
    """HTTP/1.1 that one client cannot keep from the others.

    uvicorn lets a connection that asks nothing, or never ends its question, stay for ever, and refuses everybody once
    there are too many: some forty sockets held open would blind whoever watches the agent. Here a request arrives as a
    whole within `REQUEST_WITHIN_S`, an answer that waits to be taken for `ANSWER_TAKEN_WITHIN_S` is given up, and where
    `MAX_CONNECTIONS` are open the one that has been silent for longest makes room for who comes.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._since_s = self.loop.time()
        self._asking: asyncio.TimerHandle | None = None
        self._taking: asyncio.TimerHandle | None = None

    @property
    def waits(self) -> bool:
        """Whether nothing is asked yet, or not all of it."""
        return self.cycle is None or self.cycle.response_complete or self.cycle.more_body

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Somebody came."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            self._make_room()
        self._asking = self.loop.call_later(REQUEST_WITHIN_S, self._too_slow)

    def data_received(self, data: bytes) -> None:
        """A piece of a request, or all of it."""
        super().data_received(data)
        if not self.waits:
            self._asking = self._stop(self._asking)
            self._since_s = self.loop.time()
        elif self._asking is None:
            self._asking = self.loop.call_later(REQUEST_WITHIN_S, self._too_slow)

    def pause_writing(self) -> None:
        """The answer waits to be taken."""
        super().pause_writing()
        self._taking = self._taking or self.loop.call_later(ANSWER_TAKEN_WITHIN_S, self.transport.abort)

    def resume_writing(self) -> None:
        """It is taken."""
        super().resume_writing()
        self._taking = self._stop(self._taking)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        super().connection_lost(exc)
        self._asking, self._taking = self._stop(self._asking), self._stop(self._taking)

    def _too_slow(self) -> None:
        self._asking = None
        if self.waits:
            self.transport.abort()

    def _make_room(self) -> None:
        idle = [each for each in self.connections if isinstance(each, PromptProtocol) and each.waits]
        longest = min(idle, key=lambda each: each._since_s)
        if longest is not self:
            longest.transport.abort()
            self.connections.discard(longest)

    @staticmethod
    def _stop(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
        if timer is not None:
            timer.cancel()
        return None
