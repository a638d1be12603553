"""Holds events while the outbox refuses them, so that a full or failing disk stops nothing else."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Protocol

from edge_agent.delivery.errors import DeliveryError, Failure
from edge_agent.delivery.message import Message, Priority

MAX_HELD = 1000
"""Events held in memory; at 10 s a window more than two hours of one machine."""


GATHER_S = 0.04
"""Longest time that an event is held for others to be stored with it."""

_TOGETHER = 64


class Accepting(Protocol):
    """What keeps events: an `Outbox`, or the hub's journal where no broker is used."""

    def put(self, message: Message) -> None:
        """Accept an event; it is kept when this returns, or `DeliveryError`."""

    def put_all(self, messages: Sequence[Message]) -> None:
        """Accept events together, or `DeliveryError`."""


class Intake:
    """The way into the outbox for everyone who makes events; never raises and never waits for long.

    An event that the outbox refuses is held in memory and tried again with the next event or `retry`. Beyond
    `max_held` the oldest result is given up, then the oldest of any kind, and counted.

    Args:
        outbox: Where events go.
        on_accepted: Called after an event is on the disk; wakes the publisher.
        max_held: Most events held.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        outbox: Accepting,
        on_accepted: Callable[[], None],
        *,
        max_held: int = MAX_HELD,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outbox = outbox
        self._on_accepted = on_accepted
        self._max_held = max_held
        self._lock = threading.Lock()
        self._held: deque[Message] = deque()
        self._given_up = 0
        self._clock = clock
        self._gathering = False
        self._store_at_s = 0.0

    @contextmanager
    def gather(self) -> Iterator[None]:
        """Store what is submitted within together: one wait for the disk, of up to some milliseconds, serves many.

        No alarm waits, and nothing else for longer than `GATHER_S` while others come; at the end all are stored.
        """
        self._gathering, self._store_at_s = True, self._clock() + GATHER_S
        try:
            yield
        finally:
            self._gathering = False
            self.retry()

    def submit(self, message: Message) -> bool:
        """Hand over an event; True when it is on the disk, False when it is held."""
        with self._lock:
            self._held.append(message)
            can_wait = self._gathering and message.priority is not Priority.ALARM
            if can_wait and self._clock() < self._store_at_s:
                stored = False
            else:
                stored = self._store_held()
                self._store_at_s = self._clock() + GATHER_S
            while len(self._held) > self._max_held:
                self._give_one_up()
        return stored

    def retry(self) -> bool:
        """Try what is held again; True when nothing is held any more."""
        with self._lock:
            return self._store_held()

    @property
    def held(self) -> int:
        """Events in memory now."""
        return len(self._held)

    @property
    def given_up(self) -> int:
        """Events lost because both the disk and the memory were full."""
        return self._given_up

    def _store_held(self) -> bool:
        stored = 0
        try:
            while together := tuple(islice(self._held, _TOGETHER)):
                if len(together) > 1 and self._put_all(together):
                    stored += len(together)
                    continue
                try:
                    self._outbox.put(self._held[0])
                except DeliveryError as error:
                    if error.failure is not Failure.CLOSED and self._alarm_first():
                        continue
                    return False
                self._held.popleft()
                stored += 1
        finally:
            if stored:
                self._on_accepted()
        return True

    def _put_all(self, together: tuple[Message, ...]) -> bool:
        """Store several at once; False where that failed, and each is to be tried alone."""
        try:
            self._outbox.put_all(together)
        except DeliveryError:
            return False
        for _ in together:
            self._held.popleft()
        return True

    def _alarm_first(self) -> bool:
        """Move an alarm that waits behind others to the front; False when none does."""
        if self._held[0].priority is Priority.ALARM:
            return False
        for index, message in enumerate(self._held):
            if message.priority is Priority.ALARM:
                del self._held[index]
                self._held.appendleft(message)
                return True
        return False

    def _give_one_up(self) -> None:
        for index, message in enumerate(self._held):
            if message.priority is Priority.RESULT:
                del self._held[index]
                break
        else:
            self._held.popleft()
        self._given_up += 1
