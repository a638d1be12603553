"""Which events go next over one connection. No clock and no network of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edge_agent.delivery.errors import DeliveryError
from edge_agent.delivery.events import as_replayed
from edge_agent.delivery.message import Priority
from edge_agent.delivery.outbox import Outbox, PartialReadError, Row

_REFUSALS_THAT_PAUSE = 40


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One event to send now: its row, the payload to send, and whether it comes after the fact."""

    row: Row
    payload: bytes
    replayed: bool


class Dispatch:
    """Orders what waits in an outbox for one connection, and knows what is under way.

    Alarms go first, then states, then results of now, and last the backlog: the results that were accepted before
    the connection was made, at a set rate and marked as replayed. Alarms and states are never overtaken by others
    of their topic, for the last one that the broker gets is the one that it retains.

    Args:
        outbox: Where events wait.
        window: Most events under way at once.
        backlog_rate_per_s: Backlog events per second.
        now_s: Monotonic time.
    """

    def __init__(self, outbox: Outbox, *, window: int, backlog_rate_per_s: float, now_s: float) -> None:
        self._outbox = outbox
        self._window = window
        self._rate_per_s = backlog_rate_per_s
        self._tokens = 1.0
        self._refilled_s = now_s
        self._begun = self._boundary = outbox.last_seq
        self._alarm_cursor = 0
        self._state_cursor = 0
        self._live_cursor = self._boundary
        self._backlog_cursor = 0
        self._under_way: set[int] = set()
        self._backlog_done = False
        self._backlog_paused = False
        self._refused_in_a_row = 0

    @property
    def under_way(self) -> int:
        """Events sent and not acknowledged."""
        return len(self._under_way)

    def take(self, now_s: float, *, reserved: int = 0) -> list[Outgoing]:
        """What to send now, with `reserved` places taken by others; it counts as under way from here on.

        Raises:
            DeliveryError: The outbox cannot be read; nothing changed.
        """
        chosen: list[Outgoing] = []
        try:
            self._fill(chosen, now_s, self._window - len(self._under_way) - reserved)
        except DeliveryError:
            if not chosen:
                raise
            # What was read before the disk failed is under way already; the failure comes again with the next call.
        return chosen

    def rewind(self) -> None:
        """Offer again what was sent over this connection and is still in the outbox; results as backlog."""
        self._alarm_cursor = self._state_cursor = 0
        self._boundary = self._live_cursor
        if not self._backlog_paused:
            self._backlog_cursor = 0
        self._backlog_done = self._backlog_paused = False
        self._refused_in_a_row = 0

    def acknowledged(self, seq: int) -> None:
        """The broker has the event; its place is free."""
        self._under_way.discard(seq)
        self._refused_in_a_row = 0

    def refused(self, seq: int) -> None:
        """The broker does not want the event now; its place is free.

        Where it wants no result at all, the backlog waits for the next `rewind` and goes on from there, so that a
        quota that is exceeded does not cost the whole backlog each time.
        """
        self._under_way.discard(seq)
        self._refused_in_a_row += 1
        self._backlog_paused = self._backlog_paused or self._refused_in_a_row >= _REFUSALS_THAT_PAUSE

    def backlog_wait_s(self, now_s: float) -> float | None:
        """Time until the next backlog event may go; None when there is no backlog to wait for."""
        if self._backlog_done or self._backlog_paused:
            return None
        return max(0.0, (1.0 - self._tokens) / self._rate_per_s - (now_s - self._refilled_s))

    def live_is_empty(self) -> bool:
        """Whether nothing but backlog waits to be sent; what is under way counts as waiting.

        Raises:
            DeliveryError: The outbox cannot be read.
        """
        lanes = (
            (Priority.ALARM, self._alarm_cursor),
            (Priority.STATE, self._state_cursor),
            (Priority.RESULT, self._live_cursor),
        )
        return not self._under_way and not any(self._read(priority, cursor, 1)[0] for priority, cursor in lanes)

    def _fill(self, chosen: list[Outgoing], now_s: float, room: int) -> None:
        if room > 0:
            rows, whole = self._read(Priority.ALARM, self._alarm_cursor, room)
            self._alarm_cursor = self._choose(rows, chosen, self._alarm_cursor, whole=whole)
        if room > len(chosen):
            rows, whole = self._read(Priority.STATE, self._state_cursor, room - len(chosen))
            self._state_cursor = self._choose(rows, chosen, self._state_cursor, whole=whole)
        if room > len(chosen):
            rows, whole = self._read(Priority.RESULT, self._live_cursor, room - len(chosen))
            self._live_cursor = self._choose(rows, chosen, self._live_cursor, whole=whole)
        if room > len(chosen) and not (self._backlog_done or self._backlog_paused):
            self._take_backlog(now_s, room - len(chosen), chosen)

    def _read(
        self, priority: Priority, after_seq: int, limit: int, through_seq: int | None = None
    ) -> tuple[Sequence[Row], bool]:
        """Rows of a lane, and whether they are all that lie there; if not, the cursor must stay where it is."""
        try:
            return self._outbox.read(priority, after_seq=after_seq, through_seq=through_seq, limit=limit), True
        except PartialReadError as error:
            return error.rows, False

    def _choose(self, rows: Iterable[Row], chosen: list[Outgoing], cursor: int, *, whole: bool) -> int:
        for row in rows:
            if whole:
                cursor = row.seq
            if row.seq in self._under_way:
                continue  # offered again, and not answered yet
            replayed = row.seq <= (self._boundary if row.message.priority is Priority.RESULT else self._begun)
            chosen.append(Outgoing(row, _marked(row) if replayed else row.message.payload, replayed))
            self._under_way.add(row.seq)
        return cursor

    def _take_backlog(self, now_s: float, room: int, chosen: list[Outgoing]) -> None:
        # A bucket of one second: after a pause at most that much goes at once.
        burst = max(1.0, self._rate_per_s)
        self._tokens = min(burst, self._tokens + (now_s - self._refilled_s) * self._rate_per_s)
        self._refilled_s = now_s
        limit = min(room, int(self._tokens))
        if limit < 1:
            return
        rows, whole = self._read(Priority.RESULT, self._backlog_cursor, limit, self._boundary)
        self._backlog_done = whole and len(rows) < limit
        self._backlog_cursor = self._choose(rows, chosen, self._backlog_cursor, whole=whole)
        self._tokens -= len(rows)


def _marked(row: Row) -> bytes:
    try:
        return as_replayed(row.message.payload)
    except DeliveryError:
        # Written by another version of the agent: better sent as it is than blocking all that waits behind it.
        return row.message.payload
