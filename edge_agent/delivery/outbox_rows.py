"""Rows of the outbox's file: how a message is written, found, read back and deleted."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator

from edge_agent.delivery.message import Message, Priority
from edge_agent.delivery.outbox import Row
from edge_agent.delivery.payload_codec import pack, unpack

Gone = list[tuple[Priority, int]]
"""Priority and stored bytes of rows that were deleted."""

_COLUMNS = "event_id, topic, payload, priority, retain, occurred_ns, clock_synced"
_INSERT = f"INSERT INTO outbox (seq, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (event_id) DO NOTHING"
_SELECT = f"SELECT seq, {_COLUMNS} FROM outbox WHERE priority = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
_FIRST = "SELECT occurred_ns FROM outbox WHERE priority = ? ORDER BY seq LIMIT 1"
_CENSUS = "SELECT priority, count(*), sum(length(payload)), max(seq) FROM outbox GROUP BY priority"

StoredRow = tuple[int, str, str, bytes, int, int, int, int]
"""A row as it lies in the file; `decoded` makes a message of it."""


def add(db: sqlite3.Connection, message: Message, seq: int) -> int:
    """Write one row; how many bytes its payload takes, 0 where its id is there already."""
    stored = pack(message.payload)
    values = (
        seq, message.event_id, message.topic, stored, int(message.priority),
        message.retain, message.occurred_ns, message.clock_synced,
    )  # fmt: skip
    return len(stored) if db.execute(_INSERT, values).rowcount > 0 else 0


def find(db: sqlite3.Connection, priority: Priority, after_seq: int, through_seq: int, limit: int) -> list[StoredRow]:
    """The oldest rows of one priority in a range."""
    return db.execute(_SELECT, (int(priority), after_seq, through_seq, limit)).fetchall()


def decoded(stored: StoredRow) -> Row:
    """The message of a row.

    Raises:
        DeliveryError: The row is damaged.
    """
    seq, event_id, topic, payload, priority, retain, occurred_ns, synced = stored
    message = Message(
        event_id, topic, unpack(payload), Priority(priority), bool(retain), occurred_ns, clock_synced=bool(synced)
    )
    return Row(seq, message)


def forget(db: sqlite3.Connection, seqs: Iterable[int]) -> Gone:
    """Delete rows by their places."""
    gone: Gone = []
    for seq in seqs:
        gone += forget_where(db, f"seq = {seq:d}")
    return gone


def forget_where(db: sqlite3.Connection, where: str) -> Gone:
    """Delete the rows that a condition of numbers holds for."""
    found = db.execute(f"SELECT priority, length(payload) FROM outbox WHERE {where}").fetchall()
    db.execute(f"DELETE FROM outbox WHERE {where}")
    return [(Priority(priority), payload_bytes) for priority, payload_bytes in found]


def unretain(db: sqlite3.Connection, seqs: Iterable[int]) -> None:
    """Take the retain flag from rows."""
    db.executemany("UPDATE outbox SET retain = 0 WHERE seq = ?", [(seq,) for seq in seqs])


def census(db: sqlite3.Connection) -> list[tuple[Priority, int, int, int]]:
    """Rows, bytes of their payloads and newest place, of each priority that has any."""
    return [(Priority(priority), *counts) for priority, *counts in db.execute(_CENSUS)]


def oldest_occurred_ns(db: sqlite3.Connection) -> int | None:
    """When the oldest of the events happened that are first in their lanes."""
    firsts = [ns for priority in Priority for (ns,) in db.execute(_FIRST, (int(priority),))]
    return min(firsts, default=None)


@contextlib.contextmanager
def lazily(db: sqlite3.Connection) -> Iterator[None]:
    """Commit without waiting for the disk: what is undone by a power cut happens again, an event is sent once more.

    The next commit that waits covers these, too; the file is whole either way (WAL).
    """
    db.execute("PRAGMA synchronous=NORMAL")
    try:
        yield
    finally:
        db.execute("PRAGMA synchronous=FULL")


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All that is done within is committed at the end, or none of it."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
