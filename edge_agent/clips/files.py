"""Where the files of clips lie, and how they are opened: what lies there may have been put there by somebody else."""

import contextlib
import errno
import fcntl
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path

from edge_agent.delivery.ulid import encode_ulid
from edge_agent.durable import own_as, sync_directory

SIDECAR, PICTURE = ".json", ".png"
PAYLOADS = {"audio": ".flac", "log_mel": ".npz"}

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_LAST_DAY_S = 253_402_300_799
_LOCK_POLL_S = 0.02


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


def ids_of_day(day: str) -> tuple[str, str]:
    """The first id of a day's clips, and the first that is beyond them.

    >>> first, beyond = ids_of_day("2023-11-14")
    >>> first <= "01HF7YAT00ZZZZZZZZZZZZZZZZ" < beyond, day_of(first), day_of(beyond)
    (True, '2023-11-14', '2023-11-15')
    """
    start_s = round(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())
    beyond_s = start_s + 86_400
    return _first_id(start_s), _first_id(beyond_s) if beyond_s <= _LAST_DAY_S else "8"


def days(root: Path) -> Iterator[Path]:
    """The directories that hold clips, oldest first; no link leads out of the store."""
    if not root.is_dir():
        return
    with os.scandir(root) as entries:
        found = [entry.path for entry in entries if _is_day(entry.name) and entry.is_dir(follow_symlinks=False)]
    yield from (Path(path) for path in sorted(found))


def open_plain(path: Path) -> BufferedReader:
    """Open a file to read it; a link, a pipe or a device in its place is refused and never waited for.

    Raises:
        OSError: It is none, or cannot be read.
    """
    file = open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "is no plain file")
    return file


def plain_size(path: Path) -> int:
    """Size of a file in bytes.

    Raises:
        FileNotFoundError: There is none, or something else in its place.
    """
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise FileNotFoundError(errno.ENOENT, "is no plain file", str(path))
    return status.st_size


def make_day(root: Path, clip_id: str) -> Path:
    """The clip's directory, made where it is not there yet."""
    directory = root / day_of(clip_id)
    if directory.is_symlink():
        raise OSError(errno.ELOOP, f"{directory} is a link", str(directory))
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
def held(path: Path, *, within_s: float | None = None) -> Iterator[None]:
    """Hold a lock among processes; it ends with the process, however that ends.

    Args:
        path: The lock's file.
        within_s: How long to wait for it; None: for ever.

    Raises:
        OSError: The file cannot be opened, or others held the lock for too long.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    try:
        own_as(descriptor, path.parent)
        if within_s is None:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        else:
            _lock_within(descriptor, path, within_s)
        yield
    finally:
        os.close(descriptor)


def _lock_within(descriptor: int, path: Path, within_s: float) -> None:
    until_s = time.monotonic() + within_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until_s:
                message = f"another process has held {path} for {within_s:.0f} s (a command that was stopped?)"
                raise TimeoutError(errno.ETIMEDOUT, message) from None
            time.sleep(_LOCK_POLL_S)
        else:
            return


def _is_day(name: str) -> bool:
    if not _DAY.fullmatch(name):
        return False
    try:
        datetime.fromisoformat(name)
    except ValueError:
        return False
    return True


def _first_id(at_s: int) -> str:
    return encode_ulid(at_s * 1000 << 80)
