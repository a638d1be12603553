"""The outbox on disk: what it accepted survives kill -9, power cuts, full disks and damaged files."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from edge_agent.delivery import outbox_rows
from edge_agent.delivery.errors import DeliveryError, Failure
from edge_agent.delivery.message import Message, Priority
from edge_agent.delivery.outbox import Dropped, OutboxLimits, OutboxStats, Row
from edge_agent.delivery.outbox_books import OutboxBooks
from edge_agent.delivery.outbox_connection import OutboxConnection
from edge_agent.delivery.outbox_file import failure_of
from edge_agent.delivery.outbox_room import OutboxRoom
from edge_agent.delivery.outbox_rows import lazily, transaction

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_HIGH_SEQ = 1 << 60
_LAST_SEQ = (1 << 63) - 1


class SqliteOutbox:
    """An outbox in one SQLite file of its own, see `Outbox` for the promise.

    At the cap (`max_page_count`) and on a full disk the oldest results are given up, counted, so that newer events
    and above all alarms get in; where there are none, the oldest states for alarms and newer states. A file that is
    damaged is set aside as `<name>.corrupt` and a new one begun. After an I/O error the file is closed, and opened
    again by the next call.

    Args:
        path: The file; its directory must exist.
        limits: How much may wait.
        patient: A disk that fails or is full at the start is tried again later; without it, it is an error.

    Raises:
        DeliveryError: The file cannot be opened or another process holds it.
    """

    def __init__(self, path: Path, limits: OutboxLimits | None = None, *, patient: bool = False) -> None:
        self._path = path
        self._limits = limits or OutboxLimits()
        self._lock = threading.Lock()
        self._closed = False
        self._last_seq = 0
        self._books = OutboxBooks()
        self._room = OutboxRoom(path, self._limits, self._books)
        self._connection = OutboxConnection(path, self._limits, self._books, self._room)
        with self._lock:
            try:
                self._attempt("open", lambda db: None)
            except DeliveryError as error:
                if not patient or error.failure not in (Failure.IO, Failure.DISK_FULL):
                    raise
                _log.error("%s; tried again at every event", error)
                self._last_seq = _above_every_row()
            else:
                self._room.reserve()

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

    def adopt(self, row: Row) -> None:
        """Take over a row with its place; an id that is there already changes nothing.

        Raises:
            DeliveryError: It was not taken over.
        """
        with self._lock:
            self._attempt(
                f"take over event {row.message.event_id}",
                lambda db: self._insert_with_room(db, row.message, row.seq, new=False),  # accepted when it came
            )

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
        through = _LAST_SEQ if through_seq is None else through_seq
        rows: list[Row] = []
        while (wanted := limit - len(rows)) > 0:
            reading = partial(
                outbox_rows.find, priority=priority, after_seq=after_seq, through_seq=through, limit=wanted
            )
            with self._lock:
                found = self._attempt("read", reading)
            for stored in found:
                after_seq = stored[0]
                try:
                    rows.append(outbox_rows.decoded(stored))
                except DeliveryError as error:
                    self._give_up(stored[0], error)
            if len(found) < wanted:
                break
        return tuple(rows)

    def _give_up(self, seq: int, error: DeliveryError) -> None:
        """A row that cannot be read would be met again for ever."""
        _log.error("an event is given up: %s", error)
        with self._lock, contextlib.suppress(DeliveryError):  # counted, and met again; it holds up none of the others
            self._drop("drop a damaged event", f"seq = {seq:d}", Dropped.CORRUPT)

    def delete(self, seqs: Iterable[int]) -> None:
        """Forget rows that the broker acknowledged.

        Raises:
            DeliveryError: The disk failed; the rows are still there.
        """
        wanted = list(seqs)
        if not wanted:
            return

        def forget(db: sqlite3.Connection) -> None:
            with lazily(db), transaction(db):
                gone = outbox_rows.forget(db, wanted)
            self._books.left(gone)

        with self._lock:
            self._attempt("delete acknowledged events", self._room.with_reserve(forget))

    def unretain(self, seqs: Iterable[int]) -> None:
        """Send these rows without the retain flag from now on.

        Raises:
            DeliveryError: The disk failed; nothing changed.
        """
        wanted = list(seqs)

        def mark(db: sqlite3.Connection) -> None:
            with transaction(db):
                outbox_rows.unretain(db, wanted)

        with self._lock:
            self._attempt("mark events that are out of date", self._room.with_reserve(mark))

    def maintain(self, now_ns: int | None) -> None:
        """Drop what is too old, and occupy the reserve again once the disk has room.

        Raises:
            DeliveryError: The disk failed.
        """
        with self._lock:
            if now_ns is not None:
                oldest_ns = now_ns - int(self._limits.max_age_s * 1e9)
                where = f"priority = {Priority.RESULT:d} AND clock_synced = 1 AND occurred_ns < {oldest_ns:d}"
                self._drop("drop old results", where, Dropped.AGE)
            self._room.grow_again(self._connection.db)

    @property
    def last_seq(self) -> int:
        """The place of the newest row ever accepted by this process, or found in the file."""
        with self._lock:
            return self._last_seq

    def stats(self) -> OutboxStats:
        """The books; they need no disk but for the oldest event, which is None while the disk fails."""
        with self._lock:
            oldest_ns: int | None = None
            if self._connection.db is not None:
                with contextlib.suppress(sqlite3.Error):  # counted by the next operation that needs the row
                    oldest_ns = outbox_rows.oldest_occurred_ns(self._connection.db)
            return self._books.stats(oldest_ns)

    def close(self) -> None:
        """Free the file."""
        with self._lock:
            self._closed = True
            self._connection.close()

    # Everything below runs with the lock held.

    def _attempt(self, what: str, operation: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run an operation on the open file; mend what can be mended, count and type what cannot."""
        if self._closed:
            raise DeliveryError(Failure.CLOSED, f"cannot {what}: the outbox {self._path} is closed")
        try:
            try:
                return operation(self._open_db())
            except sqlite3.Error as error:
                if failure_of(error) is not Failure.CORRUPT:
                    raise
                self._connection.begin_anew(error)
                return operation(self._open_db())
        except sqlite3.Error as error:
            failure = failure_of(error)
            self._books.failed(failure)
            if failure is not Failure.DISK_FULL:
                self._connection.close()
            mend = "; give each agent a state directory of its own" if failure is Failure.IN_USE else ""
            raise DeliveryError(failure, f"cannot {what}: outbox {self._path}: {error}{mend}") from error

    def _open_db(self) -> sqlite3.Connection:
        db = self._connection.opened()
        self._last_seq = max(self._last_seq, self._connection.newest_seq)
        return db

    def _insert_with_room(
        self, db: sqlite3.Connection, message: Message, seq: int | None = None, *, new: bool = True
    ) -> None:
        """Write one row, under a place of its own where it has none yet."""
        while True:
            try:
                stored_bytes = outbox_rows.add(db, message, self._last_seq + 1 if seq is None else seq)
            except sqlite3.IntegrityError:
                if seq is None:
                    raise
                seq = None  # another event has its place
            except sqlite3.OperationalError as error:
                if failure_of(error) is not Failure.DISK_FULL:
                    raise
                self._room.make(db, message)
            else:
                break
        if stored_bytes:
            self._last_seq = max(self._last_seq, self._last_seq + 1 if seq is None else seq)
            self._books.came([(message.priority, stored_bytes)], new=new)

    def _insert_together(self, db: sqlite3.Connection, messages: Sequence[Message]) -> None:
        while True:
            try:
                with transaction(db):
                    added = [
                        (message.priority, outbox_rows.add(db, message, self._last_seq + 1 + n))
                        for n, message in enumerate(messages)
                    ]
            except sqlite3.OperationalError as error:
                if failure_of(error) is not Failure.DISK_FULL:
                    raise
                self._room.make(db, max(messages, key=lambda message: message.priority))  # as for the least of them
            else:
                break
        self._last_seq += len(messages)
        self._books.came((priority, stored_bytes) for priority, stored_bytes in added if stored_bytes)

    def _drop(self, what: str, where: str, reason: Dropped) -> None:
        self._attempt(what, self._room.with_reserve(lambda db: self._room.drop(db, where, reason)))


def _above_every_row() -> int:
    """A place above all that a file may hold that cannot be opened, and unlike the one of any start before."""
    return max(time.time_ns(), _HIGH_SEQ) + int.from_bytes(os.urandom(4), "big")
