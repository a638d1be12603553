"""What a machine's day comes to: windows, anomalies, alarms, health. Months are drawn from these."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from edge_agent.delivery.result import ResultData
from edge_agent.delivery.states import HealthData
from training_hub.catalogue import tables
from training_hub.catalogue.tables import MachineDay
from training_hub.intake.insert import inserting

if TYPE_CHECKING:
    from training_hub.intake.events import Known

_ADDED = ("windows", "anomalous", "percentile_sum", "percentile_windows", "alarms")


@dataclass
class _Day:
    windows: int = 0
    anomalous: int = 0
    percentile_sum: float = 0.0
    percentile_windows: int = 0
    alarms: int = 0
    health: tuple[datetime, HealthData] | None = None


def note_days(
    session: Session, events: Sequence["Known"], machines: Mapping[str, int], raised: Sequence[tuple[int, date]]
) -> None:
    """Add new events to the days they happened on.

    Args:
        session: A writing transaction.
        events: New ones, with their rows written.
        machines: Ids by name.
        raised: Machine and day of each new alarm.
    """
    days: dict[tuple[int, date], _Day] = {}
    for known in events:
        if known.machine is None:
            continue
        day = days.setdefault((machines[known.machine], known.occurred_at.date()), _Day())
        if isinstance(known.event.data, ResultData):
            _add_result(day, known.event.data)
        elif isinstance(known.event.data, HealthData) and (day.health is None or known.occurred_at >= day.health[0]):
            day.health = (known.occurred_at, known.event.data)
    for key in raised:
        days.setdefault(key, _Day()).alarms += 1
    for (machine_id, when), day in sorted(days.items(), key=lambda item: item[0]):
        _write(session, machine_id, when, day)


def _add_result(day: _Day, data: ResultData) -> None:
    day.windows += 1
    anomaly = data.anomaly
    if anomaly is not None and anomaly.threshold is not None and data.state != "input_fault":
        day.anomalous += anomaly.score >= anomaly.threshold
    if anomaly is not None and anomaly.percentile is not None:
        day.percentile_sum += anomaly.percentile
        day.percentile_windows += 1


def _write(session: Session, machine_id: int, when: date, day: _Day) -> None:
    values = {name: getattr(day, name) for name in _ADDED}
    health = {}
    if day.health is not None and _is_last(session, machine_id, when, day.health[0]):
        health = {"health_index": day.health[1].index, "zone": day.health[1].zone}
    statement = inserting(session, MachineDay).values(machine_id=machine_id, day=when, **values, **health)
    added = {name: getattr(MachineDay, name) + getattr(statement.excluded, name) for name in _ADDED}
    session.execute(statement.on_conflict_do_update(index_elements=["machine_id", "day"], set_={**added, **health}))


def _is_last(session: Session, machine_id: int, when: date, at: datetime) -> bool:
    """Whether no later health event of the day came before this one."""
    start = datetime(when.year, when.month, when.day, tzinfo=UTC)
    latest = session.scalar(
        select(func.max(tables.Event.occurred_at)).where(
            tables.Event.machine_id == machine_id,
            tables.Event.kind == "health",
            tables.Event.occurred_at >= start,
            tables.Event.occurred_at < start + timedelta(days=1),
        )
    )
    return latest is None or latest <= at
