"""Alarms of all sites."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from training_hub.catalogue.tables import Alarm, Clip, Gateway, Machine
from training_hub.catalogue.timelines import Where, list_alarms
from training_hub.catalogue.whose import owners
from training_hub.web.errors import WebError

PAGE = 50
OVER = ("normal",)


@dataclass(frozen=True, slots=True)
class Band:
    """A third octave's part in an alarm; negative: it spoke for normal."""

    centre_hz: float
    contribution: float


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """An alarm with what it is about.

    Attributes:
        alarm: Its row.
        site, gateway: Where.
        machine: Whose; None for one of the whole plant.
        clip_id: The sound of the window that raised it, where the hub has it.
    """

    alarm: Alarm
    site: str
    gateway: str
    machine: Machine | None
    clip_id: str | None

    @property
    def bands(self) -> list[Band]:
        """What spoke for the alarm, by frequency."""
        anomaly = self.alarm.data.get("anomaly") or {}
        found = [Band(float(b["centre_hz"]), float(b["contribution"])) for b in anomaly.get("bands") or ()]
        return sorted(found, key=lambda band: band.centre_hz)

    @property
    def detail(self) -> dict[str, Any]:
        """The event's data."""
        return self.alarm.data


@dataclass(frozen=True, slots=True)
class AlarmFilter:
    """Which alarms; every field is a word of the address. `state` may be `open`, `all`, or one of ISA-18.2."""

    site: str | None = None
    machine: int | None = None
    state: str | None = None
    severity: str | None = None
    kind: str | None = None

    def pairs(self) -> list[tuple[str, Any]]:
        """For an address."""
        return [(name, getattr(self, name)) for name in ("site", "machine", "state", "severity", "kind")]

    @property
    def is_narrow(self) -> bool:
        """Whether anything but the default was chosen."""
        return any(value not in (None, "") for _, value in self.pairs())


def alarm_page(session: Session, chosen: AlarmFilter, after: str | None) -> tuple[list[AlarmRow], str | None]:
    """A page of alarms, the latest first, and where the next begins.

    Raises:
        CatalogueError: `after` is not what a former page gave.
    """
    machine = None if chosen.machine is None else session.get(Machine, chosen.machine)
    site = machine.site if machine is not None else chosen.site
    found = list_alarms(
        session,
        Where(site=site, machine=None if machine is None else machine.name, kind=chosen.kind),
        state=None if chosen.state in ("open", "all") else chosen.state,
        severity=chosen.severity,
        is_open=True if chosen.state == "open" else None,
        limit=PAGE,
        cursor=after,
    )
    gateways, _ = owners(session, found.rows)
    ids = {alarm.machine_id for alarm in found.rows if alarm.machine_id is not None}
    machines = {row.id: row for row in session.scalars(select(Machine).where(Machine.id.in_(ids)))}
    clips = _clips_of(session, [alarm.id for alarm in found.rows])
    rows = [
        AlarmRow(
            alarm,
            gateways[alarm.gateway_id].site,
            gateways[alarm.gateway_id].name,
            machines.get(alarm.machine_id or 0),
            clips.get(alarm.id),
        )
        for alarm in found.rows
    ]
    return rows, found.next


def find_alarm(session: Session, alarm_id: str) -> AlarmRow:
    """One alarm.

    Raises:
        WebError: There is none of that id.
    """
    alarm = session.get(Alarm, alarm_id)
    if alarm is None:
        raise WebError(f"there is no alarm {alarm_id[:40]}", missing=True)
    gateway = session.get_one(Gateway, alarm.gateway_id)
    machine = None if alarm.machine_id is None else session.get(Machine, alarm.machine_id)
    return AlarmRow(alarm, gateway.site, gateway.name, machine, _clips_of(session, [alarm.id]).get(alarm.id))


def count_open(session: Session) -> dict[str, int]:
    """How many alarms that are not over stand in each state."""
    rows = session.execute(
        select(Alarm.state, func.count()).where(Alarm.state.not_in(OVER)).group_by(Alarm.state).order_by(Alarm.state)
    )
    return {state: count for state, count in rows}


def _clips_of(session: Session, alarms: list[str]) -> dict[str, str]:
    rows = session.execute(
        select(Clip.alarm, func.min(Clip.id))
        .where(Clip.alarm.in_(alarms), Clip.deleted_at.is_(None))
        .group_by(Clip.alarm)
    ).all()
    return {alarm: clip for alarm, clip in rows if alarm is not None}
