"""What no outbox keeps, on its way over one connection: birth, goodbye, what Home Assistant is told, and answers."""

from __future__ import annotations

from collections import deque
from typing import Final

from edge_agent.delivery.connection import Connection
from edge_agent.delivery.signals import Letter

MAX_ANSWERS: Final = 16
"""Answers that wait to be sent or acknowledged; more are not given, for their sender is faster than the broker."""


class Letters:
    """Sends letters in order and knows which of them the broker has.

    Args:
        connection: Where they go.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._waiting: deque[tuple[Letter, bool]] = deque()
        self._sent: dict[int, tuple[Letter, bool]] = {}

    @property
    def under_way(self) -> int:
        """Sent, and not acknowledged."""
        return len(self._sent)

    @property
    def first(self) -> bool:
        """Whether one is on its way that everything else waits for."""
        return any(first for _, first in self._waiting) or any(first for _, first in self._sent.values())

    def add(self, letter: Letter, *, first: bool = False) -> bool:
        """Take a letter; `first` if no event may overtake it. False for an answer too many."""
        if letter.answer and sum(each.answer for each, _ in (*self._waiting, *self._sent.values())) >= MAX_ANSWERS:
            return False
        self._waiting.append((letter, first))
        return True

    def send(self, room: int, max_packet_bytes: int | None) -> int:
        """Send at most so many; returns how many the broker would not take for their size.

        Raises:
            DeliveryError: The connection is gone.
        """
        too_large = 0
        while self._waiting and room > 0:
            letter, first = self._waiting.popleft()
            if max_packet_bytes is not None and letter.packet_bytes > max_packet_bytes:
                too_large += 1
                continue
            self._sent[self._connection.publish_letter(letter)] = (letter, first)
            room -= 1
        return too_large

    def acknowledged(self, mid: int) -> Letter | None:
        """The broker answered; the letter, where it was one."""
        letter, _ = self._sent.pop(mid, (None, False))
        return letter
