"""The routes of the gateway's page."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final, Protocol, TypeVar

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from edge_agent.web.board import Board
from edge_agent.web.errors import WebError
from edge_agent.web.gate import COOKIE, LOGIN, Gate, Sessions
from edge_agent.web.requests import NO_STORE, body_of
from edge_agent.web.views import (
    GatewayView,
    MachineFacts,
    card_json,
    facts_json,
    gateway_json,
    log_json,
    window_json,
)

T = TypeVar("T")

_STATIC: Final = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "chart.js": "text/javascript",
    "machine.js": "text/javascript",
    "spectrogram.js": "text/javascript",
    "dom.js": "text/javascript",
    "login.js": "text/javascript",
    "alarms.js": "text/javascript",
    "clips.js": "text/javascript",
    "commission.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_TICK_S: Final = 1.0
_MAX_WATCHERS: Final = 12


class Gateway(Protocol):
    """What the page asks of the agent; from the thread of the server."""

    def view(self) -> GatewayView:
        """The gateway now."""
        ...

    def machines(self) -> tuple[MachineFacts, ...]:
        """What is configured and learnt, in order of name."""
        ...


class Extension(Protocol):
    """More routes of the page: alarms, clips, commissioning."""

    def routes(self) -> list[BaseRoute]:
        """Its routes."""
        ...

    def changes(self, seen: dict[str, int]) -> dict[str, Any]:
        """What a watcher that saw these versions has not seen yet; notes in `seen` that it has now."""
        ...


@dataclass(frozen=True, slots=True)
class PageParts:
    """What a page is made of."""

    board: Board
    gateway: Gateway
    extensions: tuple[Extension, ...] = ()


@dataclass(slots=True)
class _Watchers:
    count: int = 0


def page_routes(
    board: Board, gateway: Gateway, *, extensions: tuple[Extension, ...] = (), sessions: Sessions | None = None
) -> list[BaseRoute]:
    """All routes of the page.

    Args:
        board: What was heard.
        gateway: What is asked at each request.
        extensions: More routes.
        sessions: Who may; None on the loopback, where no token is asked for.
    """
    watchers = _Watchers()

    def overview(_request: Request) -> Response:
        newest = board.newest()
        facts = {each.machine: facts_json(each) for each in gateway.machines()}
        return _json(
            {
                "gateway": gateway_json(gateway.view()),
                "machines": [
                    {
                        "machine": name,
                        "facts": facts.get(name),
                        "last": None if newest.get(name) is None else card_json(newest[name]),  # type: ignore[arg-type]  # checked in the same line
                    }
                    for name in sorted({*newest, *facts})
                ],
                "log": log_json(board.log()),
            }
        )

    def gateway_now(_request: Request) -> Response:
        return _json({"gateway": gateway_json(gateway.view()), "log": log_json(board.log())})

    def machine(request: Request) -> Response:
        name = request.path_params["machine"]
        facts = {each.machine: each for each in gateway.machines()}.get(name)
        windows = _known(lambda: board.windows(name), name)
        return _json(
            {
                "machine": name,
                "facts": None if facts is None else facts_json(facts),
                "windows": [window_json(window) for window in windows],
            }
        )

    def history(request: Request) -> Response:
        name = request.path_params["machine"]
        try:
            since_s = float(request.query_params.get("since_s", "0"))
        except ValueError:
            raise WebError(400, "since_s must be a number of seconds") from None
        return _json(_known(lambda: board.history(name, since_s), name))

    async def live(request: Request) -> Response:
        if watchers.count >= _MAX_WATCHERS:
            raise WebError(503, f"{_MAX_WATCHERS} pages are open already; close one")
        return StreamingResponse(
            _live(request, board, extensions, watchers), media_type="text/event-stream", headers=NO_STORE
        )

    def static(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _STATIC:
            raise WebError(404, f"no file {name!r}")
        return Response(_file(name), media_type=_STATIC[name], headers={"Cache-Control": "no-cache"})

    def page(_request: Request) -> Response:
        return Response(_file("index.html"), media_type="text/html", headers=NO_STORE)

    routes: list[BaseRoute] = [
        Route("/", page),
        Route("/static/{name}", static),
        Route("/api/overview", overview),
        Route("/api/gateway", gateway_now),
        Route("/api/live", live),
        Route("/api/machines/{machine}", machine),
        Route("/api/machines/{machine}/history", history),
    ]
    if sessions is not None:
        routes += _login_routes(sessions)
    for extension in extensions:
        routes += extension.routes()
    return routes


def create_app(routes: list[BaseRoute], *, token: str | None = None, page: PageParts | None = None) -> Starlette:
    """The whole ASGI application of the gateway's port.

    Args:
        routes: Metrics and health.
        token: What callers must give; None on the loopback.
        page: What the page shows; None for a port without one.
    """
    sessions = None if token is None else Sessions(token, time.monotonic)
    if page is not None:
        routes = routes + page_routes(page.board, page.gateway, extensions=page.extensions, sessions=sessions)
    return Starlette(
        routes=routes, middleware=[Middleware(Gate, sessions=sessions)], exception_handlers={WebError: refused}
    )


def refused(_request: Request, error: Exception) -> Response:
    """The answer to a request that a `WebError` ended."""
    status = error.status if isinstance(error, WebError) else 500
    return _json({"error": str(error)}, status)


async def _live(
    request: Request, board: Board, extensions: tuple[Extension, ...], watchers: _Watchers
) -> AsyncIterator[bytes]:
    """Server-sent events: at most one a second, with what changed since the last; a comment when nothing did."""
    watchers.count += 1
    try:
        version, log_version = board.version, board.log_version
        seen: dict[str, int] = {}
        for extension in extensions:
            extension.changes(seen)
        yield b"retry: 2000\n\n"
        idle = 0
        leaving: asyncio.Event = request.app.state.leaving
        while not leaving.is_set() and not await request.is_disconnected():
            await _tick(leaving)
            changes: dict[str, Any] = {}
            if board.version != version:
                newest, version = board.newest(version), board.version
                changes["machines"] = [card_json(window) for window in newest.values() if window is not None]
            if board.log_version != log_version:
                log_version = board.log_version
                changes["log"] = log_json(board.log()[:20])
            for extension in extensions:
                changes.update(extension.changes(seen))
            idle = 0 if changes else idle + 1
            if changes:
                yield f"data: {json.dumps(changes, separators=(',', ':'), allow_nan=False)}\n\n".encode()
            elif idle % 15 == 0:
                yield b": alive\n\n"
    finally:
        watchers.count -= 1


async def _tick(leaving: asyncio.Event) -> None:
    """A second, or less where the server ends."""
    try:
        await asyncio.wait_for(leaving.wait(), _TICK_S)
    except TimeoutError:
        return


def _login_routes(sessions: Sessions) -> list[BaseRoute]:
    def form(_request: Request) -> Response:
        return Response(_file("login.html"), media_type="text/html", headers=NO_STORE)

    async def log_in(request: Request) -> Response:
        given = (await body_of(request)).get("token")
        name = sessions.open(given) if isinstance(given, str) else None
        if name is None:
            raise WebError(401, "that is not the token, or there were too many attempts in the last minute")
        answer = _json({})
        answer.set_cookie(
            COOKIE, name, httponly=True, samesite="strict", secure=request.url.scheme == "https", path="/"
        )
        return answer

    return [Route(LOGIN, form), Route(LOGIN, log_in, methods=["POST"])]


def _known(read: Callable[[], T], machine: str) -> T:
    try:
        return read()
    except KeyError:
        raise WebError(404, f"no machine {machine!r} on this gateway") from None


def _file(name: str) -> bytes:
    return (resources.files("edge_agent.web") / "static" / name).read_bytes()


def _json(value: object, status: int = 200) -> JSONResponse:
    return JSONResponse(value, status, headers=NO_STORE)
