"""Machines: how they fare, now and over months."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from training_hub.catalogue.tables import Alarm, Clip, Gateway, Machine, MachineDay
from training_hub.web.errors import WebError
from training_hub.web.queries.alarms import OVER

SPARK_DAYS = 60


@dataclass(frozen=True, slots=True)
class MachineSummary:
    """A machine on the page of all.

    Attributes:
        machine: Its row.
        gateway: Which one hears it.
        health, zone: Of its last day.
        health_days: Of the last 60 days, the oldest first; None where nothing was heard.
        anomalous_share: Of the windows of its last 7 days.
        clips, unlabelled: How many the hub has.
        alarms_open: That want a person.
    """

    machine: Machine
    gateway: str | None
    health: float | None
    zone: str | None
    health_days: list[float | None]
    anomalous_share: float | None
    clips: int
    unlabelled: int
    alarms_open: int

    @property
    def spark(self) -> str:
        """The health as the points of an SVG line, 100 wide and 30 high."""
        width = 100 / max(1, len(self.health_days) - 1)
        pieces: list[str] = []
        pen = "M"
        for place, value in enumerate(self.health_days):
            if value is None:
                pen = "M"
                continue
            pieces.append(f"{pen}{place * width:.1f} {28 - 26 * value:.1f}")
            pen = "L"
        return " ".join(pieces)


def list_machines(session: Session, site: str | None, today: date) -> list[MachineSummary]:
    """All machines, or those of a site; the sickest first."""
    statement = select(Machine, Gateway.name).outerjoin(Gateway, Gateway.id == Machine.gateway_id)
    if site:
        statement = statement.where(Machine.site == site)
    machines = session.execute(statement).all()
    days = _days_of_all(session, today - timedelta(days=SPARK_DAYS - 1))
    clips = _clip_counts(session)
    alarms = dict(
        session.execute(
            select(Alarm.machine_id, func.count()).where(Alarm.state.not_in(OVER)).group_by(Alarm.machine_id)
        ).all()
    )
    found = []
    for machine, gateway in machines:
        own = days.get(machine.id, {})
        line = [
            own[day].health_index if day in own else None
            for day in (today - timedelta(days=back) for back in range(SPARK_DAYS - 1, -1, -1))
        ]
        last = max(own.values(), key=lambda row: row.day, default=None)
        week = [row for day, row in own.items() if day > today - timedelta(days=7)]
        windows = sum(row.windows for row in week)
        total, unlabelled = clips.get(machine.id, (0, 0))
        found.append(
            MachineSummary(
                machine,
                gateway,
                None if last is None else last.health_index,
                None if last is None else last.zone,
                line,
                sum(row.anomalous for row in week) / windows if windows else None,
                total,
                unlabelled,
                alarms.get(machine.id, 0),
            )
        )
    return sorted(found, key=lambda one: (one.health is None, one.health, one.machine.name))


def _days_of_all(session: Session, since: date) -> dict[int, dict[date, MachineDay]]:
    found: dict[int, dict[date, MachineDay]] = defaultdict(dict)
    for row in session.scalars(select(MachineDay).where(MachineDay.day >= since)):
        found[row.machine_id][row.day] = row
    return found


def _clip_counts(session: Session) -> dict[int, tuple[int, int]]:
    rows = session.execute(
        select(Clip.machine_id, func.count(), func.sum(case((Clip.label.is_(None), 1), else_=0)))
        .where(Clip.deleted_at.is_(None))
        .group_by(Clip.machine_id)
    ).all()
    return {machine: (total, int(bare or 0)) for machine, total, bare in rows}


def find_machine(session: Session, machine_id: int) -> Machine:
    """One machine.

    Raises:
        WebError: There is none of that number.
    """
    machine = session.get(Machine, machine_id)
    if machine is None:
        raise WebError(f"there is no machine {machine_id}", missing=True)
    return machine


@dataclass(frozen=True, slots=True)
class Days:
    """A machine's days without gaps in the axis: a day that was not heard is None.

    Attributes:
        days: From the first to the last.
        health: Index, 0 to 1.
        zone: A to D.
        share: Anomalous windows of all.
        windows, alarms: Counts.
    """

    days: list[date]
    health: list[float | None]
    zone: list[str | None]
    share: list[float | None]
    windows: list[int]
    alarms: list[int]


def days_of(session: Session, machine_id: int, since: date) -> Days:
    """All that is known of a machine's days since then."""
    rows = {
        row.day: row
        for row in session.scalars(
            select(MachineDay)
            .where(MachineDay.machine_id == machine_id, MachineDay.day >= since)
            .order_by(MachineDay.day)
        )
    }
    if not rows:
        return Days([], [], [], [], [], [])
    first, last = min(rows), max(rows)
    axis = [first + timedelta(days=step) for step in range((last - first).days + 1)]
    own = [rows.get(day) for day in axis]
    return Days(
        axis,
        [None if row is None else row.health_index for row in own],
        [None if row is None else row.zone for row in own],
        [None if row is None or not row.windows else row.anomalous / row.windows for row in own],
        [0 if row is None else row.windows for row in own],
        [0 if row is None else row.alarms for row in own],
    )
