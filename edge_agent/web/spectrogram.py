"""The spectrogram of one machine: its last minute, and then the frames as they are computed."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from edge_agent.web.board import Board
from edge_agent.web.errors import WebError
from edge_agent.web.live_frames import LiveFrames, Place, Viewer, as_levels
from edge_agent.web.requests import NO_STORE

_TICK_S: Final = 0.5
_MAX_VIEWERS: Final = 8
_ALIVE_EVERY: Final = 30


class SpectrogramPages:
    """Routes of spectrograms: levels of a byte each, 128 a frame, as `live_frames.as_levels` makes them.

    Args:
        board: The last minute.
        frames: What is computed now.
        place_of: Where a machine is heard by the configuration; None where only its sound tells.
    """

    def __init__(self, board: Board, frames: LiveFrames, place_of: Callable[[str], Place | None]) -> None:
        self._board = board
        self._frames = frames
        self._place_of = place_of

    def routes(self) -> list[BaseRoute]:
        """The routes."""

        def last_minute(request: Request) -> Response:
            machine = request.path_params["machine"]
            try:
                frames = self._board.frames(machine)
            except KeyError:
                raise WebError(404, f"no machine {machine!r} on this gateway") from None
            levels = b"" if frames is None else as_levels(frames).tobytes()
            return Response(levels, media_type="application/octet-stream", headers=NO_STORE)

        async def live(request: Request) -> Response:
            machine = request.path_params["machine"]
            place = self._place_of(machine) or self._board.place(machine)
            if place is None:
                raise WebError(404, f"{machine!r} is heard nowhere on this gateway")
            if self._frames.viewers >= _MAX_VIEWERS:
                raise WebError(503, f"{_MAX_VIEWERS} live spectrograms are open already; close one")
            return StreamingResponse(self._live(request, place), media_type="text/event-stream", headers=NO_STORE)

        return [
            Route("/api/machines/{machine}/frames", last_minute),
            Route("/api/machines/{machine}/frames/live", live),
        ]

    def changes(self, _seen: dict[str, int]) -> dict[str, Any]:
        """Frames have a stream of their own."""
        return {}

    async def _live(self, request: Request, place: Place) -> AsyncIterator[bytes]:
        """Server-sent events of what came within half a second, together; a comment now and then."""
        leaving: asyncio.Event = request.app.state.leaving
        with self._frames.watched(place) as viewer:
            yield b"retry: 5000\n\n"
            idle = 0
            while not leaving.is_set() and not await request.is_disconnected():
                event = _event(viewer)
                idle = 0 if event else idle + 1
                if event:
                    yield event
                elif idle % _ALIVE_EVERY == 0:
                    yield b": alive\n\n"
                try:
                    await asyncio.wait_for(leaving.wait(), _TICK_S)
                except TimeoutError:
                    continue


def _event(viewer: Viewer) -> bytes:
    groups = [
        {"first": frames.first, "levels": base64.b64encode(frames.levels.tobytes()).decode()}
        for frames in viewer.take()
    ]
    return f"data: {json.dumps(groups, separators=(',', ':'))}\n\n".encode() if groups else b""
