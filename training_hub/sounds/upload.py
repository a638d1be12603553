"""A file that somebody sends, on this disk: hashed and counted while it comes, gone when it was used."""

import hashlib
import tempfile
import time
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from training_hub.sounds.errors import Refusal, SoundError

_PREFIX = "upload-"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was sent.

    Attributes:
        path: Where it lies, until the block of `spooled` ends.
        name: As the sender calls it; to be shown, never opened.
        sha256, size_bytes: Of its content.
    """

    path: Path
    name: str
    sha256: str
    size_bytes: int


@asynccontextmanager
async def spooled(chunks: AsyncIterable[bytes], *, name: str, directory: Path, max_bytes: int) -> AsyncIterator[Upload]:
    """Write what comes to a temporary file.

    Args:
        chunks: Its content.
        name: As the sender calls it.
        directory: Where there is room.
        max_bytes: Most that is taken.

    Raises:
        SoundError: Too large, or nothing.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o750)
    digest = hashlib.sha256()
    size = 0
    with tempfile.NamedTemporaryFile(dir=directory, prefix=_PREFIX) as file:
        async for chunk in chunks:
            size += len(chunk)
            if size > max_bytes:
                raise SoundError(Refusal.TOO_LARGE, f"the file is larger than {max_bytes} bytes; cut it")
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        if not size:
            raise SoundError(Refusal.DAMAGED, "the file is empty; give a recording")
        yield Upload(Path(file.name), clean_name(name), digest.hexdigest(), size)


def sweep(directory: Path, *, older_than_s: float = 86_400.0) -> int:
    """Remove what uploads left behind whose process was killed; returns how many files."""
    gone = 0
    for path in directory.glob(f"{_PREFIX}*"):
        try:
            if time.time() - path.stat().st_mtime > older_than_s:
                path.unlink()
                gone += 1
        except FileNotFoundError:  # its own process was first
            continue
    return gone


def clean_name(name: str) -> str:
    """A file's name for people: its last part, without what no terminal or page should be shown.

    >>> clean_name("../sounds/pump" + chr(0) + " 1.wav")
    'pump 1.wav'
    """
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    shown = "".join(letter for letter in last if letter.isprintable())
    return shown[:200].strip() or "unnamed"
