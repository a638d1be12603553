"""Events that the broker acknowledged, kept on disk: a PUBACK says that they arrived, not that they stayed."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from edge_agent.delivery.errors import DeliveryError
from edge_agent.delivery.message import Message, Priority
from edge_agent.delivery.payload_codec import pack, unpack
from edge_agent.sync.database import SyncDatabase
from edge_agent.sync.errors import SyncError

_log = logging.getLogger(__name__)

FILE_NAME = "sent.db"
ROW_OVERHEAD_BYTES = 120
"""What a row and its place in two indices take beside the payload."""
_SLACK = 1.25
_BUSY_S = 0.05
_MOST_HELD = 1000
_REFUSED_WAIT_S = 5.0
_DROP_BATCH = 256
_NS_PER_DAY = 86_400 * 1_000_000_000
_SCHEMA = """
CREATE TABLE sent (
  seq INTEGER PRIMARY KEY, event_id TEXT NOT NULL UNIQUE, priority INTEGER NOT NULL, noted_ns INTEGER NOT NULL,
  reconciled INTEGER NOT NULL, payload BLOB NOT NULL
);
CREATE INDEX sent_waiting ON sent (seq) WHERE NOT reconciled;
"""


class Lost(StrEnum):
    """Why an event left the journal, or never got in, before the hub was known to have it; labels a metric."""

    CAP = "cap"
    """The journal was at its cap."""
    AGE = "age"
    """It was older than the limit."""
    DISK = "disk"
    """The disk refused it."""
    CORRUPT = "corrupt"
    """Its row could not be read."""


@dataclass(frozen=True, slots=True)
class JournalLimits:
    """How much is kept.

    Attributes:
        max_bytes: Most that it takes, without SQLite's own journal; above it reconciled results go first, alarms last.
        keep_days: How long results and states are kept.
        keep_alarms_days: How long alarms are kept.
    """

    max_bytes: int = 64 << 20
    keep_days: float = 7.0
    keep_alarms_days: float = 90.0


@dataclass(frozen=True, slots=True)
class SentEvent:
    """An event as it went to the broker."""

    seq: int
    event_id: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class JournalStats:
    """The journal's books.

    Attributes:
        waiting: Events of which it is not known yet whether the hub has them.
        reconciled: Events that the hub has.
        size_bytes: What they take.
        held: In memory, because the disk was busy or refused them.
        lost: Gone before they were reconciled, since the start, by why.
        files_set_aside: Damaged files.
    """

    waiting: int
    reconciled: int
    size_bytes: int
    held: int
    lost: tuple[tuple[str, int], ...]
    files_set_aside: int


class SentJournal:
    """`<state>/sent.db`. The publisher notes and flushes, the sync reads and marks; any thread, several processes.

    Publishing never waits for it longer than 50 ms and never fails by it: what the disk refuses is held in memory, up
    to a bound, and counted as lost beyond.

    Args:
        state_dir: Where it lies.
        limits: How much is kept.
        now_s: Monotonic time.
    """

    def __init__(self, state_dir: Path, limits: JournalLimits, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._now_s = now_s
        self._not_before_s = float("-inf")
        self._lock = threading.Lock()
        self._held: deque[tuple[str, int, int, bytes]] = deque()
        self._lost: Counter[str] = Counter()
        self._refused = ""
        most = int(limits.max_bytes * _SLACK)
        self._books: tuple[int, int, int] | None = None  # waiting, reconciled, bytes; as last counted or reckoned
        self._database = SyncDatabase(state_dir / FILE_NAME, _SCHEMA, max_bytes=most, busy_s=_BUSY_S)

    def note(self, message: Message, now_ns: int | None) -> None:
        """The broker acknowledged an event; it is on disk after the next `flush`. Does not wait.

        Args:
            message: The event.
            now_ns: Wall time; None while the clock is not synchronised: then it never grows too old.
        """
        row = (message.event_id, int(message.priority), now_ns or 0, pack(message.payload))
        with self._lock:
            self._held.append(row)
            if len(self._held) > _MOST_HELD:
                self._held.popleft()
                self._lost[Lost.DISK.value] += 1

    def flush(self) -> None:
        """Write what was noted, before the outbox forgets it; what the disk refuses stays in memory.

        After a refusal the disk is left alone for some seconds.
        """
        if self._now_s() >= self._not_before_s:
            self._write()

    def _write(self) -> None:
        with self._lock:
            values = list(self._held)
        if not values:
            return
        query = (
            "INSERT INTO sent (event_id, priority, noted_ns, reconciled, payload) VALUES (?, ?, ?, 0, ?) "
            "ON CONFLICT (event_id) DO NOTHING"
        )
        try:
            self._database.run(lambda db: db.executemany(query, values))
        except SyncError as error:
            if not self._refused:
                _log.error("events are sent, and not kept for the hub for now: %s", error)
            self._refused = str(error)
            self._not_before_s = self._now_s() + _REFUSED_WAIT_S
            return
        if self._refused:
            _log.info("events are kept for the hub again")
            self._refused = ""
        with self._lock:
            for row in values:
                if self._held and self._held[0] is row:
                    self._held.popleft()
            if self._books is not None:
                waiting, reconciled, size = self._books
                size += sum(len(stored) + ROW_OVERHEAD_BYTES for *_, stored in values)
                self._books = (waiting + len(values), reconciled, size)

    def waiting(
        self, *, noted_before_ns: int, limit: int, max_bytes: int, after_seq: int = 0, since_ns: int = 0
    ) -> tuple[SentEvent, ...]:
        """The oldest events of which it is not known whether the hub has them.

        Args:
            noted_before_ns: Only those that the broker acknowledged before this wall time.
            limit: Most events.
            max_bytes: Most bytes of all payloads together; one at least is returned.
            after_seq: Only those after this one.
            since_ns: Only those that were acknowledged at this wall time or later.

        Raises:
            SyncError: The disk refuses it.
        """
        query = (
            "SELECT seq, event_id, payload FROM sent WHERE NOT reconciled AND seq > ? AND noted_ns BETWEEN ? AND ? "
            "ORDER BY seq LIMIT ?"
        )
        values = (after_seq, since_ns, noted_before_ns, limit)
        rows = self._database.read(lambda db: db.execute(query, values).fetchall())
        found: list[SentEvent] = []
        size = 0
        for seq, event_id, stored in rows:
            try:
                payload = unpack(stored)
            except DeliveryError as error:
                _log.error("event %s is given up: %s", event_id, error)
                self._database.run(lambda db, seq=seq: db.execute("DELETE FROM sent WHERE seq = ?", (seq,)))  # type: ignore[misc]
                self._lost[Lost.CORRUPT.value] += 1
                continue
            size += len(payload)
            if found and size > max_bytes:
                break
            found.append(SentEvent(seq, event_id, payload))
        return tuple(found)

    def reconciled(self, seqs: Iterable[int]) -> None:
        """The hub has these, or will never take them.

        Raises:
            SyncError: The disk refuses it; they are asked for once more.
        """
        self._mark("UPDATE sent SET reconciled = 1 WHERE seq = ? AND NOT reconciled", [(seq,) for seq in seqs])

    def reconciled_ids(self, event_ids: Iterable[str]) -> None:
        """As `reconciled`, by the events' ids.

        Raises:
            SyncError: The disk refuses it.
        """
        query = "UPDATE sent SET reconciled = 1 WHERE event_id = ? AND NOT reconciled"
        self._mark(query, [(event_id,) for event_id in event_ids])

    def maintain(self, now_ns: int | None) -> None:
        """Drop what is too old or beyond the cap; call about once a minute.

        Args:
            now_ns: Wall time; None while the clock is not synchronised, and then nothing is too old.

        Raises:
            SyncError: The disk refuses it.
        """
        self._write()
        if now_ns is not None:
            old_ns = now_ns - round(self._limits.keep_days * _NS_PER_DAY)
            old_alarm_ns = now_ns - round(self._limits.keep_alarms_days * _NS_PER_DAY)
            where = "noted_ns > 0 AND noted_ns < CASE priority WHEN ? THEN ? ELSE ? END"
            values = (int(Priority.ALARM), old_alarm_ns, old_ns)
            self._count(Lost.AGE, self._database.run(lambda db: _drop(db, where, values)))
        # reconciled before waiting, alarms after all others, the oldest first
        where = (
            f"seq IN (SELECT seq FROM sent ORDER BY priority = {Priority.ALARM:d}, reconciled DESC, seq "
            f"LIMIT {_DROP_BATCH})"
        )
        while self._counted()[2] > self._limits.max_bytes:
            self._count(Lost.CAP, self._database.run(lambda db: _drop(db, where, ())))

    def stats(self) -> JournalStats:
        """The books.

        Raises:
            SyncError: The disk refuses it.
        """
        waiting, reconciled, size = self._books or self._counted()
        with self._lock:
            held = len(self._held)
        return JournalStats(
            waiting=waiting,
            reconciled=reconciled,
            size_bytes=size,
            held=held,
            lost=tuple((reason.value, self._lost[reason.value]) for reason in Lost),
            files_set_aside=self._database.files_set_aside,
        )

    def close(self) -> None:
        """Write what is held and free the file."""
        self._write()
        self._database.close()

    def _counted(self) -> tuple[int, int, int]:
        """Count anew what lies there."""
        query = (
            "SELECT coalesce(sum(NOT reconciled), 0), coalesce(sum(reconciled), 0), "
            f"coalesce(sum(length(payload) + {ROW_OVERHEAD_BYTES}), 0) FROM sent"
        )
        waiting, reconciled, size = self._database.read(lambda db: db.execute(query).fetchone())
        with self._lock:
            self._books = (int(waiting), int(reconciled), int(size))
            return self._books

    def _mark(self, query: str, values: Sequence[tuple[int | str]]) -> None:
        changed = self._database.run(lambda db: db.executemany(query, values).rowcount)
        with self._lock:
            if self._books is not None:
                waiting, reconciled, size = self._books
                self._books = (waiting - changed, reconciled + changed, size)

    def _count(self, why: Lost, unreconciled: int) -> None:
        self._lost[why.value] += unreconciled


def _drop(db: sqlite3.Connection, where: str, values: tuple[int, ...]) -> int:
    """Delete rows; how many of them were not reconciled."""
    (lost,) = db.execute(f"SELECT count(*) FROM sent WHERE NOT reconciled AND {where}", values).fetchone()
    db.execute(f"DELETE FROM sent WHERE {where}", values)
    return int(lost)
