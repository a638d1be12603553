"""The outbox's file while it is in use: opened, opened again, put back, and begun anew where it is damaged."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from pathlib import Path

from edge_agent.delivery import outbox_rows
from edge_agent.delivery.errors import DeliveryError, Failure
from edge_agent.delivery.outbox import Dropped, OutboxLimits
from edge_agent.delivery.outbox_books import OutboxBooks
from edge_agent.delivery.outbox_damage import damaged, keep_copy_of_journal, look_at, set_aside
from edge_agent.delivery.outbox_file import copy_out, journal_frames, open_file, place_of
from edge_agent.delivery.outbox_journal import JournalMarks, marks_of
from edge_agent.delivery.outbox_room import OutboxRoom

_log = logging.getLogger(__name__)


class OutboxConnection:
    """Opens the file when it is needed; whoever holds the outbox's lock uses it.

    Args:
        path: The file.
        limits: How much may wait.
        books: Told of what a file holds that was opened, and of what was damaged.
        room: Told that the file was opened.

    Attributes:
        db: The open file; None while it is closed.
        newest_seq: The newest place that was found in a file.
    """

    def __init__(self, path: Path, limits: OutboxLimits, books: OutboxBooks, room: OutboxRoom) -> None:
        self._path = path
        self._limits = limits
        self._books = books
        self._room = room
        self._checked = False
        self._astray = False
        self._place: tuple[int, int] | None = None
        self.db: sqlite3.Connection | None = None
        self.newest_seq = 0

    def opened(self) -> sqlite3.Connection:
        """The open file; opened, and put back where it was taken away, first.

        Raises:
            sqlite3.Error: It cannot be opened, is damaged, or another process holds it.
            DeliveryError: Something damaged cannot be set aside.
        """
        if self.db is not None and place_of(self._path) != self._place:
            self._return_to_place(self.db)
        if self.db is None:
            if moved := look_at(self._path):
                self._books.set_aside(0, emptied=False)
                _log.error("the journal of outbox %s is damaged: set aside as %s", self._path, moved)
            marks = marks_of(self._path.with_name(self._path.name + "-wal"))
            try:
                self.db = self._open()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
                    raise
                raise damaged(str(error)) from error  # no such table, no such column, unsupported file format
            self._tell_of_what_the_journal_lost(self.db, marks)
        return self.db

    def _tell_of_what_the_journal_lost(self, db: sqlite3.Connection, marks: JournalMarks) -> None:
        if not marks.commits or (read := journal_frames(db)) is None or not marks.lost_behind(read):
            return
        self._books.set_aside(0, emptied=False)
        copy = keep_copy_of_journal(self._path)
        _log.error("the journal of outbox %s is damaged: what came after is lost, a copy is %s", self._path, copy)

    def _return_to_place(self, db: sqlite3.Connection) -> None:
        """The file was deleted or replaced: what is in it would end with this process.

        Where it cannot be put back it serves on, and the next call tries again.
        """
        copied, replaced = self._path.with_name(self._path.name + ".rescued"), os.path.lexists(self._path)
        try:
            copy_out(db, copied)
            set_aside(self._path)
            copied.replace(self._path)
        except (sqlite3.Error, OSError, DeliveryError) as error:
            self._books.failed(Failure.IO)
            if not self._astray:
                _log.error("outbox %s was deleted or replaced, and cannot be put back: %s", self._path, error)
            self._astray = True
            return
        self._astray = False
        self.close()
        self._books.files_set_aside += replaced
        _log.error("outbox %s was %s while in use: put back", self._path, "replaced" if replaced else "deleted")

    def _open(self) -> sqlite3.Connection:
        """Open the file, and enter what it holds."""
        db = open_file(self._path, max_bytes=self._limits.max_bytes, check=not self._checked)
        try:
            outbox_rows.check(db)
            self._take_stock(db)
        except BaseException:
            db.close()  # or its lock keeps the next attempt out
            raise
        self._checked = True
        self._place = place_of(self._path)
        return db

    def _take_stock(self, db: sqlite3.Connection) -> None:
        census = outbox_rows.census(db)
        self._books.waits((priority, rows, payload_bytes) for priority, rows, payload_bytes, _ in census)
        self.newest_seq = max([self.newest_seq, *(last_seq for *_, last_seq in census)])
        self._room.opened(db)
        with contextlib.suppress(sqlite3.Error):  # they take room, and nothing else
            self._room.drop(db, outbox_rows.in_no_lane(), Dropped.CORRUPT)

    def begin_anew(self, error: sqlite3.Error) -> None:
        """Set a damaged file aside, so that the next call opens a new one.

        Raises:
            DeliveryError: The directory cannot be written.
        """
        known_rows = sum(self._books.rows.values()) if self.db is not None else 0
        self.close()
        self._checked = False
        target = set_aside(self._path)
        self._books.set_aside(known_rows)
        _log.error("outbox %s is damaged (%s): set aside as %s, a new one begins", self._path, error, target)

    def close(self) -> None:
        """Free the file; the next call opens it again."""
        if self.db is not None:
            with contextlib.suppress(sqlite3.Error):  # closing is all that is left to do with it
                self.db.close()
            self.db = None
