"""Listening in on the running agent: what a channel hears goes to whoever asked, and the agent never waits for them."""

import queue
import threading
from collections.abc import Sequence

from edge_agent.agent.hearing.event import WindowEvent
from edge_agent.capture.block_queue import Arrival
from edge_agent.commissioning.direct import LevelGatherer, heard_window
from edge_agent.commissioning.items import Ended, Item, TakenOver

_MAX_WAITING = 256


class Tap:
    """One listener's share; filled by the scorer's thread, emptied by another.

    Args:
        source_id: The source.
        channel: The channel of it.
    """

    def __init__(self, source_id: str, channel: int) -> None:
        self.source_id = source_id
        self.channel = channel
        self._items: queue.Queue[Item] = queue.Queue(_MAX_WAITING)
        self._levels = LevelGatherer()
        self._overrun = threading.Event()

    def take(self, timeout_s: float) -> Item | None:
        """The next item; None where there is none in time. A listener that fell behind is told that it ended."""
        try:
            return self._items.get(timeout=timeout_s)
        except queue.Empty:
            return Ended("the listener fell behind; start again") if self._overrun.is_set() else None

    def put(self, item: Item) -> None:
        """Hand an item over; never waits."""
        try:
            if not self._overrun.is_set():
                self._items.put_nowait(item)
        except queue.Full:
            self._overrun.set()

    def hear(self, arrival: Arrival) -> None:
        """Take the level of a block."""
        if arrival.block is None:
            self.put(Ended("the source ended"))
        elif self.channel < arrival.block.samples.shape[1]:
            level = self._levels.push(arrival.block.samples[:, self.channel], arrival.rate_hz)
            if level is not None:
                self.put(level)


class Taps:
    """All who listen in. `arrival` and `window` cost nothing while nobody does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: tuple[Tap, ...] = ()

    def open(self, source_id: str, channel: int) -> Tap:
        """Listen in on a channel; from any thread."""
        tap = Tap(source_id, channel)
        with self._lock:
            self._open = (*self._open, tap)
        return tap

    def close(self, tap: Tap) -> None:
        """Listen no more; from any thread."""
        with self._lock:
            self._open = tuple(one for one in self._open if one is not tap)

    def arrival(self, arrival: Arrival) -> None:
        """A block, or the end of a source, arrived."""
        for tap in self._open:
            if tap.source_id == arrival.source_id:
                tap.hear(arrival)

    def window(self, event: WindowEvent) -> None:
        """A window is finished."""
        for tap in self._open:
            if (tap.source_id, tap.channel) == (event.source_id, event.channel):
                tap.put(heard_window(event))

    def taken_over(self, machines: Sequence[str]) -> None:
        """Other profiles are in use."""
        for tap in self._open:
            tap.put(TakenOver(tuple(machines)))

    def end(self, reason: str) -> None:
        """Nothing more comes."""
        for tap in self._open:
            tap.put(Ended(reason))
