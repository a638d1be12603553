"""What a request carries, read as hostile input."""

import json
from typing import Final

from starlette.requests import Request

from edge_agent.web.errors import WebError
from edge_agent.web.views import Json

NO_STORE: Final = {"Cache-Control": "no-store"}
_MAX_BODY_BYTES: Final = 16_384


async def body_of(request: Request) -> Json:
    """The JSON object that a request carries.

    Raises:
        WebError: It is too large, no JSON, or no object.
    """
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > _MAX_BODY_BYTES:
            raise WebError(413, f"at most {_MAX_BODY_BYTES} bytes")
        parts.append(part)
    try:
        body = json.loads(b"".join(parts) or b"{}")
    except (ValueError, RecursionError):
        raise WebError(400, "the body is no JSON") from None
    if not isinstance(body, dict):
        raise WebError(400, "the body must be a JSON object")
    return body
