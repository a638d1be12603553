"""An outbox on disk that goes on in memory while the disk refuses: alarms go out all the same."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from edge_agent.delivery.errors import DeliveryError, Failure
from edge_agent.delivery.message import Message, Priority
from edge_agent.delivery.outbox import MemoryOutbox, OutboxLimits, OutboxStats, PartialReadError, Row
from edge_agent.delivery.sqlite_outbox import SqliteOutbox

_log = logging.getLogger(__name__)

MEMORY_BYTES = 8 * 1024 * 1024
"""Some 2,700 results: seven and a half hours of one machine. At the cap the oldest results go, alarms never."""

_NOT_THE_DISK = frozenset({Failure.CLOSED, Failure.TOO_LARGE, Failure.INVALID, Failure.FULL})
_MOVED_AT_ONCE = 64


class SpillOutbox:
    """Keeps events on disk, and in memory those that the disk refuses, in one order.

    What is in memory is sent like everything else, and moves to the disk as soon as that takes it; it does not survive
    the end of the process. Places (`seq`) are given once over both, so that nothing is sent twice or passed over.

    Args:
        disk: The outbox on disk.
        memory_limits: How much may be held in memory.
        before_delete: Called before anything is forgotten; must return soon and not raise.
    """

    def __init__(
        self,
        disk: SqliteOutbox,
        memory_limits: OutboxLimits | None = None,
        *,
        before_delete: Callable[[], None] = lambda: None,
    ) -> None:
        self._disk = disk
        self._before_delete = before_delete
        self._memory = MemoryOutbox(memory_limits or OutboxLimits(max_bytes=MEMORY_BYTES))
        self._lock = threading.RLock()

    def put(self, message: Message) -> None:
        """Accept an event; only `Failure.CLOSED`, `TOO_LARGE` and a full memory refuse it."""
        with self._lock:
            if self._spilled and not self._move():
                self._spill(message)
                return
            try:
                self._disk.put(message)
            except DeliveryError as error:
                if error.failure in _NOT_THE_DISK:
                    raise
                _log.error("%s; events are held in memory and sent from there", error)
                self._spill(message)

    def put_all(self, messages: Sequence[Message]) -> None:
        """Accept events together."""
        with self._lock:
            if not self._spilled:
                try:
                    self._disk.put_all(messages)
                except DeliveryError as error:
                    if error.failure in _NOT_THE_DISK:
                        raise
                else:
                    return
            for message in messages:
                self.put(message)

    def read(
        self, priority: Priority, *, after_seq: int, through_seq: int | None = None, limit: int
    ) -> tuple[Row, ...]:
        """The oldest rows of one priority in a range, wherever they are.

        Raises:
            PartialReadError: The disk failed; the error carries what is in memory.
            DeliveryError: The disk failed and nothing is in memory.
        """
        with self._lock:
            held = self._memory.read(priority, after_seq=after_seq, through_seq=through_seq, limit=limit)
            try:
                stored = self._disk.read(priority, after_seq=after_seq, through_seq=through_seq, limit=limit)
            except DeliveryError as error:
                if not held:
                    raise
                raise PartialReadError(error, held) from error
        return tuple(sorted((*stored, *held), key=lambda row: row.seq)[:limit])

    def delete(self, seqs: Iterable[int]) -> None:
        """Forget rows that the broker acknowledged."""
        wanted = list(seqs)
        self._before_delete()
        with self._lock:
            self._memory.delete(wanted)
            self._disk.delete(wanted)

    def unretain(self, seqs: Iterable[int]) -> None:
        """Send these rows without the retain flag."""
        wanted = list(seqs)
        with self._lock:
            self._memory.unretain(wanted)
            self._disk.unretain(wanted)

    def maintain(self, now_ns: int | None) -> None:
        """Drop what is too old, and move to the disk what it refused before."""
        with self._lock:
            self._memory.maintain(now_ns)
            self._move()
            self._disk.maintain(now_ns)

    def retry(self) -> bool:
        """Move to the disk what it refused before; True when nothing is in memory any more."""
        with self._lock:
            return self._move()

    @property
    def last_seq(self) -> int:
        """The place of the newest row."""
        with self._lock:
            return max(self._disk.last_seq, self._memory.last_seq)

    @property
    def held(self) -> int:
        """Events in memory."""
        with self._lock:
            return self._spilled

    def stats(self) -> OutboxStats:
        """The books of both."""
        with self._lock:
            disk, memory = self._disk.stats(), self._memory.stats()
        oldest = [each.oldest_occurred_ns for each in (disk, memory) if each.oldest_occurred_ns is not None]
        return replace(
            disk,
            rows={priority: disk.rows[priority] + memory.rows[priority] for priority in Priority},
            payload_bytes=disk.payload_bytes + memory.payload_bytes,
            accepted=disk.accepted + memory.accepted,
            dropped={reason: count + memory.dropped[reason] for reason, count in disk.dropped.items()},
            oldest_occurred_ns=min(oldest, default=None),
        )

    def close(self) -> None:
        """Try once more to write what is in memory, then free the file."""
        with self._lock, contextlib.suppress(DeliveryError):
            if not self._move():
                _log.error("%d events in memory are lost: the disk did not take them", self._spilled)
        self._memory.close()
        self._disk.close()

    # Everything below runs with the lock held.

    @property
    def _spilled(self) -> int:
        return self._memory.stats().total_rows

    def _spill(self, message: Message) -> None:
        self._memory.skip_to(self._disk.last_seq)
        self._memory.put(message)
        self._disk.skip_to(self._memory.last_seq)

    def _move(self) -> bool:
        """Write what is in memory to the disk, under the places it has."""
        moved = 0
        for priority in Priority:
            while rows := self._memory.read(priority, after_seq=0, limit=_MOVED_AT_ONCE):
                for row in rows:  # one by one: what is on the disk must not be told from memory as well
                    try:
                        self._disk.adopt(row)
                    except DeliveryError:
                        return False
                    self._memory.delete([row.seq])
                    moved += 1
        if moved:
            _log.info("the disk takes events again: %d were held in memory", moved)
        return True
