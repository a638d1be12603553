"""The index of kept clips: a SQLite file that can be made again from the sidecars at any time."""

import contextlib
import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import TypeVar

from edge_agent.clips.errors import ClipError, Failure
from edge_agent.clips.reasons import Reason
from edge_agent.clips.sidecar import Sidecar, unpack_embedding
from edge_agent.clips.value import is_protected, rank

SCHEMA_VERSION = 1
SIDECAR_ROOM_BYTES = 4096
"""What a sidecar counts at least: a block of the disk, with room for a label."""
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
_FAILURES = {sqlite3.SQLITE_FULL: Failure.DISK_FULL, sqlite3.SQLITE_READONLY: Failure.READ_ONLY}
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_T = TypeVar("_T")


class DamagedIndexError(Exception):
    """The file is no index that can be used; the store sets it aside and makes another."""


@dataclass(frozen=True, slots=True)
class ClipRow:
    """What the index knows of a clip; see `Sidecar` for the meanings.

    Attributes:
        size_bytes: Of all its files.
        rank: Its worth, see `value.rank`.
        protected: Whether it is never given up for room.
        embedding: float16, little endian.
        sidecar_ns: When its sidecar was last changed, by the file system: how a change that missed the index shows.
    """

    id: str
    machine: str
    reason: str
    state: str
    kind: str
    start_ns: int
    size_bytes: int
    sha256: str
    alarm: str | None
    slot: str | None
    settles_at: str | None
    label: str | None
    score: float | None
    threshold: float | None
    pinned: bool
    synced: bool
    rank: float
    protected: bool
    speech: str
    bundle: str
    embedding: bytes | None
    sidecar_ns: int


_UNSYNCED = (
    "WHERE NOT synced AND (settles_at IS NULL OR settles_at <= ?) AND id NOT IN (SELECT value FROM json_each(?)) "
    "AND reason IN (SELECT value FROM json_each(?))"
)
_COLUMNS = ", ".join(field.name for field in fields(ClipRow))
_MARKS = ", ".join("?" for _ in fields(ClipRow))


