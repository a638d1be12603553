"""Rows of the outbox's file: how a message is written, found, read back and deleted."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator

from edge_agent.delivery.errors import DeliveryError, Failure
from edge_agent.delivery.message import Message, Priority
from edge_agent.delivery.outbox import Row
from edge_agent.delivery.payload_codec import pack, unpack

Gone = list[tuple[int, int]]
"""Priority and stored bytes of rows that were deleted."""

_COLUMNS = "event_id, topic, payload, priority, retain, occurred_ns, clock_synced"
_INSERT = f"INSERT INTO outbox (seq, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (event_id) DO NOTHING"
# texts as bytes: where they are none, SQLite's own decoding would fail for all rows that are read with it
_SELECT = """SELECT seq, CAST(event_id AS BLOB), CAST(topic AS BLOB), payload, priority, retain, occurred_ns,
clock_synced FROM outbox WHERE priority = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?"""
_FIRST = "SELECT occurred_ns FROM outbox WHERE priority = ? ORDER BY seq LIMIT 1"
_CENSUS = "SELECT priority, count(*), total(length(payload)), max(seq) FROM outbox GROUP BY priority"
_MAX_TOPIC_BYTES = 65_535
_LANES = tuple(int(priority) for priority in Priority)

StoredRow = tuple[int, object, object, object, int, object, object, object]
"""A row as it lies in the file, damaged or not; `decoded` makes a message of it."""


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
    if not isinstance(payload, bytes) or not isinstance(occurred_ns, int):
        raise DeliveryError(Failure.CORRUPT, f"row {seq} holds values of another type than were written")
    message = Message(
        _text(event_id), _topic(topic), unpack(payload), Priority(priority), bool(retain), occurred_ns, bool(synced)
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
    return [(priority, int(payload_bytes or 0)) for priority, payload_bytes in found]


def first_to_go(priority: Priority, count: int) -> str:
    """The condition of the rows of a lane that are given up first: the oldest, and last words of topics at the end."""
    lane = f"FROM outbox WHERE priority = {priority:d}"
    if priority is Priority.RESULT:  # a result is nobody's last word
        return f"seq IN (SELECT seq {lane} ORDER BY seq LIMIT {count:d})"
    last_words = f"SELECT max(seq) {lane} GROUP BY topic"
    return f"seq IN (SELECT seq {lane} ORDER BY seq IN ({last_words}), seq LIMIT {count:d})"


def unretain(db: sqlite3.Connection, seqs: Iterable[int]) -> None:
    """Take the retain flag from rows."""
    db.executemany("UPDATE outbox SET retain = 0 WHERE seq = ?", [(seq,) for seq in seqs])


def census(db: sqlite3.Connection) -> list[tuple[Priority, int, int, int]]:
    """Rows, bytes of their payloads and newest place, of each priority that has any."""
    return [
        (Priority(priority), rows, int(payload_bytes), last_seq)
        for priority, rows, payload_bytes, last_seq in db.execute(_CENSUS)
        if priority in _LANES
    ]


def check(db: sqlite3.Connection) -> None:
    """Prepare what writes and reads rows.

    Raises:
        sqlite3.OperationalError: The table is not the outbox's.
    """
    db.execute(f"EXPLAIN {_INSERT}", (None,) * 8)
    db.execute(f"EXPLAIN {_SELECT}", (None,) * 4)


def in_no_lane() -> str:
    """The condition of rows that nothing would ever read, for their priority is damaged."""
    return f"priority NOT IN ({', '.join(map(str, _LANES))})"


def oldest_occurred_ns(db: sqlite3.Connection) -> int | None:
    """When the oldest of the events happened that are first in their lanes."""
    firsts = [ns for priority in Priority for (ns,) in db.execute(_FIRST, (int(priority),))]
    return min((ns for ns in firsts if isinstance(ns, int)), default=None)


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


def _text(stored: object) -> str:
    try:
        if isinstance(stored, bytes):
            return stored.decode()
    except UnicodeDecodeError as error:
        raise DeliveryError(Failure.CORRUPT, f"it holds a text that is none: {error}") from error
    raise DeliveryError(Failure.CORRUPT, "it holds something else where a text was written")


def _topic(stored: object) -> str:
    """What no broker takes must not leave the outbox: the connection would end with it, again and again."""
    topic = _text(stored)
    if not 0 < len(topic.encode()) <= _MAX_TOPIC_BYTES or any(sign in topic for sign in "+#\0"):
        raise DeliveryError(Failure.CORRUPT, f"nothing can be published to the topic {topic[:200]!r}")
    return topic
