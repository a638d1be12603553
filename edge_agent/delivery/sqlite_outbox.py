"""The outbox on disk: what it accepted survives kill -9, power cuts, full disks and damaged files."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from edge_agent.delivery.errors import DeliveryError, Failure
from edge_agent.delivery.message import Message, Priority
from edge_agent.delivery.outbox import Dropped, OutboxLimits, OutboxStats, Row
from edge_agent.delivery.outbox_file import (
    EMERGENCY_WAL_PAGES,
    failure_of,
    make_reserve,
    open_file,
    release_reserve,
    set_aside,
    set_limits,
)
from edge_agent.delivery.payload_codec import pack, unpack

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_DROP_BATCH = 64
_UNKNOWN_SEQ = 1 << 40
_COLUMNS = "event_id, topic, payload, priority, retain, occurred_ns, clock_synced"


class SqliteOutbox:
    """An outbox in one SQLite file of its own, see `Outbox` for the promise.

    At the cap (`max_page_count`) and on a full disk the oldest results are given up, counted, so that newer events
    and above all alarms get in. A file that is damaged is set aside as `<name>.corrupt` and a new one begun. After an
    I/O error the file is closed, and opened again by the next call.

    Args:
        path: The file; its directory must exist.
        limits: How much may wait.
        patient: A disk that fails or is full at the start is tried again later; without it, it is an error.

    Raises:
        DeliveryError: The file cannot be opened or another process holds it.
    """

    def __init__(self, path: Path, limits: OutboxLimits | None = None, *, patient: bool = False) -> None:
        self._path = path
        self._reserve_path = path.with_name(path.name + ".reserve")
        self._limits = limits or OutboxLimits()
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._closed = False
        self._last_seq = 0
        self._rows = dict.fromkeys(Priority, 0)
        self._payload_bytes = 0
        self._accepted = 0
        self._dropped = dict.fromkeys(Dropped, 0)
        self._errors: dict[Failure, int] = {}
        self._files_set_aside = 0
        self._disk_full = False
        with self._lock:
            try:
                self._attempt("open", lambda db: None)
            except DeliveryError as error:
                if not patient or error.failure not in (Failure.IO, Failure.DISK_FULL):
                    raise
                _log.error("%s; tried again at every event", error)
                self._last_seq = _UNKNOWN_SEQ  # above every row that the file may hold
            else:
                make_reserve(self._reserve_path, self._limits.reserve_bytes)

    def put(self, message: Message) -> None:
        """Accept an event; it is on the disk when this returns. The same id again changes nothing.

        Raises:
            DeliveryError: It was not accepted.
        """
        with self._lock:
            self._attempt(f"store event {message.event_id}", lambda db: self._insert_with_room(db, message))

    def put_all(self, messages: Sequence[Message]) -> None:
        """Accept events in one transaction, with one wait for the disk; all or none.

        Raises:
            DeliveryError: None was accepted.
        """
        with self._lock:
            self._attempt(f"store {len(messages)} events", lambda db: self._insert_together(db, messages))

    def adopt(self, rows: Sequence[Row]) -> None:
        """Take over rows with their places, all or none; ids that are there already are left out.

        Raises:
            DeliveryError: None was taken over.
        """

        def insert(db: sqlite3.Connection) -> None:
            with _transaction(db):
                added = [
                    (row.message.priority, stored_bytes)
                    for row in rows
                    if (stored_bytes := self._add(db, row.message, row.seq))
                ]
            self._book_added(added)
            self._accepted -= len(added)  # they were accepted when they came

        with self._lock:
            self._attempt(f"take over {len(rows)} events", insert)

    def skip_to(self, seq: int) -> None:
        """Places up to this one are taken by another outbox."""
        with self._lock:
            self._last_seq = max(self._last_seq, seq)

    def read(
        self, priority: Priority, *, after_seq: int, through_seq: int | None = None, limit: int
    ) -> tuple[Row, ...]:
        """The oldest rows of one priority in a range.

        Raises:
            DeliveryError: The disk failed.
        """
        query = f"SELECT seq, {_COLUMNS} FROM outbox WHERE priority = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
        through = 2**62 if through_seq is None else through_seq
        with self._lock:
            found = self._attempt(
                "read", lambda db: db.execute(query, (int(priority), after_seq, through, limit)).fetchall()
            )
        rows: list[Row] = []
        for seq, event_id, topic, stored, level, retain, occurred_ns, synced in found:
            try:
                payload = unpack(stored)
            except DeliveryError as error:
                self._give_up(seq, event_id, error)
                continue
            rows.append(
                Row(seq, Message(event_id, topic, payload, Priority(level), bool(retain), occurred_ns, bool(synced)))
            )
        return tuple(rows)

    def _give_up(self, seq: int, event_id: str, error: DeliveryError) -> None:
        """A row that cannot be read would be met again for ever."""
        _log.error("event %s is given up: %s", event_id, error)
        with self._lock:
            self._attempt(
                "drop a damaged event", self._with_reserve(lambda db: self._drop(db, f"seq = {seq:d}", Dropped.CORRUPT))
            )

    def delete(self, seqs: Iterable[int]) -> None:
        """Forget rows that the broker acknowledged.

        Raises:
            DeliveryError: The disk failed; the rows are still there.
        """
        wanted = [(seq,) for seq in seqs]
        if not wanted:
            return

        def forget(db: sqlite3.Connection) -> None:
            gone: list[tuple[int, int]] = []
            with _lazily(db), _transaction(db):
                for seq in wanted:
                    gone += db.execute("SELECT priority, length(payload) FROM outbox WHERE seq = ?", seq).fetchall()
                    db.execute("DELETE FROM outbox WHERE seq = ?", seq)
            self._book_gone(gone)

        with self._lock:
            self._attempt("delete acknowledged events", self._with_reserve(forget))

    def unretain(self, seqs: Iterable[int]) -> None:
        """Send these rows without the retain flag from now on.

        Raises:
            DeliveryError: The disk failed; nothing changed.
        """
        wanted = [(seq,) for seq in seqs]

        def mark(db: sqlite3.Connection) -> None:
            with _transaction(db):
                db.executemany("UPDATE outbox SET retain = 0 WHERE seq = ?", wanted)

        with self._lock:
            self._attempt("mark events that are out of date", self._with_reserve(mark))

    def maintain(self, now_ns: int | None) -> None:
        """Drop what is too old, and occupy the reserve again once the disk has room.

        Raises:
            DeliveryError: The disk failed.
        """
        with self._lock:
            if now_ns is not None:
                oldest_ns = now_ns - int(self._limits.max_age_s * 1e9)
                where = f"priority = {Priority.RESULT:d} AND clock_synced = 1 AND occurred_ns < {oldest_ns:d}"
                self._attempt("drop old results", self._with_reserve(lambda db: self._drop(db, where, Dropped.AGE)))
            self._grow_again()

    @property
    def last_seq(self) -> int:
        """The place of the newest row ever accepted by this process, or found in the file."""
        with self._lock:
            return self._last_seq

    def stats(self) -> OutboxStats:
        """The books; they need no disk but for the oldest event, which is None while the disk fails."""
        query = "SELECT occurred_ns FROM outbox WHERE priority = ? ORDER BY seq LIMIT 1"
        with self._lock:
            firsts: list[int] = []
            if self._db is not None:
                with contextlib.suppress(sqlite3.Error):  # counted by the next operation that needs the row
                    for priority in Priority:
                        firsts += [ns for (ns,) in self._db.execute(query, (int(priority),))]
            return OutboxStats(
                rows=dict(self._rows),
                payload_bytes=self._payload_bytes,
                accepted=self._accepted,
                dropped=dict(self._dropped),
                errors=dict(self._errors),
                files_set_aside=self._files_set_aside,
                oldest_occurred_ns=min(firsts, default=None),
            )

    def close(self) -> None:
        """Free the file."""
        with self._lock:
            self._closed = True
            self._disconnect()

    # Everything below runs with the lock held.

    def _attempt(self, what: str, operation: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run an operation on the open file; mend what can be mended, count and type what cannot."""
        if self._closed:
            raise DeliveryError(Failure.CLOSED, f"cannot {what}: the outbox {self._path} is closed")
        try:
            try:
                return operation(self._connected())
            except sqlite3.Error as error:
                if failure_of(error) is not Failure.CORRUPT:
                    raise
                self._begin_anew(error)
                return operation(self._connected())
        except sqlite3.Error as error:
            failure = failure_of(error)
            self._count(failure)
            if failure is not Failure.DISK_FULL:
                self._disconnect()
            raise DeliveryError(failure, f"cannot {what}: outbox {self._path}: {error}") from error

    def _connected(self) -> sqlite3.Connection:
        if self._db is None:
            db = open_file(self._path, max_bytes=self._limits.max_bytes)
            self._rows = dict.fromkeys(Priority, 0)
            self._payload_bytes = 0
            query = "SELECT priority, count(*), sum(length(payload)), max(seq) FROM outbox GROUP BY priority"
            for priority, rows, payload_bytes, last_seq in db.execute(query):
                self._rows[Priority(priority)] = rows
                self._payload_bytes += payload_bytes
                self._last_seq = max(self._last_seq, last_seq)
            self._db = db
            self._disk_full = False
        return self._db

    def _begin_anew(self, error: sqlite3.Error) -> None:
        known_rows = sum(self._rows.values()) if self._db is not None else 0
        self._disconnect()
        target = set_aside(self._path)
        self._files_set_aside += 1
        self._dropped[Dropped.CORRUPT] += known_rows
        self._rows = dict.fromkeys(Priority, 0)
        self._payload_bytes = 0
        _log.error("outbox %s is damaged (%s): set aside as %s, a new one begins", self._path, error, target)

    def _disconnect(self) -> None:
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):  # closing is all that is left to do with it
                self._db.close()
            self._db = None

    def _insert_with_room(self, db: sqlite3.Connection, message: Message) -> None:
        while True:
            try:
                self._insert(db, message)
                return
            except sqlite3.OperationalError as error:
                if failure_of(error) is not Failure.DISK_FULL:
                    raise
                self._make_room(db, message)

    def _insert_together(self, db: sqlite3.Connection, messages: Sequence[Message]) -> None:
        with _transaction(db):
            added = [
                (message.priority, stored_bytes)
                for n, message in enumerate(messages)
                if (stored_bytes := self._add(db, message, self._last_seq + 1 + n))
            ]
        self._last_seq += len(messages)
        self._book_added(added)

    def _insert(self, db: sqlite3.Connection, message: Message) -> None:
        if stored_bytes := self._add(db, message, self._last_seq + 1):
            self._last_seq += 1
            self._book_added([(message.priority, stored_bytes)])

    def _add(self, db: sqlite3.Connection, message: Message, seq: int) -> int:
        """Write one row; how many bytes its payload takes, 0 where its id is there already."""
        stored = pack(message.payload)
        values = (
            seq, message.event_id, message.topic, stored, int(message.priority),
            message.retain, message.occurred_ns, message.clock_synced,
        )  # fmt: skip
        inserted = db.execute(
            f"INSERT INTO outbox (seq, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (event_id) DO NOTHING",
            values,
        ).rowcount
        return len(stored) if inserted > 0 else 0

    def _book_added(self, added: Iterable[tuple[Priority, int]]) -> None:
        for priority, stored_bytes in added:
            self._rows[priority] += 1
            self._payload_bytes += stored_bytes
            self._accepted += 1

    def _make_room(self, db: sqlite3.Connection, message: Message) -> None:
        """Free some room for a message, or raise when nothing may be given up for it."""
        at_cap = self._at_cap(db)
        if not at_cap and not self._disk_full:
            self._stop_growing(db)
            return
        if not at_cap:
            db.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
        where = f"seq IN (SELECT seq FROM outbox WHERE priority = {Priority.RESULT:d} ORDER BY seq LIMIT {_DROP_BATCH})"
        reason = Dropped.DISK_FULL if self._disk_full else Dropped.CAP
        if self._rows[Priority.RESULT] == 0 or not self._drop(db, where, reason):
            failure, mend = (
                (Failure.DISK_FULL, "free disk space") if self._disk_full else (Failure.FULL, "raise its max_bytes")
            )
            self._count(failure)
            raise DeliveryError(
                failure,
                f"cannot store event {message.event_id}: outbox {self._path} is full of alarms and states; {mend}",
            )

    def _stop_growing(self, db: sqlite3.Connection) -> None:
        """Live in the pages there are, for the disk is full.

        The reserve's room is for the journal, which even a delete writes to, and for what it still owes the file.
        """
        release_reserve(self._reserve_path)
        db.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count={pages}")
        db.execute(f"PRAGMA wal_autocheckpoint={EMERGENCY_WAL_PAGES}")
        self._disk_full = True
        _log.error("no disk space for outbox %s: the oldest results make room for what is new", self._path)

    def _grow_again(self) -> None:
        if not make_reserve(self._reserve_path, self._limits.reserve_bytes) or not self._disk_full:
            return
        self._disk_full = False
        if self._db is not None:
            set_limits(self._db, self._limits.max_bytes)
        _log.info("disk space for outbox %s again", self._path)

    def _at_cap(self, db: sqlite3.Connection) -> bool:
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        (most,) = db.execute("PRAGMA max_page_count").fetchone()
        (free,) = db.execute("PRAGMA freelist_count").fetchone()
        # A message may need some pages at once: payload overflow, two indices, their parents.
        return int(pages) - int(free) + 80 >= int(most) or int(pages) >= int(most)

    def _with_reserve(self, operation: Callable[[sqlite3.Connection], _T]) -> Callable[[sqlite3.Connection], _T]:
        """Let an operation that frees room use the reserve when the disk is full (SQLite's WAL grows to delete)."""

        def run(db: sqlite3.Connection) -> _T:
            try:
                return operation(db)
            except sqlite3.OperationalError as error:
                if failure_of(error) is not Failure.DISK_FULL or not release_reserve(self._reserve_path):
                    raise
                return operation(db)

        return run

    def _drop(self, db: sqlite3.Connection, where: str, reason: Dropped) -> int:
        with _transaction(db):
            gone = db.execute(f"SELECT priority, length(payload) FROM outbox WHERE {where}").fetchall()
            db.execute(f"DELETE FROM outbox WHERE {where}")
        self._book_gone(gone)
        self._dropped[reason] += len(gone)
        return len(gone)

    def _book_gone(self, gone: list[tuple[int, int]]) -> None:
        for priority, payload_bytes in gone:
            self._rows[Priority(priority)] -= 1
            self._payload_bytes -= payload_bytes

    def _count(self, failure: Failure) -> None:
        self._errors[failure] = self._errors.get(failure, 0) + 1


@contextlib.contextmanager
def _lazily(db: sqlite3.Connection) -> Iterator[None]:
    """Commit without waiting for the disk: what is undone by a power cut happens again, an event is sent once more.

    The next commit that waits covers these, too; the file is whole either way (WAL).
    """
    db.execute("PRAGMA synchronous=NORMAL")
    try:
        yield
    finally:
        db.execute("PRAGMA synchronous=FULL")


@contextlib.contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
