"""The index of kept clips: a SQLite file that can be made again from the sidecars at any time."""

import contextlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import astuple, fields, replace
from pathlib import Path
from typing import TypeVar

from edge_agent.clips.errors import ClipError, Failure
from edge_agent.clips.reasons import Reason
from edge_agent.clips.row import ClipRow

SCHEMA_VERSION = 1
_OPEN_WITHIN_S = 5.0
_SUFFIXES = ("", "-wal", "-shm", "-journal")
_SCHEMA = """
CREATE TABLE clip (
  id TEXT PRIMARY KEY, machine TEXT NOT NULL, reason TEXT NOT NULL, state TEXT NOT NULL, kind TEXT NOT NULL,
  start_ns INTEGER NOT NULL, size_bytes INTEGER NOT NULL, sha256 TEXT NOT NULL, alarm TEXT, slot TEXT,
  settles_at TEXT, label TEXT, score REAL, threshold REAL, pinned INTEGER NOT NULL, synced INTEGER NOT NULL,
  rank REAL NOT NULL, protected INTEGER NOT NULL, speech TEXT NOT NULL, bundle TEXT NOT NULL, embedding BLOB,
  sidecar_ns INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX clip_worth ON clip (protected, rank);
CREATE INDEX clip_time ON clip (start_ns);
CREATE INDEX clip_slot ON clip (machine, slot) WHERE slot IS NOT NULL;
"""
_LOOKUPS = """
CREATE INDEX IF NOT EXISTS clip_machine ON clip (machine, start_ns);
CREATE INDEX IF NOT EXISTS clip_alarm ON clip (alarm) WHERE alarm IS NOT NULL;
CREATE INDEX IF NOT EXISTS clip_room ON clip (protected, rank, size_bytes);
CREATE INDEX IF NOT EXISTS clip_sums ON clip (reason, protected, synced, size_bytes);
"""
"""Sums are asked for at every clip and every scrape, alarms by the page: they must not read all clips' embeddings."""
_FAILURES = {sqlite3.SQLITE_FULL: Failure.DISK_FULL, sqlite3.SQLITE_READONLY: Failure.READ_ONLY}
_DAMAGED = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""The first is what SQLite says of tables that are not there, or not ours."""
_T = TypeVar("_T")


class DamagedIndexError(Exception):
    """The file is no index that can be used; the store sets it aside and makes another."""


_UNSYNCED = (
    "WHERE NOT synced AND (settles_at IS NULL OR settles_at <= ?) AND id NOT IN (SELECT value FROM json_each(?)) "
    "AND reason IN (SELECT value FROM json_each(?))"
)
_COLUMNS = ", ".join(field.name for field in fields(ClipRow))
_MARKS = ", ".join("?" for _ in fields(ClipRow))


class ClipIndex:
    """The index's file. May be used from any thread, and by several processes.

    Args:
        path: The file; made where it is not there.

    Raises:
        DamagedIndexError: It is no index.
        ClipError: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self.is_new = False
        self._db = self._guard(self._open)
        self._file = self._on_disk()

    def is_in_place(self) -> bool:
        """Whether the file is still the one that was opened: somebody may have removed or replaced it."""
        return self._on_disk() == self._file

    def check(self) -> None:
        """Look through the whole file; takes a second for every 200 MB.

        Raises:
            DamagedIndexError: It is damaged.
        """
        (verdict,) = self._run(lambda db: db.execute("PRAGMA quick_check(1)").fetchone())
        if verdict != "ok":
            raise DamagedIndexError(f"{self._path}: {verdict}")

    def put(self, *rows: ClipRow) -> None:
        """Add clips, or replace what is known of them; all of them or none."""
        self._together(f"INSERT OR REPLACE INTO clip ({_COLUMNS}) VALUES ({_MARKS})", [astuple(row) for row in rows])

    def remove(self, clip_ids: Iterable[str]) -> None:
        """Forget clips."""
        self._together("DELETE FROM clip WHERE id = ?", [(clip_id,) for clip_id in clip_ids])

    def find(self, clip_id: str) -> ClipRow | None:
        """One clip."""
        return next(iter(self._rows("WHERE id = ?", clip_id)), None)

    def rows(
        self, *, machine: str | None = None, reason: Reason | None = None, since_ns: int = 0, limit: int = -1
    ) -> tuple[ClipRow, ...]:
        """Clips, newest first."""
        where, values = _filter(machine, reason, since_ns)
        return self._rows(f"{where} ORDER BY start_ns DESC, id DESC LIMIT ?", *values, limit)

    def count(self, *, machine: str | None = None) -> int:
        """How many clips there are, of one machine or of all."""
        where, values = ("", ()) if machine is None else (" WHERE machine = ?", (machine,))
        return int(self._run(lambda db: db.execute(f"SELECT count(*) FROM clip{where}", values).fetchone())[0])

    def of_alarms(self, alarms: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Ids of the clips that show these episodes, oldest first; an episode without one is left out."""
        query = (
            "SELECT alarm, id FROM clip WHERE alarm IS NOT NULL AND alarm IN (SELECT value FROM json_each(?)) "
            "ORDER BY alarm, start_ns, id"
        )
        wanted = json.dumps(list(alarms))
        found: dict[str, tuple[str, ...]] = {}
        for alarm, clip_id in self._run(lambda db: db.execute(query, (wanted,)).fetchall()):
            found[alarm] = (*found.get(alarm, ()), clip_id)
        return found

    def ids(self, *, machine: str | None = None, reason: Reason | None = None, since_ns: int = 0) -> tuple[str, ...]:
        """Ids of clips, oldest first: of as many as there may be."""
        where, values = _filter(machine, reason, since_ns)
        return self._ids(f"SELECT id FROM clip {where} ORDER BY id", *values)

    def ids_after(self, clip_id: str, *, limit: int) -> tuple[str, ...]:
        """The next ids in order, to walk through all of them a few at a time."""
        return self._ids("SELECT id FROM clip WHERE id > ? ORDER BY id LIMIT ?", clip_id, limit)

    def unsynced(
        self, *, settled_before: str, limit: int, excluding: Iterable[str] = (), reasons: Iterable[Reason] = Reason
    ) -> tuple[ClipRow, ...]:
        """Clips that the hub has not got and whose place no other may take any more, the worthiest first."""
        values = (settled_before, json.dumps(list(excluding)), json.dumps([reason.value for reason in reasons]))
        return self._rows(f"{_UNSYNCED} ORDER BY rank DESC LIMIT ?", *values, limit)

    def unsynced_size(self, *, settled_before: str, excluding: Iterable[str] = ()) -> tuple[int, int]:
        """Number and bytes of such clips."""
        values = (settled_before, json.dumps(list(excluding)), json.dumps([reason.value for reason in Reason]))
        query = f"SELECT count(*), coalesce(sum(size_bytes), 0) FROM clip {_UNSYNCED}"
        found = self._run(lambda db: db.execute(query, values).fetchone())
        return int(found[0]), int(found[1])

    def labels_at_hub(self) -> dict[str, str | None]:
        """The label, on this gateway, of every clip that the hub has."""
        return dict(self._run(lambda db: db.execute("SELECT id, label FROM clip WHERE synced").fetchall()))

    def least_worth(self, *, below: float, limit: int = 16) -> tuple[ClipRow, ...]:
        """What may be given up for a clip of rank `below`, the least worth first."""
        return self._rows("WHERE NOT protected AND rank < ? ORDER BY rank, id LIMIT ?", below, limit)

    def in_slot(self, machine: str, slot: str) -> tuple[ClipRow, ...]:
        """Random clips of one part of a day that another one may replace: no person and no hub cares for them yet."""
        where = "WHERE machine = ? AND slot = ? AND NOT pinned AND NOT synced AND label IS NULL"
        return self._rows(where, machine, slot)

    def size_bytes(self, *, evictable_below: float | None = None) -> int:
        """Size of all clips, or of those that may be given up for a clip of this rank."""
        where, values = (
            ("", ()) if evictable_below is None else ("WHERE NOT protected AND rank < ?", (evictable_below,))
        )
        query = f"SELECT coalesce(sum(size_bytes), 0) FROM clip {where}"
        return int(self._run(lambda db: db.execute(query, values).fetchone())[0])

    def counts(self) -> tuple[tuple[str, int, int], ...]:
        """Reason, clips and bytes of each reason."""
        query = "SELECT reason, count(*), sum(size_bytes) FROM clip GROUP BY reason"
        return tuple(self._run(lambda db: db.execute(query).fetchall()))

    def totals(self) -> tuple[tuple[bool, bool, int, int], ...]:
        """Of clips that are protected or not, and that the hub has or not: number and bytes."""
        query = "SELECT protected, synced, count(*), sum(size_bytes) FROM clip GROUP BY protected, synced"
        found = self._run(lambda db: db.execute(query).fetchall())
        return tuple((bool(protected), bool(synced), clips, size) for protected, synced, clips, size in found)

    def stamps(self, start: str, stop: str) -> dict[str, int]:
        """When the sidecar of each clip with an id in `[start, stop)` was last changed, as the index knows it."""
        query = "SELECT id, sidecar_ns FROM clip WHERE id >= ? AND id < ?"
        return dict(self._run(lambda db: db.execute(query, (start, stop)).fetchall()))

    def close(self) -> None:
        """Free the file."""
        with self._lock, contextlib.suppress(sqlite3.Error):  # closing is all that is left to do with it
            self._db.close()

    def _rows(self, where: str, *values: object) -> tuple[ClipRow, ...]:
        found = self._run(lambda db: db.execute(f"SELECT {_COLUMNS} FROM clip {where}", values).fetchall())
        return tuple(_row(values) for values in found)

    def _ids(self, query: str, *values: object) -> tuple[str, ...]:
        return tuple(clip_id for (clip_id,) in self._run(lambda db: db.execute(query, values).fetchall()))

    def _make_tables(self, db: sqlite3.Connection) -> int:
        """Two may find the file new at once: the second waits for the first, and has nothing left to do."""
        db.execute("BEGIN IMMEDIATE")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            for statement in _SCHEMA.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
            version, self.is_new = SCHEMA_VERSION, True
        db.execute("COMMIT")
        return int(version)

    def _together(self, statement: str, values: list[tuple[object, ...]]) -> None:
        def act(db: sqlite3.Connection) -> None:
            db.execute("BEGIN IMMEDIATE")
            try:
                db.executemany(statement, values)
                db.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # the first error is the one that tells
                    db.execute("ROLLBACK")
                raise

        self._run(act)

    def _on_disk(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=_OPEN_WITHIN_S, isolation_level=None, check_same_thread=False)
        try:
            _use_wal(db)
            db.execute("PRAGMA synchronous=NORMAL")  # the sidecars are the truth; a lost commit is found at the start
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version == 0:
                version = self._make_tables(db)
            if version != SCHEMA_VERSION:
                raise DamagedIndexError(f"{self._path}: schema version {version}, this agent knows {SCHEMA_VERSION}")
            db.executescript(_LOOKUPS)
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # the first error is the one that tells
                db.close()
            raise
        return db

    def _run(self, operation: Callable[[sqlite3.Connection], _T]) -> _T:
        with self._lock:
            return self._guard(lambda: operation(self._db))

    def _guard(self, operation: Callable[[], _T]) -> _T:
        try:
            return operation()
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in _DAMAGED:
                raise DamagedIndexError(f"{self._path}: {error}") from error
            failure = _FAILURES.get(code, Failure.IO_ERROR)
            if code == sqlite3.SQLITE_CANTOPEN and not os.access(self._path.parent, os.W_OK):
                failure = Failure.READ_ONLY
            raise ClipError(f"index of clips {self._path}: {error}; check the disk", failure) from error


def _use_wal(db: sqlite3.Connection) -> None:
    """Switch to a write-ahead log: SQLite waits for no lock here, whatever its timeout, so several may try in turn."""
    until_s = time.monotonic() + _OPEN_WITHIN_S
    while True:
        try:
            db.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until_s:
                raise
            time.sleep(0.01)
        else:
            return


def set_aside(path: Path) -> Path:
    """Rename a damaged index to `.corrupt`, over an older one."""
    target = path.with_name(path.name + ".corrupt")
    for suffix in _SUFFIXES:
        part = Path(f"{path}{suffix}")
        if part.exists():
            part.replace(f"{target}{suffix}")
    return target


def _filter(machine: str | None, reason: Reason | None, since_ns: int) -> tuple[str, list[object]]:
    where, values = "WHERE start_ns >= ?", list[object]([since_ns])
    for column, value in (("machine", machine), ("reason", None if reason is None else reason.value)):
        if value is not None:
            where += f" AND {column} = ?"
            values.append(value)
    return where, values


def _row(values: tuple[object, ...]) -> ClipRow:
    row = ClipRow(*values)  # type: ignore[arg-type] # the columns are the fields, in their order
    return replace(row, pinned=bool(row.pinned), synced=bool(row.synced), protected=bool(row.protected))
