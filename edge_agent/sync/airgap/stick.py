"""Reads files of a stick, whatever somebody made of it: no links, no devices, no more than was said."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from edge_agent.sync.airgap.manifest import PREFIX
from edge_agent.sync.errors import SyncError


@contextmanager
def opened(root: Path, path: str) -> Iterator[BinaryIO]:
    """Open a file of a stick by its path in it; every part of that must be what it seems.

    Args:
        root: The directory of the export.
        path: Directories and a name.

    Raises:
        SyncError: It is absent, a link or no file, or leads out of the export.
    """
    parts = path.split("/")
    if len(parts) > 3 or any(part in ("", ".", "..") for part in parts):
        raise SyncError(f"{path!r} is no path of an export")
    descriptors: list[int] = []
    try:
        descriptors.append(os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW))
        for part in parts[:-1]:
            descriptors.append(os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptors[-1]))
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # opening a pipe must not wait
        found = os.open(parts[-1], flags, dir_fd=descriptors[-1])
        with open(found, "rb") as file:
            if not stat.S_ISREG(os.fstat(found).st_mode):
                raise SyncError(f"{root / path} is not a file")
            yield file
    except OSError as error:
        raise SyncError(f"{root / path}: {error.strerror}; the stick was changed or is damaged") from error
    finally:
        for descriptor in descriptors:
            with contextlib.suppress(OSError):
                os.close(descriptor)


def read_file(root: Path, path: str, *, most_bytes: int) -> bytes:
    """A whole file of a stick.

    Raises:
        SyncError: As `opened`, or it is larger.
    """
    with opened(root, path) as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise SyncError(f"{root / path} has more than {most_bytes} bytes")
    return content


def exports_in(path: Path) -> tuple[Path, ...]:
    """The exports that a path means: itself, or those that lie in it."""
    if path.name.startswith(PREFIX):
        return (path,)
    return tuple(sorted(each for each in path.glob(f"{PREFIX}*") if each.is_dir() and not each.is_symlink()))
