"""Where the files of clips lie, and writing them so that a power cut leaves them whole or absent."""

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from edge_agent.durable import sync_directory

SIDECAR, PICTURE = ".json", ".png"
PAYLOADS = {"audio": ".flac", "log_mel": ".npz"}

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_DAY = re.compile(r"\d{4,5}-\d{2}-\d{2}")
_LAST_DAY_S = 253_402_300_799


def is_clip_id(text: str) -> bool:
    """Whether this is a ULID, so that it can name a file."""
    return _ULID.fullmatch(text) is not None


def day_of(clip_id: str) -> str:
    """The directory of a clip: the day of UTC in which its id was made.

    >>> day_of("01HF7YAT00ZZZZZZZZZZZZZZZZ")
    '2023-11-14'
    """
    milliseconds = 0
    for digit in clip_id[:10]:
        milliseconds = milliseconds * 32 + _ALPHABET.index(digit)
    return datetime.fromtimestamp(min(milliseconds // 1000, _LAST_DAY_S), UTC).strftime("%Y-%m-%d")


def days(root: Path) -> Iterator[Path]:
    """The directories that hold clips, oldest first."""
    if root.is_dir():
        yield from sorted(path for path in root.iterdir() if _DAY.fullmatch(path.name) and path.is_dir())


def make_day(root: Path, clip_id: str) -> Path:
    """The clip's directory, made where it is not there yet."""
    directory = root / day_of(clip_id)
    if not directory.is_dir():
        directory.mkdir(parents=True, exist_ok=True, mode=0o750)
        sync_directory(root)
    return directory


def remove(path: Path) -> None:
    """Remove a file that may be gone already, or that nothing can be done about: a sweep finds it later."""
    with contextlib.suppress(OSError):
        path.unlink()


def free_bytes(directory: Path) -> int:
    """Room that the file system has left for such as us."""
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a lock among processes; it ends with the process, however that ends."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
