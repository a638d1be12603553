"""Damage to the outbox's file: what shows at sight, and setting a damaged file aside."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sqlite3
from pathlib import Path

from edge_agent.delivery.errors import DeliveryError, Failure
from edge_agent.delivery.outbox_journal import HEADER_BYTES, SMALLEST_FRAME_BYTES, is_journal

RESERVE_SUFFIX = ".reserve"
_SUFFIXES = ("", "-wal", "-shm", "-journal")
_WRITE_VERSIONS = (b"\1\1", b"\2\2")
"""Bytes 18 and 19 of a database: with any other SQLite reads it, and never writes (https://sqlite.org/fileformat2.html)."""
_MAGIC = b"SQLite format 3\0"
_BEGIN_BYTES = 20
_SHARED_AT, _SHARED_BYTES = 0x4000_0002, 510


def damaged(what: str) -> sqlite3.DatabaseError:
    """The error with which SQLite would refuse a damaged file."""
    error = sqlite3.DatabaseError(what)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def look_at(path: Path) -> Path | None:
    """Find what SQLite would fail on for ever, or would take for a new file, before it opens one.

    A journal whose beginning is damaged, which SQLite would take for an empty one, is set aside alone: what had
    reached the file itself is still good.

    Returns:
        Where such a journal went; None where there is none.

    Raises:
        sqlite3.DatabaseError: The file is damaged.
        DeliveryError: A journal is, and cannot be set aside.
    """
    for suffix in _SUFFIXES:
        part = Path(f"{path}{suffix}")
        if part.exists() and not part.is_file():
            raise damaged(f"{part.name} is no file")
    try:
        with path.open("rb") as file:
            # SQLite's own lock: no other process changes the file under these eyes
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB, _SHARED_BYTES, _SHARED_AT)
            _refuse_at_sight(path, file.read(_BEGIN_BYTES))
            return _set_journal_aside(path)
    except OSError:
        return None  # absent, or SQLite meets the same error and tells it


def set_aside(path: Path) -> Path:
    """Rename a damaged file and its journal to `.corrupt`, over an older one, so that a new one can begin.

    Raises:
        DeliveryError: The directory cannot be written.
    """
    target = path.with_name(path.name + ".corrupt")
    try:
        for suffix in _SUFFIXES:
            part, moved = Path(f"{path}{suffix}"), Path(f"{target}{suffix}")
            _remove(moved)  # also where nothing takes its place: a journal of another file would spoil this one
            if os.path.lexists(part):
                part.replace(moved)
    except OSError as error:
        raise DeliveryError(Failure.IO, f"cannot set the damaged outbox {path} aside: {error}") from error
    return target


def _refuse_at_sight(path: Path, begin: bytes) -> None:
    if len(begin) <= 1:  # to SQLite one byte is none
        # A kill while the file is made leaves it empty, too, but with nothing beside it.
        if any(Path(f"{path}{suffix}").exists() for suffix in ("-wal", RESERVE_SUFFIX)):
            raise damaged("it is empty, and was not")
    elif begin.startswith(_MAGIC) and begin[18:20] not in _WRITE_VERSIONS:
        raise damaged(f"its header names the versions {begin[18:20].hex()}")


def _set_journal_aside(path: Path) -> Path | None:
    wal, moved = Path(f"{path}-wal"), Path(f"{path}.corrupt-wal")
    if not wal.exists():
        return None
    with wal.open("rb") as file:
        header = file.read(HEADER_BYTES)
    if wal.stat().st_size < HEADER_BYTES + SMALLEST_FRAME_BYTES or is_journal(header):
        return None
    try:
        _remove(moved)
        wal.replace(moved)
    except OSError as error:
        raise DeliveryError(Failure.IO, f"cannot set the damaged journal {wal} aside: {error}") from error
    return moved


def keep_copy_of_journal(path: Path) -> Path:
    """Copy a journal that was read in part to `.corrupt-wal`, while it is still there; the disk may have no room."""
    moved = Path(f"{path}.corrupt-wal")
    with contextlib.suppress(OSError):
        _remove(moved)
        shutil.copyfile(f"{path}-wal", moved)
    return moved


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
