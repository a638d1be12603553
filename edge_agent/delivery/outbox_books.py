"""The running account of an outbox: what waits in it, and what became of everything else."""

from __future__ import annotations

from collections.abc import Iterable

from edge_agent.delivery.errors import Failure
from edge_agent.delivery.message import Priority
from edge_agent.delivery.outbox import Dropped, OutboxStats

_LANES = frozenset(Priority)


class OutboxBooks:
    """Counts of one process; whoever holds the outbox's lock writes and reads them.

    Attributes:
        rows: Waiting, by priority.
        payload_bytes: Waiting, as they are kept.
        accepted: Accepted so far.
        dropped: Given up so far, by reason.
        errors: Operations that failed so far, by reason.
        files_set_aside: Damaged files put aside so far.
    """

    def __init__(self) -> None:
        self.rows = dict.fromkeys(Priority, 0)
        self.payload_bytes = 0
        self.accepted = 0
        self.dropped = dict.fromkeys(Dropped, 0)
        self.errors: dict[Failure, int] = {}
        self.files_set_aside = 0

    def waits(self, found: Iterable[tuple[Priority, int, int]]) -> None:
        """What a file holds that was opened just now: rows and bytes of each priority."""
        self.rows = dict.fromkeys(Priority, 0)
        self.payload_bytes = 0
        for priority, rows, payload_bytes in found:
            self.rows[priority] = rows
            self.payload_bytes += payload_bytes

    def came(self, added: Iterable[tuple[Priority, int]], *, new: bool = True) -> None:
        """Rows were added, with the bytes of each; those that are not new were counted when they came."""
        for priority, payload_bytes in added:
            self.rows[priority] += 1
            self.payload_bytes += payload_bytes
            self.accepted += new

    def left(self, gone: Iterable[tuple[int, int]], reason: Dropped | None = None) -> None:
        """Rows were deleted, with the bytes of each; with a reason where they were given up."""
        for priority, payload_bytes in gone:
            if priority in _LANES:  # else it is damaged, and was never counted
                self.rows[Priority(priority)] -= 1
                self.payload_bytes -= payload_bytes
            if reason is not None:
                self.dropped[reason] += 1

    def set_aside(self, known_rows: int, *, emptied: bool = True) -> None:
        """Something damaged was put aside, with so many rows in it as far as is known; `emptied` where all were."""
        self.files_set_aside += 1
        self.dropped[Dropped.CORRUPT] += known_rows
        if emptied:
            self.waits(())

    def failed(self, failure: Failure) -> None:
        """An operation failed."""
        self.errors[failure] = self.errors.get(failure, 0) + 1

    def stats(self, oldest_occurred_ns: int | None) -> OutboxStats:
        """The books as they are now."""
        return OutboxStats(
            rows=dict(self.rows),
            payload_bytes=self.payload_bytes,
            accepted=self.accepted,
            dropped=dict(self.dropped),
            errors=dict(self.errors),
            files_set_aside=self.files_set_aside,
            oldest_occurred_ns=oldest_occurred_ns,
        )
