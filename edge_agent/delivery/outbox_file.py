"""The outbox's SQLite file: opening, schema, limits, and what its errors mean."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

from edge_agent.delivery.errors import Failure
from edge_agent.delivery.outbox_damage import damaged

SCHEMA_VERSION = 1
_WAL_PAGES = 256
EMERGENCY_WAL_PAGES = 32
"""Pages of journal on a full disk before they are written back; far less than the reserve."""
_SCHEMA = """
CREATE TABLE outbox (
  seq INTEGER PRIMARY KEY,
  event_id TEXT NOT NULL UNIQUE,
  priority INTEGER NOT NULL,
  topic TEXT NOT NULL,
  retain INTEGER NOT NULL,
  occurred_ns INTEGER NOT NULL,
  clock_synced INTEGER NOT NULL,
  payload BLOB NOT NULL
);
CREATE INDEX outbox_lane ON outbox (priority, seq);
"""
_FAILURES = {
    sqlite3.SQLITE_FULL: Failure.DISK_FULL,
    sqlite3.SQLITE_CORRUPT: Failure.CORRUPT,
    sqlite3.SQLITE_NOTADB: Failure.CORRUPT,
    sqlite3.SQLITE_BUSY: Failure.IN_USE,
    sqlite3.SQLITE_LOCKED: Failure.IN_USE,
}


def failure_of(error: sqlite3.Error) -> Failure:
    """What an error of SQLite means to the outbox; whatever is not known is taken for a failing disk."""
    code = getattr(error, "sqlite_errorcode", None)
    return Failure.IO if code is None else _FAILURES.get(code & 0xFF, Failure.IO)


def open_file(path: Path, *, max_bytes: int, check: bool = True, busy_timeout_s: float = 2.0) -> sqlite3.Connection:
    """Open or create the file and take it for this process alone.

    WAL with `synchronous=FULL` makes a commit durable with one fsync. The exclusive lock ends with the process,
    however that ends, and keeps a second agent from sending every event twice.

    Args:
        path: The file.
        max_bytes: Its cap.
        check: Look whether it is whole, which reads all of it: 0.16 s for a week of results.
        busy_timeout_s: How long to wait for another process.

    Raises:
        sqlite3.Error: It cannot be opened, is damaged, or another process holds it.
    """
    db = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA locking_mode=EXCLUSIVE")
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        set_limits(db, max_bytes)
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            if db.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,):
                raise damaged("it holds tables that are none of an outbox")
            db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")
        elif version != SCHEMA_VERSION:
            raise damaged(f"schema version {version}, this agent knows {SCHEMA_VERSION}")
        else:
            db.execute("BEGIN IMMEDIATE")
            db.execute("COMMIT")
            if check and (verdict := db.execute("PRAGMA integrity_check(1)").fetchone()[0]) != "ok":
                raise damaged(str(verdict))
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # the first error is the one that tells
            db.close()
        raise
    return db


def journal_frames(db: sqlite3.Connection) -> int | None:
    """How many frames of the journal SQLite could read, and has written back; None where the disk has no room."""
    try:
        _, frames, _ = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    except sqlite3.OperationalError:
        return None
    return int(frames)


def place_of(path: Path) -> tuple[int, int] | None:
    """Which file lies there: its device and number; None where none does."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def copy_out(db: sqlite3.Connection, path: Path) -> None:
    """Write all that an open file holds to another one.

    Raises:
        sqlite3.Error: It cannot be read or written.
        OSError: Something else lies there.
    """
    path.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(path)) as copy:
        db.backup(copy)


def set_limits(db: sqlite3.Connection, max_bytes: int) -> None:
    """Cap the file and its journal, as at the start and after an emergency."""
    (page_bytes,) = db.execute("PRAGMA page_size").fetchone()
    db.execute(f"PRAGMA max_page_count={max_bytes // page_bytes}")
    db.execute(f"PRAGMA wal_autocheckpoint={_WAL_PAGES}")
    db.execute(f"PRAGMA journal_size_limit={_WAL_PAGES * page_bytes}")


def make_reserve(path: Path, size_bytes: int) -> bool:
    """Occupy `size_bytes` for an emergency; False when the disk has no room for it."""
    try:
        if path.exists() and path.stat().st_size >= size_bytes:
            return True
        with path.open("wb") as file:
            if size_bytes:
                os.posix_fallocate(file.fileno(), 0, size_bytes)
    except OSError:
        release_reserve(path)
        return False
    return True


def release_reserve(path: Path) -> bool:
    """Give the reserve's room back to the file system; False when there was none."""
    try:
        path.unlink()
    except OSError:
        return False
    return True
