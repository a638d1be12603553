"""The last word of a topic stays the last word: a retained event that was refused must not come after a newer one."""

from __future__ import annotations

from collections import defaultdict

from edge_agent.delivery.outbox import Outbox, Row


class Retained:
    """Follows what one connection's broker took and refused of each topic's retained events.

    A refused event is kept and sent again. By then the broker may have a newer one of the same topic: the older one
    then goes out without the retain flag, so that subscribers hear of it and the topic's last word stays.

    Args:
        outbox: Where the flag is taken away.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._newest: dict[str, int] = {}
        self._sent: dict[str, int] = {}
        self._refused: defaultdict[str, set[int]] = defaultdict(set)
        self._overtaken: set[int] = set()

    def may_retain(self, row: Row) -> bool:
        """Whether an event that is sent now may be its topic's last word: no newer one was sent before it."""
        if not row.message.retain or row.seq < self._sent.get(row.message.topic, 0):
            return False
        self._sent[row.message.topic] = row.seq
        return True

    def accepted(self, row: Row) -> None:
        """The broker has an event."""
        topic = row.message.topic
        self._refused[topic].discard(row.seq)
        if not row.message.retain:
            return
        self._newest[topic] = max(row.seq, self._newest.get(topic, 0))
        older = {seq for seq in self._refused[topic] if seq < row.seq}
        self._refused[topic] -= older
        self._overtaken |= older

    def refused(self, row: Row) -> None:
        """The broker refused an event."""
        if not row.message.retain:
            return
        topic = row.message.topic
        if row.seq < self._newest.get(topic, 0):
            self._overtaken.add(row.seq)
        else:
            self._refused[topic].add(row.seq)

    def settle(self) -> None:
        """Take the flag from what was overtaken; before what overtook it is forgotten.

        Raises:
            DeliveryError: The disk failed; call it again.
        """
        if self._overtaken:
            self._outbox.unretain(self._overtaken)
            self._overtaken.clear()
