"""SQLite files of the sync: opened, checked, set aside where damaged, shared by the agent and the command."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from edge_agent.delivery.outbox_damage import set_aside
from edge_agent.sync.errors import SyncError

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_PASSING = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL)
"""The file is sound and stays open."""
_WAL_PAGES = 256


class SyncDatabase:
    """One file, opened by the first operation. Any thread, several processes; a damaged one is set aside.

    Args:
        path: The file; made where it is not there.
        schema: SQL that makes its tables.
        version: Of the schema.
        max_bytes: Most that it may take, without its journal; None: no limit.
        busy_s: How long to wait for another process.
    """

    def __init__(
        self, path: Path, schema: str, *, version: int = 1, max_bytes: int | None = None, busy_s: float = 5.0
    ) -> None:
        self._path = path
        self._schema = schema
        self._version = version
        self._max_bytes = max_bytes
        self._busy_s = busy_s
        self._lock = threading.RLock()
        self._db: sqlite3.Connection | None = None
        self._checked = False
        self.files_set_aside = 0

    def run(self, operation: Callable[[sqlite3.Connection], _T]) -> _T:
        """Change something, alone among threads and processes, all or nothing.

        Raises:
            SyncError: The disk refuses it; nothing changed.
        """
        return self._attempt(lambda: self._within(operation))

    def read(self, operation: Callable[[sqlite3.Connection], _T]) -> _T:
        """Look something up; waits for no other process.

        Raises:
            SyncError: The disk refuses it.
        """
        return self._attempt(lambda: operation(self._connected()))

    def _attempt(self, work: Callable[[], _T]) -> _T:
        with self._lock:
            try:
                try:
                    return work()
                except sqlite3.DatabaseError as error:
                    if _code(error) not in _DAMAGED:
                        raise
                    self._begin_anew(error)
                    return work()
            except sqlite3.Error as error:
                if _code(error) not in _PASSING:
                    self._disconnect()
                raise SyncError(f"{self._path}: {error}; check the disk") from error

    def close(self) -> None:
        """Free the file; the next operation opens it again."""
        with self._lock:
            self._disconnect()

    def _within(self, operation: Callable[[sqlite3.Connection], _T]) -> _T:
        db = self._connected()
        db.execute("BEGIN IMMEDIATE")
        try:
            done = operation(db)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        return done

    def _connected(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = self._open()
        return self._db

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=self._busy_s, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")  # a lost commit costs a repeat, and no data
            (page_bytes,) = db.execute("PRAGMA page_size").fetchone()
            db.execute(f"PRAGMA wal_autocheckpoint={_WAL_PAGES}")
            db.execute(f"PRAGMA journal_size_limit={_WAL_PAGES * page_bytes}")
            if self._max_bytes is not None:
                db.execute(f"PRAGMA max_page_count={max(32, self._max_bytes // page_bytes)}")
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version == 0:
                db.executescript(f"BEGIN IMMEDIATE; {self._schema} PRAGMA user_version={self._version}; COMMIT;")
            elif version != self._version or not self._is_whole(db):
                error = sqlite3.DatabaseError(f"schema version {version}, or damaged")
                error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
                raise error
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # the first error is the one that tells
                db.close()
            raise
        return db

    def _is_whole(self, db: sqlite3.Connection) -> bool:
        """Looked at once in a process, for it takes long."""
        self._checked = self._checked or db.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
        return self._checked

    def _begin_anew(self, error: sqlite3.Error) -> None:
        self._disconnect()
        target = set_aside(self._path)
        self.files_set_aside += 1
        _log.error("%s is damaged (%s): set aside as %s, a new one begins", self._path, error, target)

    def _disconnect(self) -> None:
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):  # closing is all that is left to do with it
                self._db.close()
            self._db = None


def _code(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
