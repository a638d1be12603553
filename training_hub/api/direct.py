"""Routes of many requests a second: answered without what FastAPI does per request, and described as all others are."""

import re
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

Direct = Callable[[Request], Awaitable[Response | None]]
"""Answers a request, or returns None where it is not as it should be: FastAPI then says what is wrong with it."""

_ATTRIBUTE = "answers_directly"


def directly(answer: Direct) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Have an endpoint's requests answered by this first; to be put below `@router...` of a `DirectRoute`."""

    def mark(endpoint: Callable[..., Any]) -> Callable[..., Any]:
        setattr(endpoint, _ATTRIBUTE, answer)
        return endpoint

    return mark


class DirectRoute(APIRoute):
    """Asks an endpoint's direct answer first, where it has one."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request."""
        usual = super().get_route_handler()
        direct: Direct | None = getattr(self.endpoint, _ATTRIBUTE, None)
        if direct is None:
            return usual

        async def answer(request: Request) -> Response:
            return await direct(request) or await usual(request)

        return answer


def path_value(request: Request, name: str, pattern: re.Pattern[str]) -> str | None:
    """A value of the path; None where it is not of the pattern."""
    value = str(request.path_params.get(name, ""))
    return value if pattern.fullmatch(value) else None
