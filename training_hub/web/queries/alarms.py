"""Alarms of all sites."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from training_hub.catalogue.tables import Alarm, Clip, Gateway, Machine
from training_hub.web.errors import WebError

PAGE = 50
OPEN_STATES = ("unacknowledged", "acknowledged", "returned_unacknowledged", "latched", "shelved")


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
    """Which alarms; every field is a word of the address."""

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


def list_alarms(session: Session, chosen: AlarmFilter, before: str | None) -> tuple[list[AlarmRow], str | None]:
    """A page of alarms, the latest first, and where the next begins."""
    statement = (
        select(Alarm, Gateway, Machine)
        .join(Gateway, Gateway.id == Alarm.gateway_id)
        .outerjoin(Machine, Machine.id == Alarm.machine_id)
        .where(*_conditions(chosen))
    )
    if before:
        statement = statement.where(Alarm.raised_at < _time(before))
    rows = session.execute(statement.order_by(Alarm.raised_at.desc(), Alarm.id).limit(PAGE + 1)).all()
    following = rows[PAGE - 1][0].raised_at.isoformat() if len(rows) > PAGE else None
    clips = _clips_of(session, [row[0].id for row in rows[:PAGE]])
    return [AlarmRow(a, g.site, g.name, m, clips.get(a.id)) for a, g, m in rows[:PAGE]], following


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
    """How many alarms stand in each state that wants a person."""
    rows = session.execute(
        select(Alarm.state, func.count()).where(Alarm.state.in_(OPEN_STATES)).group_by(Alarm.state)
    ).all()
    return {state: count for state, count in rows}


def _conditions(chosen: AlarmFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if chosen.state == "open":
        found.append(Alarm.state.in_(OPEN_STATES))
    elif chosen.state:
        found.append(Alarm.state == chosen.state)
    if chosen.site:
        found.append(Gateway.site == chosen.site)
    if chosen.machine is not None:
        found.append(Alarm.machine_id == chosen.machine)
    if chosen.severity:
        found.append(Alarm.severity == chosen.severity)
    if chosen.kind:
        found.append(Alarm.kind == chosen.kind)
    return found


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise WebError(f"before={text[:60]!r} is no time; go back to the beginning of the list") from error
    if found.tzinfo is None:
        raise WebError(f"before={text[:60]!r} has no zone; go back to the beginning of the list")
    return found


def _clips_of(session: Session, alarms: list[str]) -> dict[str, str]:
    rows = session.execute(
        select(Clip.alarm, func.min(Clip.id))
        .where(Clip.alarm.in_(alarms), Clip.deleted_at.is_(None))
        .group_by(Clip.alarm)
    ).all()
    return {alarm: clip for alarm, clip in rows if alarm is not None}
