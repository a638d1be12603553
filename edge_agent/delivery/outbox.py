"""What every outbox promises, its limits and its books; and the one in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol, runtime_checkable

from edge_agent.delivery.errors import DeliveryError, Failure
from edge_agent.delivery.message import Message, Priority

ROW_OVERHEAD_BYTES = 200
"""What a row costs beside its payload; only the outbox in memory reckons with it."""


class Dropped(StrEnum):
    """Why an accepted event was given up; a bounded set, for it labels a metric."""

    CAP = "cap"
    """The outbox was at its cap: the oldest went of what is worth less."""
    AGE = "age"
    """A result older than the limit."""
    DISK_FULL = "disk_full"
    """The file system was full: the oldest went of what is worth less."""
    CORRUPT = "corrupt"
    """It was in a file found damaged while running."""


@dataclass(frozen=True, slots=True)
class OutboxLimits:
    """How much may wait.

    Attributes:
        max_bytes: Size of the file, without its journal (at most 4 MiB more) and reserve.
        max_age_s: Results older than this are dropped; alarms and states never are.
        reserve_bytes: Kept aside so that rows can be deleted on a full disk.
    """

    max_bytes: int = 512 * 1024 * 1024
    max_age_s: float = 14 * 86_400
    reserve_bytes: int = 1024 * 1024

    def __post_init__(self) -> None:
        """Refuse limits with which nothing can be kept."""
        if self.max_bytes < 64 * 1024:
            raise DeliveryError(Failure.INVALID, f"outbox max_bytes {self.max_bytes} must be at least 65536")
        if self.max_age_s <= 0 or self.reserve_bytes < 0:
            raise DeliveryError(
                Failure.INVALID, f"outbox max_age_s {self.max_age_s} must be above 0 and reserve_bytes not negative"
            )


def lanes_given_up_for(message: Message) -> tuple[Priority, ...]:
    """What may be given up to make room for a message, in this order: results for all, states not for results.

    Alarms are given up for nothing.
    """
    return (Priority.RESULT,) if message.priority is Priority.RESULT else (Priority.RESULT, Priority.STATE)


@dataclass(frozen=True, slots=True)
class Row:
    """A message with its place: `seq` grows with every accepted one and is never used twice in a process."""

    seq: int
    message: Message


class PartialReadError(DeliveryError):
    """The disk failed to read, but some rows lie elsewhere.

    Attributes:
        rows: They, in order; older ones may lie on the disk.
    """

    def __init__(self, cause: DeliveryError, rows: tuple[Row, ...]) -> None:
        super().__init__(cause.failure, str(cause))
        self.rows = rows


@dataclass(frozen=True, slots=True)
class OutboxStats:
    """The books of an outbox at one moment.

    Attributes:
        rows: Waiting, by priority.
        payload_bytes: Waiting, as they are kept.
        accepted: Accepted since the process started.
        dropped: Given up since the process started, by reason.
        errors: Operations that failed since the process started, by reason; they are retried.
        files_set_aside: Damaged files put aside since the process started.
        oldest_occurred_ns: Wall time of the oldest event that waits; None when none does.
    """

    rows: Mapping[Priority, int]
    payload_bytes: int
    accepted: int
    dropped: Mapping[Dropped, int]
    errors: Mapping[Failure, int]
    files_set_aside: int
    oldest_occurred_ns: int | None

    @property
    def total_rows(self) -> int:
        """Waiting, all priorities together."""
        return sum(self.rows.values())


@runtime_checkable
class Outbox(Protocol):
    """Keeps events until the broker has them.

    The promise, held by every implementation (`tests/delivery/test_outbox_contract.py`):

    * What `put` returned for is kept, through any end of the process, until `delete` or a counted drop.
    * Rows come back in the order they were put, within a priority.
    * Every method may be called from any thread; a lock inside makes them one writer.
    """

    def put(self, message: Message) -> None:
        """Accept an event; it is kept when this returns. The same id again changes nothing.

        Raises:
            DeliveryError: It was not accepted; worth trying again unless `Failure.CLOSED` or `TOO_LARGE`.
        """

    def put_all(self, messages: Sequence[Message]) -> None:
        """Accept events together, which is cheaper than one by one; all are kept when this returns.

        Raises:
            DeliveryError: Not all were accepted, perhaps none; `put` each of them, which repeats none.
        """

    def read(
        self, priority: Priority, *, after_seq: int, through_seq: int | None = None, limit: int
    ) -> tuple[Row, ...]:
        """The oldest rows of one priority with `after_seq < seq <= through_seq`, at most `limit`.

        Raises:
            PartialReadError: The disk failed, and older rows may lie on it than those that the error carries.
            DeliveryError: The disk failed; nothing changed.
        """

    def delete(self, seqs: Iterable[int]) -> None:
        """Forget rows that the broker acknowledged; one that is gone already is no error.

        Raises:
            DeliveryError: The disk failed; the rows are still there and may be sent again.
        """

    def unretain(self, seqs: Iterable[int]) -> None:
        """Send these rows without the retain flag from now on, for a newer event of their topic was sent.

        Raises:
            DeliveryError: The disk failed; nothing changed.
        """

    def maintain(self, now_ns: int | None) -> None:
        """Drop what is too old and mend what was given up in an emergency; call about once a minute.

        Args:
            now_ns: Wall time; None while the clock is not synchronised, and then nothing is too old.
        """

    @property
    def last_seq(self) -> int:
        """The place of the newest row ever accepted; 0 before the first."""

    def stats(self) -> OutboxStats:
        """The books."""

    def close(self) -> None:
        """Free the file; every other method fails afterwards. Calling it again does nothing."""


class MemoryOutbox:
    """The promise without a disk: for tests, and for a site that asks for no persistence."""

    def __init__(self, limits: OutboxLimits | None = None) -> None:
        self._limits = limits or OutboxLimits()
        self._lock = threading.Lock()
        self._rows: dict[Priority, dict[int, Message]] = {priority: {} for priority in Priority}
        self._ids: set[str] = set()
        self._last_seq = 0
        self._bytes = 0
        self._payload_bytes = 0
        self._accepted = 0
        self._dropped = dict.fromkeys(Dropped, 0)
        self._errors: dict[Failure, int] = {}
        self._closed = False

    def put(self, message: Message) -> None:
        """Accept an event."""
        with self._lock:
            self._check_open()
            if message.event_id in self._ids:
                return
            size = _size(message)
            for priority in lanes_given_up_for(message):
                while self._bytes + size > self._limits.max_bytes and self._rows[priority]:
                    self._forget(priority, self._first_to_go(priority))
                    self._dropped[Dropped.CAP] += 1
            if self._bytes + size > self._limits.max_bytes:
                self._errors[Failure.FULL] = self._errors.get(Failure.FULL, 0) + 1
                raise DeliveryError(
                    Failure.FULL,
                    f"outbox holds {self._bytes} bytes of what is worth as much as event {message.event_id}: "
                    "raise its max_bytes",
                )
            self._last_seq += 1
            self._rows[message.priority][self._last_seq] = message
            self._ids.add(message.event_id)
            self._bytes += size
            self._payload_bytes += len(message.payload)
            self._accepted += 1

    def put_all(self, messages: Sequence[Message]) -> None:
        """Accept events one by one."""
        for message in messages:
            self.put(message)

    def read(
        self, priority: Priority, *, after_seq: int, through_seq: int | None = None, limit: int
    ) -> tuple[Row, ...]:
        """The oldest rows of one priority in a range."""
        with self._lock:
            self._check_open()
            found: list[Row] = []
            for seq, message in self._rows[priority].items():
                if len(found) >= limit or (through_seq is not None and seq > through_seq):
                    break
                if seq > after_seq:
                    found.append(Row(seq, message))
            return tuple(found)

    def delete(self, seqs: Iterable[int]) -> None:
        """Forget rows."""
        with self._lock:
            self._check_open()
            for seq in seqs:
                for priority, rows in self._rows.items():
                    if seq in rows:
                        self._forget(priority, seq)
                        break

    def unretain(self, seqs: Iterable[int]) -> None:
        """Send these rows without the retain flag."""
        with self._lock:
            self._check_open()
            for seq in seqs:
                for rows in self._rows.values():
                    if seq in rows:
                        rows[seq] = replace(rows[seq], retain=False)

    def maintain(self, now_ns: int | None) -> None:
        """Drop what is too old."""
        with self._lock:
            self._check_open()
            if now_ns is None:
                return
            oldest_ns = now_ns - int(self._limits.max_age_s * 1e9)
            aged = [s for s, m in self._rows[Priority.RESULT].items() if m.clock_synced and m.occurred_ns < oldest_ns]
            for seq in aged:
                self._forget(Priority.RESULT, seq)
            self._dropped[Dropped.AGE] += len(aged)

    @property
    def last_seq(self) -> int:
        """The place of the newest row."""
        with self._lock:
            return self._last_seq

    def stats(self) -> OutboxStats:
        """The books."""
        with self._lock:
            firsts = [next(iter(rows.values())).occurred_ns for rows in self._rows.values() if rows]
            return OutboxStats(
                rows={priority: len(rows) for priority, rows in self._rows.items()},
                payload_bytes=self._payload_bytes,
                accepted=self._accepted,
                dropped=dict(self._dropped),
                errors=dict(self._errors),
                files_set_aside=0,
                oldest_occurred_ns=min(firsts, default=None),
            )

    def skip_to(self, seq: int) -> None:
        """Places up to this one are taken by another outbox."""
        with self._lock:
            self._last_seq = max(self._last_seq, seq)

    def close(self) -> None:
        """Refuse everything from now on."""
        with self._lock:
            self._closed = True

    def _first_to_go(self, priority: Priority) -> int:
        """The oldest of a lane; of states, one that is not its topic's last word if there is any."""
        rows = self._rows[priority]
        if priority is Priority.RESULT:
            return next(iter(rows))
        last_words = set({message.topic: seq for seq, message in rows.items()}.values())
        return next((seq for seq in rows if seq not in last_words), next(iter(rows)))

    def _forget(self, priority: Priority, seq: int) -> None:
        message = self._rows[priority].pop(seq)
        self._ids.discard(message.event_id)
        self._bytes -= _size(message)
        self._payload_bytes -= len(message.payload)

    def _check_open(self) -> None:
        if self._closed:
            raise DeliveryError(Failure.CLOSED, "the outbox is closed")


def _size(message: Message) -> int:
    return len(message.payload) + len(message.topic) + ROW_OVERHEAD_BYTES
