"""Room in the outbox's file: what is given up at the cap and on a full disk, and the reserve that makes it possible."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from edge_agent.delivery import outbox_rows
from edge_agent.delivery.errors import DeliveryError, Failure
from edge_agent.delivery.message import Message, Priority
from edge_agent.delivery.outbox import Dropped, OutboxLimits, lanes_given_up_for
from edge_agent.delivery.outbox_books import OutboxBooks
from edge_agent.delivery.outbox_damage import RESERVE_SUFFIX
from edge_agent.delivery.outbox_file import (
    EMERGENCY_WAL_PAGES,
    failure_of,
    make_reserve,
    release_reserve,
    set_limits,
)
from edge_agent.delivery.outbox_rows import forget_where, transaction

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_DROP_BATCH = 64
_SPARE_PAGES = 80
"""A message may need some pages at once: payload overflow, two indices, their parents."""


class OutboxRoom:
    """Makes room for what is new by giving up the oldest of what is worth less, and lives through a full disk.

    SQLite's WAL grows even to delete: a reserve file beside the outbox is given back to a full disk, and occupied
    again once the disk has room.

    Args:
        path: The outbox's file.
        limits: How much may wait, and how large the reserve is.
        books: Told of what is given up.
    """

    def __init__(self, path: Path, limits: OutboxLimits, books: OutboxBooks) -> None:
        self._path = path
        self._reserve_path = path.with_name(path.name + RESERVE_SUFFIX)
        self._limits = limits
        self._books = books
        self._disk_full = False

    def reserve(self) -> bool:
        """Occupy the reserve; False when the disk has no room for it."""
        return make_reserve(self._reserve_path, self._limits.reserve_bytes)

    def opened(self, db: sqlite3.Connection) -> None:
        """The file was opened, with the limits of a disk that has room; one above its cap, which was lowered, shrinks.

        Where that fails, for the disk has no room for it, the file keeps its size, and the next start tries again.
        """
        self._disk_full = False
        (page_bytes,) = db.execute("PRAGMA page_size").fetchone()
        wanted_pages = self._limits.max_bytes // int(page_bytes)
        if _pages(db)[0] <= wanted_pages:
            return
        try:
            while _pages(db)[1] > wanted_pages and self._give_up_something(db, (Priority.RESULT,)):
                pass
            db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            set_limits(db, self._limits.max_bytes)
        except sqlite3.OperationalError as error:
            _log.warning("outbox %s is larger than its max_bytes, and does not shrink: %s", self._path, error)

    def make(self, db: sqlite3.Connection, message: Message) -> None:
        """Free some room for a message.

        Raises:
            DeliveryError: Nothing may be given up for it.
        """
        if not self._disk_full and not _at_cap(db):
            self._stop_growing(db)
            return
        if self._disk_full:
            db.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
        try:
            if self._give_up_something(db, lanes_given_up_for(message)):
                return
        except sqlite3.OperationalError as error:
            if failure_of(error) is not Failure.DISK_FULL or self._disk_full:
                raise
            self._stop_growing(db)  # at the cap, and the disk has no room for the journal either
            return
        failure, mend = (
            (Failure.DISK_FULL, "free disk space") if self._disk_full else (Failure.FULL, "raise its max_bytes")
        )
        self._books.failed(failure)
        raise DeliveryError(
            failure,
            f"cannot store event {message.event_id}: outbox {self._path} is full of what is worth as much; {mend}",
        )

    def _give_up_something(self, db: sqlite3.Connection, lanes: Sequence[Priority]) -> bool:
        reason = Dropped.DISK_FULL if self._disk_full else Dropped.CAP
        return any(
            self._books.rows[priority] and self.drop(db, outbox_rows.first_to_go(priority, _DROP_BATCH), reason)
            for priority in lanes
        )

    def drop(self, db: sqlite3.Connection, where: str, reason: Dropped) -> int:
        """Give up the rows that a condition holds for; how many they were."""
        with transaction(db):
            gone = forget_where(db, where)
        self._books.left(gone, reason)
        return len(gone)

    def with_reserve(self, operation: Callable[[sqlite3.Connection], _T]) -> Callable[[sqlite3.Connection], _T]:
        """Let an operation that frees room use the reserve when the disk is full (SQLite's WAL grows to delete)."""

        def run(db: sqlite3.Connection) -> _T:
            try:
                return operation(db)
            except sqlite3.OperationalError as error:
                if failure_of(error) is not Failure.DISK_FULL or not release_reserve(self._reserve_path):
                    raise
                return operation(db)

        return run

    def grow_again(self, db: sqlite3.Connection | None) -> None:
        """Occupy the reserve, and with it take the limits of a disk that has room again."""
        if not self.reserve() or not self._disk_full:
            return
        self._disk_full = False
        if db is not None:
            set_limits(db, self._limits.max_bytes)
        _log.info("disk space for outbox %s again", self._path)

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


def _at_cap(db: sqlite3.Connection) -> bool:
    pages, used = _pages(db)
    (most,) = db.execute("PRAGMA max_page_count").fetchone()
    return used + _SPARE_PAGES >= int(most) or pages >= int(most)


def _pages(db: sqlite3.Connection) -> tuple[int, int]:
    """Of the file, and those of them that hold something."""
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    (free,) = db.execute("PRAGMA freelist_count").fetchone()
    return int(pages), int(pages) - int(free)
