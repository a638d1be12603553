"""A file in a request's body: as it is, or as the part `file` of a form."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import HTTPException, Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from training_hub.parts import HubParts
from training_hub.sounds.upload import Upload, spooled

_CHUNK_BYTES = 1 << 18
_FILE = {"type": "string", "format": "binary", "description": "WAV, FLAC, MP3 or OGG."}

SOUND_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The recording: as it is, or as the part `file` of a form.",
        "content": {
            "application/octet-stream": {"schema": _FILE},
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"file": _FILE}, "required": ["file"]},
            },
        },
    }
}
"""How such a body stands in OpenAPI."""


@asynccontextmanager
async def uploaded(request: Request, parts: HubParts, *, name: str | None) -> AsyncIterator[Upload]:
    """The file of a request, on this disk until the block ends.

    Args:
        request: Not read yet.
        parts: The hub's parts.
        name: What the caller calls it; a form's own file name where this is None.

    Raises:
        SoundError: Empty, or too large.
        HTTPException: A form that is none, or has no `file`.
    """
    limit = parts.settings.sounds.max_upload_bytes
    scratch = parts.state_dir / "scratch"
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        async with spooled(request.stream(), name=name or "unnamed", directory=scratch, max_bytes=limit) as upload:
            yield upload
        return
    try:
        form = await MultiPartParser(request.headers, request.stream(), max_files=1, max_fields=8).parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise HTTPException(400, f"the form cannot be read ({str(error)[:200]}); send one part `file`") from error
    try:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise HTTPException(400, "the form has no file called `file`; curl: -F file=@pump.wav")
        async with spooled(
            _chunks(file), name=name or file.filename or "unnamed", directory=scratch, max_bytes=limit
        ) as upload:
            yield upload
    finally:
        await form.close()


async def _chunks(file: UploadFile) -> AsyncIterator[bytes]:
    while chunk := await file.read(_CHUNK_BYTES):
        yield chunk
