"""Requests that come many times a second: answered before the router, and described by it as all others are."""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.types import ASGIApp, ExceptionHandler, Message, Receive, Scope, Send

Direct = Callable[[Request], Awaitable[Response | None]]
"""Answers a request, or returns None where it is not as it should be: FastAPI then says what is wrong with it."""

_ATTRIBUTE = "answers_directly"


def directly(answer: Direct) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Have an endpoint's requests answered by this first; to be put below `@router...`."""

    def mark(endpoint: Callable[..., Any]) -> Callable[..., Any]:
        setattr(endpoint, _ATTRIBUTE, answer)
        return endpoint

    return mark


class DirectAnswers:
    """Asks the direct answer first, where a request's endpoint has one.

    Layers, routing and dependencies of FastAPI cost a request more than a clip's record costs the hub.

    Args:
        app: Answers all else.
        routers: Whose endpoints may be marked with `directly`.
        prefix: Under which the routers are included.
        handlers: The app's, for what answers raise.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        routers: Iterable[APIRouter],
        prefix: str,
        handlers: Mapping[Any, ExceptionHandler],
    ) -> None:
        self._app = app
        self._prefix = prefix
        self._routes = tuple(
            (frozenset(route.methods or ()), route, answer)
            for router in routers
            for route in router.routes
            if isinstance(route, APIRoute) and (answer := getattr(route.endpoint, _ATTRIBUTE, None)) is not None
        )
        self._methods = frozenset(method for methods, _, _ in self._routes for method in methods)
        # a defect is the outermost layer's
        self._handlers = {kind: handler for kind, handler in handlers.items() if kind not in (500, Exception)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["method"] in self._methods and scope["path"].startswith(self._prefix):
            path = scope["path"][len(self._prefix) :]
            for methods, route, answer in self._routes:
                if scope["method"] in methods and (found := route.path_regex.match(path)) is not None:
                    scope["route"], scope["path_params"] = route, found.groupdict()
                    await self._answer(answer, Request(scope, receive), send)
                    return
        await self._app(scope, receive, send)

    async def _answer(self, answer: Direct, request: Request, send: Send) -> None:
        scope, receive = request.scope, request.receive
        try:
            response = await answer(request)
        except Exception as error:
            await ExceptionMiddleware(_raising(error), self._handlers)(scope, receive, send)
            return
        if response is not None:
            await response(scope, receive, send)
            return
        del scope["route"], scope["path_params"]
        await self._app(scope, _again(request), send)


def _raising(error: Exception) -> ASGIApp:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise error

    return app


def _again(request: Request) -> Receive:
    """The request's body once more, where an answer has read it."""
    body: bytes | None = getattr(request, "_body", None)

    async def receive() -> Message:
        nonlocal body
        if body is None:
            return await request.receive()
        message = {"type": "http.request", "body": body, "more_body": False}
        body = None
        return message

    return receive


def path_value(request: Request, name: str, pattern: re.Pattern[str]) -> str | None:
    """A value of the path; None where it is not of the pattern."""
    value = str(request.path_params.get(name, ""))
    return value if pattern.fullmatch(value) else None
