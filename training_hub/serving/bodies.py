"""Bounds on what a request may carry, before anything reads it."""

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge_agent.sync.wire import MAX_BATCH_BYTES


class _TooLargeError(Exception):
    pass


class BodyLimit:
    """Refuses a body that is too large: by what it says of itself, and by counting.

    Args:
        app: The app.
        max_bytes: Of any body; JSON, which is read whole, has `MAX_BATCH_BYTES`.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        # what is no file is read whole into memory, whatever it says that it is
        is_file = (
            headers.get("content-type", "")
            .partition(";")[0]
            .strip()
            .lower()
            .startswith(("audio/", "multipart/", "application/vnd.", "application/octet-stream", "application/x-tar"))
        )
        limit = self._max_bytes if is_file else min(self._max_bytes, MAX_BATCH_BYTES)
        said = headers.get("content-length", "")
        if said.isdecimal() and int(said) > limit:
            await _refusal(limit)(scope, receive, send)
            return
        seen = 0
        started = False

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise _TooLargeError
            return message

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, counted, watched)
        except _TooLargeError:
            if started:
                raise
            await _refusal(limit)(scope, receive, send)


def _refusal(limit: int) -> JSONResponse:
    return JSONResponse({"detail": f"the body has at most {limit} bytes"}, 413, headers={"Connection": "close"})
