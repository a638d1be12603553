"""Events of gateways, by whichever way they come: once each, by id, and what follows from them."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from edge_agent.delivery.errors import DeliveryError
from edge_agent.delivery.events import Event, EventKind, kind_of, parse_event
from edge_agent.sync.wire import EventReceipt, RefusedEvent
from training_hub.accounts.principal import GatewayPrincipal
from training_hub.catalogue import tables
from training_hub.catalogue.types import utc_now
from training_hub.intake.days import note_days
from training_hub.intake.insert import insert_new
from training_hub.intake.last_words import note_alarms
from training_hub.intake.machines import machines_for
from training_hub.intake.settled import without_settled
from training_hub.metrics import HubMetrics

Via = Literal["mqtt", "http", "import"]
_OF_MACHINES = (EventKind.RESULT, EventKind.ALARM, EventKind.HEALTH)
_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Known:
    """An event that was checked.

    Attributes:
        event: As it came.
        kind: Of its data.
        occurred_at: When it happened.
        machine: Of which machine; None for what concerns the gateway.
    """

    event: Event[Any]
    kind: EventKind
    occurred_at: datetime
    machine: str | None


def check_events(gateway: GatewayPrincipal, payloads: Iterable[bytes]) -> tuple[list[Known], list[RefusedEvent]]:
    """Parse events, each on its own: a bad one does not keep the others back. Pure."""
    known: list[Known] = []
    refused: list[RefusedEvent] = []
    for payload in payloads:
        try:
            event = parse_event(payload)
            if event.source != f"/{gateway.site}/{gateway.name}":
                raise ValueError(f"it is of {event.source}, not of its sender /{gateway.site}/{gateway.name}")
            known.append(_known(event))
        except (DeliveryError, ValueError, RecursionError) as error:
            refused.append(RefusedEvent(id=_id_of(payload), why=str(error)[:_SHOWN]))
    return known, refused


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of events.

    Attributes:
        receipt: For the gateway.
        settled: How many of its `repeated` were not looked for: their day's events were removed for their age.
    """

    receipt: EventReceipt
    settled: int

    def count(self, metrics: HubMetrics, via: Via) -> None:
        """Into the hub's metrics, once they are committed."""
        receipt = self.receipt
        outcomes = {
            "accepted": receipt.accepted,
            "repeated": receipt.repeated - self.settled,
            "settled": self.settled,
            "refused": len(receipt.refused),
        }
        for outcome, count in outcomes.items():
            metrics.events.labels(via, outcome).inc(count)


def take_events(
    session: Session, gateway: GatewayPrincipal, events: Sequence[Known], refused: Sequence[RefusedEvent], *, via: Via
) -> Taken:
    """Write events that the hub has not got, and what follows from them: alarms, days of machines.

    Args:
        session: A writing transaction; once it is committed the events are the hub's.
        gateway: Whose.
        events: As `check_events` gives them.
        refused: Likewise, for the receipt.
        via: By which way they came.
    """
    first = {known.event.id: known for known in reversed(events)}
    ids = machines_for(session, gateway, {known.machine: None for known in first.values() if known.machine})
    received_at = utc_now()
    open_ = without_settled(session, list(first.values()), ids, received_at)
    rows = [
        {
            "id": known.event.id,
            "gateway_id": gateway.gateway_id,
            "machine_id": ids[known.machine] if known.machine is not None else None,
            "kind": known.kind.value,
            "occurred_at": known.occurred_at,
            "received_at": received_at,
            "via": via,
            "data": known.event.data.model_dump(mode="json"),
        }
        for known in open_
    ]
    new = [first[event_id] for event_id in insert_new(session, tables.Event, rows, "id")]
    new.sort(key=lambda known: known.event.id)
    raised = note_alarms(session, gateway, new, ids)
    note_days(session, new, ids, raised)
    receipt = EventReceipt(accepted=len(new), repeated=len(events) - len(new), refused=tuple(refused))
    return Taken(receipt, settled=len(first) - len(open_))


def missing_events(session: Session, gateway: GatewayPrincipal, ids: Sequence[str]) -> tuple[str, ...]:
    """Which of its events the hub has not got, in the order asked."""
    wanted = select(tables.Event.id).where(tables.Event.id.in_(ids), tables.Event.gateway_id == gateway.gateway_id)
    known = set(session.scalars(wanted))
    return tuple(event_id for event_id in ids if event_id not in known)


def _known(event: Event[Any]) -> Known:
    kind = kind_of(event.data)
    is_plants = kind is EventKind.ALARM and event.data.kind == "plant_event"
    machine = event.data.machine if kind in _OF_MACHINES and not is_plants else None
    return Known(event, kind, datetime.fromisoformat(event.time).astimezone(UTC), machine)


def _id_of(payload: bytes) -> str:
    """What a bad event calls itself, for the receipt."""
    try:
        said = json.loads(payload)
        found = said.get("id") if isinstance(said, dict) else None
    except (ValueError, RecursionError):
        found = None
    return found[:128] if isinstance(found, str) and found else "unknown"
