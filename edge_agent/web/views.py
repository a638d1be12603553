"""The page's answers in JSON terms: what the board and the gateway know, in the words that the page's script reads."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from edge_agent.observe.health import HealthReport
from edge_agent.observe.readings import DeliveryReading, LedgerReading, OutboxReading, SyncReading
from edge_agent.web.board import LogLine, SeenWindow

Json = dict[str, Any]
"""What becomes a JSON object; it leaves the process at once and goes no further into it."""


@dataclass(frozen=True, slots=True)
class GatewayView:
    """The gateway at one moment.

    Attributes:
        site, gateway, version: Who it is.
        started_s, now_s: Wall time.
        clock_synced: Whether that time can be trusted.
        bundle: Name, version and SHA-256 of the models.
        health: Every part's state.
        ledgers: Every channel's books.
        outbox, delivery: What waits for the broker; None where nothing is published.
        sync: What went to the hub and what waits for it; None where there is none.
    """

    site: str
    gateway: str
    version: str
    started_s: float
    now_s: float
    clock_synced: bool
    bundle: tuple[str, str, str]
    health: HealthReport
    ledgers: tuple[LedgerReading, ...]
    outbox: OutboxReading | None
    delivery: DeliveryReading | None
    sync: SyncReading | None = None


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """What is configured and learnt of a machine.

    Attributes:
        machine, machine_type: From the configuration.
        source: Where it is heard; None where no channel names it.
        learnt: One line on its profile; None where nothing was learnt.
        health_index: 1 as at commissioning, 0 at the limit; None before it is known.
        zone: A to D.
        trend_per_day: Change of the index per day; None before it is known.
    """

    machine: str
    machine_type: str
    source: str | None
    learnt: str | None
    health_index: float | None = None
    zone: str | None = None
    trend_per_day: float | None = None


def gateway_json(view: GatewayView) -> Json:
    """The gateway, its sources, books and outbox."""
    name, version, sha256 = view.bundle
    return {
        "site": view.site,
        "gateway": view.gateway,
        "version": view.version,
        "started_s": view.started_s,
        "now_s": view.now_s,
        "clock_synced": view.clock_synced,
        "bundle": {"name": name, "version": version, "sha256": sha256},
        "state": view.health.state.value,
        "components": parts_json(view.health),
        "ledgers": [_ledger(ledger) for ledger in view.ledgers],
        "outbox": None if view.outbox is None else _outbox(view.outbox),
        "broker": None
        if view.delivery is None
        else {
            "connected": view.delivery.connected,
            "published": view.delivery.published,
            "refused": {f"{operation}: {reason}": count for operation, reason, count in view.delivery.refused if count},
        },
        "hub": None if view.sync is None else _hub(view.sync),
    }


def parts_json(health: HealthReport) -> list[Json]:
    """Every part's state."""
    return [
        {"name": part.name, "kind": part.kind.value, "state": part.state.value, "detail": part.detail}
        for part in health.components
    ]


def card_json(window: SeenWindow) -> Json:
    """One machine as the list shows it."""
    return {
        "machine": window.machine,
        "state": window.state,
        "why": window.why,
        "score": _finite(window.score),
        "threshold": _finite(window.threshold),
        "percentile": _finite(window.percentile),
        "level_dbfs": _finite(window.level_dbfs),
        "coverage": round(window.coverage, 4),
        "at_s": window.end_s,
        "index": window.index,
    }


def window_json(window: SeenWindow) -> Json:
    """One window with all that explains it."""
    return {
        **card_json(window),
        "start_s": window.start_s,
        "source": window.source,
        "channel": window.channel,
        "identity": window.identity,
        "confidence": _finite(window.confidence),
        "bands": [
            {
                "centre_hz": band.centre_hz,
                "contribution": _finite(band.contribution),
                "change_db": _finite(band.change_db),
            }
            for band in window.bands
        ],
        "detectors": [
            {"name": part.name, "score": _finite(part.score), "share": _finite(part.share)} for part in window.parts
        ],
        "findings": list(window.findings),
        "nearest": None
        if window.nearest is None
        else {"recording": window.nearest[0], "distance": _finite(window.nearest[1])},
    }


def facts_json(facts: MachineFacts) -> Json:
    """What is known of a machine besides its windows."""
    return asdict(facts)


def log_json(lines: Iterable[LogLine]) -> list[Json]:
    """The log of changes."""
    return [asdict(line) for line in lines]


def _outbox(outbox: OutboxReading) -> Json:
    return {
        **asdict(outbox),
        "rows": dict(outbox.rows),
        "dropped": {reason: count for reason, count in outbox.dropped if count},
        "errors": {reason: count for reason, count in outbox.errors if count},
    }


def _ledger(ledger: LedgerReading) -> Json:
    skipped, lost = dict(ledger.skipped), dict(ledger.lost)
    unaccounted = ledger.captured - ledger.scored - sum(skipped.values()) - sum(lost.values()) - ledger.pending
    return {
        "source": ledger.source,
        "channel": ledger.channel,
        "captured": ledger.captured,
        "scored": ledger.scored,
        "skipped": {reason: count for reason, count in skipped.items() if count},
        "lost": {reason: count for reason, count in lost.items() if count},
        "pending": ledger.pending,
        "unaccounted": unaccounted,
    }


def _hub(sync: SyncReading) -> Json:
    return {
        "answers": sync.answers,
        "trouble": sync.trouble,
        "last_success_s": sync.last_success_s,
        "clips": sync.clips,
        "waiting": sync.waiting,
        "waiting_bytes": sync.waiting_bytes,
        "aside": {reason: count for reason, count in sync.aside if count},
        "events_waiting": sync.events_waiting,
        "events_sent": sync.events_sent,
        "journal_bytes": sync.journal_bytes,
    }


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(float(value), 5)
