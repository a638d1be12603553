"""What the metrics read at every scrape: snapshots in this package's own words."""

from __future__ import annotations

from dataclasses import dataclass

Counts = tuple[tuple[str, int], ...]
"""Pairs of a bounded name and a number."""


@dataclass(frozen=True, slots=True)
class MachineReading:
    """A configured machine; `profile` says what was learnt of it, one of `PROFILES`."""

    machine: str
    type: str
    profile: str


@dataclass(frozen=True, slots=True)
class LedgerReading:
    """One channel's sample ledger, in native samples."""

    source: str
    channel: int
    captured: int
    scored: int
    skipped: Counts
    lost: Counts
    pending: int


@dataclass(frozen=True, slots=True)
class IntakeReading:
    """Events held in memory because the outbox refused them, and those given up since the memory is bounded too."""

    held: int
    given_up: int


@dataclass(frozen=True, slots=True)
class OutboxReading:
    """The outbox's books; `rows` by priority name, `oldest_age_s` 0 when nothing waits or the clock is not known."""

    rows: Counts
    payload_bytes: int
    accepted: int
    dropped: Counts
    errors: Counts
    files_set_aside: int
    oldest_age_s: float


@dataclass(frozen=True, slots=True)
class DeliveryReading:
    """What the publisher did; `failed` by reason, `refused` by operation and reason; `broker` is a place in a list."""

    connected: bool
    connects: int
    published: int
    replayed: int
    failed: Counts
    in_flight: int
    refused: tuple[tuple[str, str, int], ...] = ()
    broker: int = 0
    failovers: int = 0


@dataclass(frozen=True, slots=True)
class ClipsReading:
    """Kept sound; `dropped` by the clip's reason and by why it was not kept, the rest by one name."""

    stored: Counts
    stored_bytes: Counts
    kept: Counts
    dropped: tuple[tuple[str, str, int], ...]
    removed: Counts
    errors: Counts
    verdicts: Counts
    ring_bytes: int
    waiting_bytes: int


@dataclass(frozen=True, slots=True)
class UpdatesReading:
    """New bundles: the phase of what is under way, changes and the shadow's windows by outcome, how the shadow does."""

    phase: str
    confirmed: bool
    changes: Counts
    windows: Counts
    percentile_shift: float | None
    latency_ratio: float | None


@dataclass(frozen=True, slots=True)
class SyncReading:
    """The sync with the hub; `failures` and `aside` by reason, times of the wall clock, sizes in bytes."""

    answers: bool
    trouble: str
    clips: int
    files: int
    sent_bytes: int
    labels_sent: int
    labels_taken: int
    reports: int
    failures: Counts
    last_success_s: float
    waiting: int
    waiting_bytes: int
    aside: Counts
    events_there: int
    events_sent: int
    events_refused: int
    events_waiting: int
    journal_bytes: int
    journal_held: int
    journal_lost: Counts
