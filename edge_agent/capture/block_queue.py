"""The bounded queue between the readers of all sources and the one scorer."""

import threading
from collections import deque
from dataclasses import dataclass, replace

from edge_agent.capture.reasons import Lost
from edge_agent.capture.source import Block


@dataclass(frozen=True, slots=True)
class Arrival:
    """A block, or the end of a source's stream.

    Attributes:
        source_id: Which source.
        rate_hz: Its native rate.
        block: The samples; None says that nothing more comes.
        arrived_ns: When, monotonic nanoseconds.
    """

    source_id: str
    rate_hz: int
    block: Block | None
    arrived_ns: int


class BlockQueue:
    """Blocks of every source in order of arrival, each source bounded on its own.

    A live source never waits: when its share is full its oldest block goes, and the one after it says so (`Lost.SHED`).
    A source that can wait does.

    Args:
        max_blocks: Most blocks of one source that may wait.
    """

    def __init__(self, max_blocks: int = 512) -> None:
        self._max_blocks = max_blocks
        self._changed = threading.Condition()
        self._arrivals: deque[Arrival] = deque()
        self._waiting: dict[str, int] = {}
        self._closed = False

    def put(self, arrival: Arrival, *, can_wait: bool) -> bool:
        """Add a block; False once the queue is closed."""
        source_id = arrival.source_id
        with self._changed:
            while not self._closed and self._waiting.get(source_id, 0) >= self._max_blocks:
                if not can_wait:
                    self._shed_oldest(source_id)
                    break
                self._changed.wait()
            if self._closed:
                return False
            self._arrivals.append(arrival)
            self._waiting[source_id] = self._waiting.get(source_id, 0) + 1
            self._changed.notify_all()
            return True

    def take(self, timeout_s: float, most: int = 256) -> list[Arrival]:
        """All that waits, at most `most`; waits up to `timeout_s` for the first."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._arrivals) or self._closed, timeout_s)
            taken = [self._arrivals.popleft() for _ in range(min(most, len(self._arrivals)))]
            for arrival in taken:
                self._waiting[arrival.source_id] -= 1
            self._changed.notify_all()
            return taken

    def close(self) -> None:
        """Accept nothing more and wake whoever waits; what is queued can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        """Blocks that wait now, all sources together."""
        return len(self._arrivals)

    def _shed_oldest(self, source_id: str) -> None:
        own = [i for i, arrival in enumerate(self._arrivals) if arrival.source_id == source_id and arrival.block]
        if not own:
            return
        if len(own) > 1:
            successor = self._arrivals[own[1]]
            if successor.block is not None:
                shed = replace(successor, block=replace(successor.block, gap_reason=Lost.SHED))
                self._arrivals[own[1]] = shed
        del self._arrivals[own[0]]
        self._waiting[source_id] -= 1
