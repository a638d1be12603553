"""Events by id: what the broker lost reaches the hub by HTTP."""

from __future__ import annotations

import logging
from collections.abc import Callable

from edge_agent.sync.client import HubClient
from edge_agent.sync.journal import SentJournal
from edge_agent.sync.stats import SyncBooks
from edge_agent.sync.wire import MAX_BATCH_BYTES, MAX_EVENTS

_log = logging.getLogger(__name__)
_NS_PER_S = 1_000_000_000
_ENVELOPE_BYTES = 4096


class EventReconciler:
    """Asks the hub which events it has not got, and sends those. For one thread.

    Args:
        journal: The events that the broker acknowledged.
        client: The hub.
        books: What is counted.
        settle_s: How long the hub is given to hear an event from the broker.
        now_ns: Wall time.
    """

    def __init__(
        self,
        journal: SentJournal,
        client: HubClient,
        books: SyncBooks,
        *,
        settle_s: float,
        now_ns: Callable[[], int],
    ) -> None:
        self._journal = journal
        self._client = client
        self._books = books
        self._settle_ns = round(settle_s * _NS_PER_S)
        self._now_ns = now_ns

    def step(self) -> bool:
        """Reconcile one batch; False where nothing is left to be asked for now.

        Raises:
            HubError: Not now.
            SyncError: The gateway's own disk refuses it.
        """
        events = self._journal.waiting(
            noted_before_ns=self._now_ns() - self._settle_ns,
            limit=MAX_EVENTS,
            max_bytes=MAX_BATCH_BYTES - _ENVELOPE_BYTES,
        )
        if not events:
            return False
        missing = self._client.missing_events(event.event_id for event in events)
        lacking = [event for event in events if event.event_id in missing]
        if lacking:
            receipt = self._client.send_events(event.payload for event in lacking)
            for refused in receipt.refused:
                _log.warning("the hub does not want event %s: %s", refused.id, refused.why)
            self._books.events_sent += len(lacking) - len(receipt.refused)
            self._books.events_refused += len(receipt.refused)
            self._books.sent_bytes += sum(len(event.payload) for event in lacking)
        self._journal.reconciled(event.seq for event in events)
        self._books.events_there += len(events) - len(lacking)
        return True
