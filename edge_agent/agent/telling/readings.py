"""Snapshots of other packages in the words that the metrics read."""

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum

from edge_agent.capture.clock import NS_PER_S
from edge_agent.capture.ledger import LedgerSnapshot
from edge_agent.clips import errors as clip_errors
from edge_agent.clips.reasons import Reason, Removed
from edge_agent.clips.writer import WriterStats
from edge_agent.config.machine import MachineSection
from edge_agent.delivery.errors import Failure
from edge_agent.delivery.mqtt import PublisherStats
from edge_agent.delivery.outbox import OutboxStats
from edge_agent.observe.readings import (
    ClipsReading,
    Counts,
    DeliveryReading,
    LedgerReading,
    MachineReading,
    OutboxReading,
)
from edge_agent.pipeline.roster import Roster


def machine_readings(machines: Iterable[MachineSection], roster: Roster) -> list[MachineReading]:
    """The configured machines and what was learnt of them."""

    def profile(machine: str) -> str:
        if machine not in roster.commissioned:
            return "none"
        return "provisional" if machine in roster.provisional else "calibrated"

    return [MachineReading(each.id, each.type, profile(each.id)) for each in machines]


def ledger_readings(snapshots: Iterable[LedgerSnapshot]) -> list[LedgerReading]:
    """Every channel's books."""
    return [
        LedgerReading(
            source=each.source,
            channel=each.channel,
            captured=each.captured,
            scored=each.scored,
            skipped=tuple((reason.value, count) for reason, count in each.skipped.items()),
            lost=tuple((reason.value, count) for reason, count in each.lost.items()),
            pending=each.pending,
        )
        for each in snapshots
    ]


def outbox_reading(stats: OutboxStats, now_ns: int) -> OutboxReading:
    """The outbox's books at a wall time."""
    oldest = stats.oldest_occurred_ns
    return OutboxReading(
        rows=tuple((priority.name.lower(), rows) for priority, rows in stats.rows.items()),
        payload_bytes=stats.payload_bytes,
        accepted=stats.accepted,
        dropped=tuple((reason.value, count) for reason, count in stats.dropped.items()),
        errors=_by_reason(stats.errors),
        files_set_aside=stats.files_set_aside,
        oldest_age_s=0.0 if oldest is None else max(0.0, (now_ns - oldest) / NS_PER_S),
    )


def delivery_reading(stats: PublisherStats) -> DeliveryReading:
    """What the publisher did."""
    return DeliveryReading(
        connected=stats.connected,
        connects=stats.connects,
        published=stats.published,
        replayed=stats.replayed,
        failed=_by_reason(dict(stats.failed)),
        in_flight=stats.in_flight,
        refused=tuple((operation, reason, count) for (operation, reason), count in stats.refused),
        broker=stats.broker,
        failovers=stats.failovers,
    )


def _by_reason(counts: Mapping[Failure, int]) -> Counts:
    return _each(Failure, ((failure.value, count) for failure, count in counts.items()))


def clips_reading(stats: WriterStats, ring_bytes: int, *, deleted: int = 0) -> ClipsReading:
    """What became of clips, and what lies on the disk; `deleted` of them by people, beside the writer."""
    store = stats.store
    removed = Counter(dict(() if store is None else store.removed))
    removed[Removed.DELETED.value] += deleted
    return ClipsReading(
        stored=() if store is None else tuple((reason, clips) for reason, clips, _ in store.clips),
        stored_bytes=() if store is None else tuple((reason, size) for reason, _, size in store.clips),
        kept=_each(Reason, () if store is None else store.kept),
        dropped=stats.dropped,
        removed=_each(Removed, removed.items()),
        errors=_each(clip_errors.Failure, () if store is None else store.failures),
        verdicts=stats.verdicts,
        ring_bytes=ring_bytes,
        waiting_bytes=stats.waiting_bytes,
    )


def _each(words: Iterable[StrEnum], counts: Iterable[tuple[str, int]]) -> Counts:
    """Every word, at 0 from the start: `increase()` does not see the first step of a series that begins with it."""
    told = dict(counts)
    return tuple((word.value, told.get(word.value, 0)) for word in words)
