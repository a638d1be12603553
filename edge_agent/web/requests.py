"""What a request carries, read as hostile input."""

import asyncio
import json
from typing import Final

from starlette.requests import Request

from edge_agent.web.errors import WebError
from edge_agent.web.views import Json

NO_STORE: Final = {"Cache-Control": "no-store"}
_MAX_BODY_BYTES: Final = 16_384
_BODY_WITHIN_S: Final = 10.0


async def body_of(request: Request) -> Json:
    """The JSON object that a request carries.

    Raises:
        WebError: It is too large, too slow, no JSON, or no object.
    """
    try:
        content = await asyncio.wait_for(_whole(request), _BODY_WITHIN_S)
    except TimeoutError:
        raise WebError(408, f"the body must come within {_BODY_WITHIN_S:g} s") from None
    try:
        text = content.decode() or "{}"
        body = json.loads(text)
        json.dumps(body, ensure_ascii=False, allow_nan=False).encode()  # nor half a letter, nor what is no number
    except (ValueError, RecursionError):
        raise WebError(400, "the body is no JSON") from None
    if not isinstance(body, dict):
        raise WebError(400, "the body must be a JSON object")
    return body


async def _whole(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > _MAX_BODY_BYTES:
            raise WebError(413, f"at most {_MAX_BODY_BYTES} bytes")
        parts.append(part)
    return b"".join(parts)
