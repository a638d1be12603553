"""Files from memory over HTTP: whole, one range of them, or not again (RFC 9110, sections 13 and 14)."""

import re

from fastapi import HTTPException, Request, Response

_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")


def file_response(request: Request, content: bytes, *, media_type: str, etag: str, name: str | None = None) -> Response:
    """Answer with content that never changes under its tag.

    Args:
        request: Its `Range`, `If-Range` and `If-None-Match` are followed; several ranges get the whole.
        content: The file.
        media_type: What it is.
        etag: Names the content.
        name: What a browser saves it as; None: it is shown.

    Raises:
        HTTPException: 416, the range lies outside.
    """
    tag = f'"{etag}"'
    headers = {"ETag": tag, "Accept-Ranges": "bytes", "Cache-Control": "private, max-age=86400"}
    if name is not None:
        headers["Content-Disposition"] = f'attachment; filename="{name}"'
    if tag in (part.strip() for part in request.headers.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers=headers)
    wanted = _RANGE.fullmatch(request.headers.get("range", "").strip())
    unchanged = request.headers.get("if-range", tag) == tag
    if wanted is None or not any(wanted.groups()) or not unchanged:
        return Response(content, media_type=media_type, headers=headers)
    start, stop = _span(wanted[1], wanted[2], len(content))
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(content)}"
    return Response(content[start:stop], 206, media_type=media_type, headers=headers)


def _span(first: str, last: str, size: int) -> tuple[int, int]:
    if first:
        start, stop = int(first), min(size, int(last) + 1 if last else size)
    else:
        start, stop = max(0, size - int(last)), size
    if start >= size or start >= stop:
        raise HTTPException(
            416, f"the range lies outside the file's {size} bytes", headers={"Content-Range": f"bytes */{size}"}
        )
    return start, stop
