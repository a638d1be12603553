"""The stream of changes that every open page follows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from edge_agent.web.board import Board
from edge_agent.web.errors import WebError
from edge_agent.web.extension import Extension, Gateway
from edge_agent.web.requests import NO_STORE
from edge_agent.web.views import card_json, facts_json, log_json, parts_json

_TICK_S: Final = 1.0
_MAX_WATCHERS: Final = 12
_WORD_EVERY_TICKS: Final = 5
"""So often at least a page is told the time: one that hears nothing for longer says that what it shows is old."""


class Live:
    """Server-sent events: what there is, and then at most one a second, with what changed since the last.

    A page asks for the whole picture when the first has come, so that nothing falls between the two. One that reads
    too slowly is told less often; nothing is kept for it.

    Args:
        board: What was heard.
        gateway: What is asked.
        extensions: What else changes.
    """

    def __init__(self, board: Board, gateway: Gateway, extensions: tuple[Extension, ...]) -> None:
        self._board = board
        self._gateway = gateway
        self._extensions = extensions
        self._watchers = 0

    def route(self) -> Route:
        """Its route."""

        async def live(request: Request) -> Response:
            if self._watchers >= _MAX_WATCHERS:
                raise WebError(503, f"{_MAX_WATCHERS} pages follow already; close one")
            return StreamingResponse(self._events(request), media_type="text/event-stream", headers=NO_STORE)

        return Route("/api/live", live)

    async def _events(self, request: Request) -> AsyncIterator[bytes]:
        self._watchers += 1
        try:
            changes = _Changes(self._board, self._gateway, self._extensions)
            leaving: asyncio.Event = request.app.state.leaving
            while not leaving.is_set() and not await request.is_disconnected():
                told = await run_in_threadpool(changes.take)
                if told:
                    yield f"data: {json.dumps(told, separators=(',', ':'), allow_nan=False)}\n\n".encode()
                await _tick(leaving)
        finally:
            self._watchers -= 1


class _Changes:
    """What one watcher has not seen yet. Parts of the agent are asked, and may make it wait: not for the event loop."""

    def __init__(self, board: Board, gateway: Gateway, extensions: tuple[Extension, ...]) -> None:
        self._board = board
        self._gateway = gateway
        self._extensions = extensions
        self._seen: dict[str, int] = {}
        self._version, self._log_version = board.version, board.log_version
        self._facts = gateway.machines()
        self._ticks = 0

    def take(self) -> dict[str, Any]:
        """The changes since the last time; now and then the time alone."""
        board, changes = self._board, dict[str, Any]()
        version, log_version = board.version, board.log_version  # before what they stand for, lest a window be missed
        if version != self._version:
            newest, self._version = board.newest(self._version), version
            changes["machines"] = [card_json(window) for window in newest.values() if window is not None]
        if log_version != self._log_version:
            self._log_version = log_version
            changes["log"] = log_json(board.log()[:20])
        now_s, health = self._gateway.now()
        parts = parts_json(health)
        if self._seen.get("parts") != (told := hash(json.dumps(parts))):
            self._seen["parts"] = told
            changes["parts"] = parts
        facts = self._gateway.machines()
        if facts != self._facts:
            self._facts = facts
            changes["facts"] = [facts_json(each) for each in facts]
        for extension in self._extensions:
            changes.update(extension.changes(self._seen))
        self._ticks += 1
        if changes or self._ticks % _WORD_EVERY_TICKS == 0:
            changes["now_s"] = now_s
        return changes


async def _tick(leaving: asyncio.Event) -> None:
    """A second, or less where the server ends."""
    try:
        await asyncio.wait_for(leaving.wait(), _TICK_S)
    except TimeoutError:
        return
