"""Puts the pages on the hub's app."""

from __future__ import annotations

import time
from collections.abc import Awaitable
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response

from edge_agent.sync.wire import API_PREFIX
from training_hub.catalogue.errors import NotThereError
from training_hub.errors import HubError
from training_hub.parts import HubParts
from training_hub.rollout.errors import MissingError
from training_hub.sounds.errors import Refusal, SoundError
from training_hub.storage.errors import StorageError
from training_hub.web.errors import WebError
from training_hub.web.pages import discover
from training_hub.web.pictures import Pictures
from training_hub.web.policy import PagePolicy
from training_hub.web.render import is_part, make_environment, page
from training_hub.web.revised import RevisedCache
from training_hub.web.static_files import STATIC_DIR, ImmutableFiles, digest_of

_MOST_KEPT_BYTES = 16 << 20
_FRESH_S, _MOST_AGE_S = 60.0, 600.0
_TITLES = {
    400: "That cannot be done",
    403: "Not yours to see",
    404: "There is no such page",
    409: "That cannot be done now",
    413: "Too large",
    422: "Something is missing",
    429: "Too often",
}


def mount_site(app: FastAPI, parts: HubParts) -> None:
    """Add pages, their files, their policy, and how they say that something is wrong."""
    static = f"/static/{digest_of(STATIC_DIR)}"
    app.state.templates = make_environment(static)
    app.state.pictures = Pictures(parts.objects)
    app.state.answers = RevisedCache(
        most_bytes=_MOST_KEPT_BYTES, fresh_s=_FRESH_S, most_age_s=_MOST_AGE_S, now_s=time.monotonic
    )
    app.mount(static, ImmutableFiles(directory=STATIC_DIR))
    for router in discover():
        app.include_router(router)
    app.add_middleware(PagePolicy)
    for kind in (WebError, StorageError, SoundError, HubError):
        _wrap(app, kind)
    _wrap(app, StarletteHTTPException)
    _wrap(app, RequestValidationError)
    _wrap(app, Exception)  # a defect: the server logs it all the same


def pictures_of(request: Request) -> Pictures:
    """The app's pictures."""
    found = request.app.state.pictures
    assert isinstance(found, Pictures)
    return found


def _wrap(app: FastAPI, kind: type[Exception]) -> None:
    """Say errors on a page where a page was asked for; leave the API's answers as they are."""
    former = app.exception_handlers.get(kind)

    async def handle(request: Request, error: Exception) -> Response:
        if request.url.path.startswith(API_PREFIX):
            if former is None:
                raise error
            answer = former(request, error)
            found = await answer if isinstance(answer, Awaitable) else answer
            assert isinstance(found, Response)
            return found
        return told(request, *_status_of(error))

    app.add_exception_handler(kind, handle)


def _status_of(error: Exception) -> tuple[int, str]:
    if isinstance(error, RequestValidationError):
        return 422, "; ".join(f"{flaw['loc'][-1]}: {flaw['msg']}" for flaw in error.errors())
    if isinstance(error, StarletteHTTPException):
        return error.status_code, str(error.detail)
    if isinstance(error, WebError):
        return (404 if error.missing else 400), str(error)
    if isinstance(error, NotThereError | MissingError) or (
        isinstance(error, SoundError) and error.refusal is Refusal.UNKNOWN
    ):
        return 404, str(error)
    if isinstance(error, StorageError | SoundError | HubError):
        return (503 if isinstance(error, StorageError) else 409), str(error)
    return 500, "The hub has a defect here. Its log says more; the rest of it works on."


def told(request: Request, status: int, reason: str) -> Response:
    """A page, or a line for a script, that says what is wrong; who is not signed in is asked to."""
    if status == 401 and not is_part(request) and request.method == "GET":
        to = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?to={quote(to, safe='')}", status_code=303)
    if "text/html" not in request.headers.get("accept", "") or is_part(request):
        return JSONResponse({"detail": reason}, status_code=status)
    return page(request, "wrong.html", None, status, title=_TITLES.get(status, "Something went wrong"), reason=reason)
