"""Alarms as they stand: the last of their events is the last word, in whichever order they come."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from edge_agent.delivery.states import AlarmData
from training_hub.accounts.principal import GatewayPrincipal
from training_hub.catalogue.tables import Alarm
from training_hub.intake.insert import insert_new

if TYPE_CHECKING:
    from training_hub.intake.events import Known


def note_alarms(
    session: Session, gateway: GatewayPrincipal, events: Sequence["Known"], machines: Mapping[str, int]
) -> list[tuple[int, date]]:
    """Write the alarms of new events.

    Returns:
        Machine and day of each alarm that is new.
    """
    last: dict[str, tuple[Known, AlarmData]] = {}
    for known in events:
        data = known.event.data
        if isinstance(data, AlarmData) and (data.alarm not in last or _order(known, data) > _order(*last[data.alarm])):
            last[data.alarm] = (known, data)
    rows = [
        _columns(data)
        | {
            "id": alarm,
            "gateway_id": gateway.gateway_id,
            "machine_id": machines[known.machine] if known.machine is not None else None,
            "raised_at": _time(data.raised_at),
        }
        for alarm, (known, data) in last.items()
    ]
    new = set(insert_new(session, Alarm, rows, "id"))
    older = sorted(set(last) - new)
    if older:
        wanted = select(Alarm).where(Alarm.id.in_(older)).order_by(Alarm.id).with_for_update()
        for row in session.scalars(wanted):
            columns = _columns(last[row.id][1])
            if row.gateway_id == gateway.gateway_id and columns["changed_at"] >= row.changed_at:
                for name, value in columns.items():
                    setattr(row, name, value)
    return [(row["machine_id"], row["raised_at"].date()) for row in rows if row["id"] in new and row["machine_id"]]


def _columns(data: AlarmData) -> dict[str, Any]:
    return {
        "kind": data.kind,
        "state": data.state,
        "severity": data.severity,
        "changed_at": _time(data.changed_at),
        "text": data.text,
        "data": data.model_dump(mode="json"),
    }


def _order(known: "Known", data: AlarmData) -> tuple[str, str]:
    return data.changed_at, known.event.id


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
