"""The routes of the gateway's page."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from typing import Final, TypeVar

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from edge_agent.web.board import Board
from edge_agent.web.errors import WebError
from edge_agent.web.extension import Extension, Gateway
from edge_agent.web.gate import COOKIE, LOGIN, Gate, Sessions, caller_of
from edge_agent.web.live import Live
from edge_agent.web.requests import NO_STORE, body_of
from edge_agent.web.views import (
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
    "link.js": "text/javascript",
    "machines.js": "text/javascript",
    "gateway.js": "text/javascript",
    "standing.js": "text/javascript",
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


@dataclass(frozen=True, slots=True)
class PageParts:
    """What a page is made of."""

    board: Board
    gateway: Gateway
    extensions: tuple[Extension, ...] = ()


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
    more = [route for extension in extensions for route in extension.routes()]
    offers = sorted({route.path for route in more if isinstance(route, Route)})

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
                "offers": offers,
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
        Live(board, gateway, extensions).route(),
        Route("/api/machines/{machine}", machine),
        Route("/api/machines/{machine}/history", history),
    ]
    if sessions is not None:
        routes += _login_routes(sessions)
    return routes + more


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


def _login_routes(sessions: Sessions) -> list[BaseRoute]:
    def form(_request: Request) -> Response:
        return Response(_file("login.html"), media_type="text/html", headers=NO_STORE)

    async def log_in(request: Request) -> Response:
        given = (await body_of(request)).get("token")
        name = sessions.open(given, caller_of(request)) if isinstance(given, str) else None
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