def row_of(sidecar: Sidecar, *, sidecar_bytes: int, sidecar_ns: int) -> ClipRow:
    """A clip as the index keeps it."""
    synced = sidecar.synced_at is not None
    embedding = unpack_embedding(sidecar.judgement.embedding)
    return ClipRow(
        id=sidecar.id,
        machine=sidecar.machine,
        reason=sidecar.reason.value,
        state=sidecar.judgement.state,
        kind=sidecar.sound.kind,
        start_ns=sidecar.window_start_ns,
        size_bytes=sidecar.size_bytes + sidecar.picture_bytes + max(sidecar_bytes, SIDECAR_ROOM_BYTES),
        sha256=sidecar.sha256,
        alarm=sidecar.alarm,
        slot=sidecar.slot,
        settles_at=sidecar.settles_at,
        label=None if sidecar.label is None else sidecar.label.label,
        score=sidecar.judgement.score,
        threshold=sidecar.judgement.threshold,
        pinned=sidecar.pinned,
        synced=synced,
        rank=rank(sidecar.reason, start_ns=sidecar.window_start_ns, labelled=sidecar.label is not None, synced=synced),
        protected=is_protected(sidecar.reason, pinned=sidecar.pinned, synced=synced),
        speech=sidecar.speech.verdict,
        bundle=sidecar.judgement.bundle.sha256,
        embedding=None if embedding is None else embedding.astype("<f2").tobytes(),
        sidecar_ns=sidecar_ns,
    )


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
        self._db = self._guard(self._open)

    def put(self, row: ClipRow) -> None:
        """Add a clip, or replace what is known of it."""
        values = astuple(row)
        self._run(lambda db: db.execute(f"INSERT OR REPLACE INTO clip ({_COLUMNS}) VALUES ({_MARKS})", values))

    def remove(self, clip_ids: Iterable[str]) -> None:
        """Forget clips."""
        marks = [(clip_id,) for clip_id in clip_ids]
        self._run(lambda db: db.executemany("DELETE FROM clip WHERE id = ?", marks))

    def find(self, clip_id: str) -> ClipRow | None:
        """One clip."""
        return next(iter(self._rows("WHERE id = ?", clip_id)), None)

    def rows(
        self, *, machine: str | None = None, reason: Reason | None = None, since_ns: int = 0, limit: int = -1
    ) -> tuple[ClipRow, ...]:
        """Clips, newest first."""
        where, values = "WHERE start_ns >= ?", list[object]([since_ns])
        for column, value in (("machine", machine), ("reason", None if reason is None else reason.value)):
            if value is not None:
                where += f" AND {column} = ?"
                values.append(value)
        return self._rows(f"{where} ORDER BY start_ns DESC, id DESC LIMIT ?", *values, limit)

    def count(self, *, machine: str | None = None) -> int:
        """How many clips there are, of one machine or of all."""
        where, values = ("", ()) if machine is None else (" WHERE machine = ?", (machine,))
        return int(self._run(lambda db: db.execute(f"SELECT count(*) FROM clip{where}", values).fetchone())[0])

    def of_alarms(self, alarms: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Ids of the clips that show these episodes, oldest first; an episode without one is left out."""
        query = (
            "SELECT alarm, id FROM clip WHERE alarm IN (SELECT value FROM json_each(?)) ORDER BY alarm, start_ns, id"
        )
        wanted = json.dumps(list(alarms))
        found: dict[str, tuple[str, ...]] = {}
        for alarm, clip_id in self._run(lambda db: db.execute(query, (wanted,)).fetchall()):
            found[alarm] = (*found.get(alarm, ()), clip_id)
        return found

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

    def stamps(self) -> dict[str, int]:
        """When the sidecar of every clip was last changed, as the index knows it."""
        return dict(self._run(lambda db: db.execute("SELECT id, sidecar_ns FROM clip").fetchall()))

    def close(self) -> None:
        """Free the file."""
        with self._lock, contextlib.suppress(sqlite3.Error):  # closing is all that is left to do with it
            self._db.close()

    def _rows(self, where: str, *values: object) -> tuple[ClipRow, ...]:
        found = self._run(lambda db: db.execute(f"SELECT {_COLUMNS} FROM clip {where}", values).fetchall())
        return tuple(_row(values) for values in found)

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=5.0, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")  # the sidecars are the truth; a lost commit is found at the start
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version == 0:
                db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")
            elif version != SCHEMA_VERSION:
                raise DamagedIndexError(f"{self._path}: schema version {version}, this agent knows {SCHEMA_VERSION}")
            elif (verdict := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                raise DamagedIndexError(f"{self._path}: {verdict}")
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
            if code in _DAMAGED or (isinstance(error, sqlite3.OperationalError) and "no such table" in str(error)):
                raise DamagedIndexError(f"{self._path}: {error}") from error
            failure = _FAILURES.get(code, Failure.IO_ERROR)
            if code == sqlite3.SQLITE_CANTOPEN and not os.access(self._path.parent, os.W_OK):
                failure = Failure.READ_ONLY
            raise ClipError(f"index of clips {self._path}: {error}; check the disk", failure) from error


def set_aside(path: Path) -> Path:
    """Rename a damaged index to `.corrupt`, over an older one."""
    target = path.with_name(path.name + ".corrupt")
    for suffix in _SUFFIXES:
        part = Path(f"{path}{suffix}")
        if part.exists():
            part.replace(f"{target}{suffix}")
    return target


def _row(values: tuple[object, ...]) -> ClipRow:
    row = ClipRow(*values)  # type: ignore[arg-type] # the columns are the fields, in their order
    return replace(row, pinned=bool(row.pinned), synced=bool(row.synced), protected=bool(row.protected))
