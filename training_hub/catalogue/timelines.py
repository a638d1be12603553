"""Alarms, events, jobs, runs and bundles, the newest first."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from training_hub.catalogue.paging import Page, Timeline
from training_hub.catalogue.tables import Alarm, Bundle, Event, Gateway, Job, Machine, Run

_ALARMS: Timeline[Alarm] = Timeline("alarms", Alarm.raised_at, Alarm.id, lambda row: (row.raised_at, row.id))
_EVENTS: Timeline[Event] = Timeline("events", Event.occurred_at, Event.id, lambda row: (row.occurred_at, row.id))
_JOBS: Timeline[Job] = Timeline("jobs", Job.created_at, Job.id, lambda row: (row.created_at, row.id))
_RUNS: Timeline[Run] = Timeline("runs", Run.created_at, Run.id, lambda row: (row.created_at, row.id))
_BUNDLES: Timeline[Bundle] = Timeline("bundles", Bundle.created_at, Bundle.id, lambda row: (row.created_at, row.id))


@dataclass(frozen=True, slots=True)
class Where:
    """Whose rows, and of when; None asks for nothing.

    Attributes:
        site, gateway: Of the gateway.
        machine: The machine's name.
        kind: Of alarm or event.
        since, until: From, and before.
    """

    site: str | None = None
    gateway: str | None = None
    machine: str | None = None
    kind: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def list_alarms(
    session: Session,
    where: Where,
    *,
    state: str | None = None,
    severity: str | None = None,
    is_open: bool | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[Alarm]:
    """Alarms of all sites.

    Args:
        session: A transaction.
        where: Which.
        state: Of ISA-18.2.
        severity: As the agent gave it.
        is_open: Whether they are over yet.
        limit: How many at most.
        cursor: Of the page before.

    Raises:
        CatalogueError: No such cursor.
    """
    query = _placed(select(Alarm), where, Alarm.gateway_id, Alarm.machine_id, Alarm.kind, Alarm.raised_at)
    if state is not None:
        query = query.where(Alarm.state == state)
    if severity is not None:
        query = query.where(Alarm.severity == severity)
    if is_open is not None:
        query = query.where(Alarm.state != "normal" if is_open else Alarm.state == "normal")
    return _ALARMS.page(session, query, limit=limit, cursor=cursor)


def list_events(session: Session, where: Where, *, limit: int = 50, cursor: str | None = None) -> Page[Event]:
    """Events of all gateways.

    Raises:
        CatalogueError: No such cursor.
    """
    query = _placed(select(Event), where, Event.gateway_id, Event.machine_id, Event.kind, Event.occurred_at)
    return _EVENTS.page(session, query, limit=limit, cursor=cursor)


def list_jobs(
    session: Session, *, kind: str | None = None, state: str | None = None, limit: int = 50, cursor: str | None = None
) -> Page[Job]:
    """Jobs.

    Raises:
        CatalogueError: No such cursor.
    """
    query = select(Job)
    if kind is not None:
        query = query.where(Job.kind == kind)
    if state is not None:
        query = query.where(Job.state == state)
    return _JOBS.page(session, query, limit=limit, cursor=cursor)


def list_runs(session: Session, *, limit: int = 50, cursor: str | None = None) -> Page[Run]:
    """Trainings.

    Raises:
        CatalogueError: No such cursor.
    """
    return _RUNS.page(session, select(Run), limit=limit, cursor=cursor)


def list_bundles(
    session: Session, *, state: str | None = None, limit: int = 50, cursor: str | None = None
) -> Page[Bundle]:
    """Bundles.

    Raises:
        CatalogueError: No such cursor.
    """
    query = select(Bundle) if state is None else select(Bundle).where(Bundle.state == state)
    return _BUNDLES.page(session, query, limit=limit, cursor=cursor)


def _placed(  # noqa: PLR0917  # the columns of either table
    query: Select[Any],
    where: Where,
    gateway_id: InstrumentedAttribute[Any],
    machine_id: InstrumentedAttribute[Any],
    kind: InstrumentedAttribute[str],
    at: InstrumentedAttribute[datetime],
) -> Select[Any]:
    """A query, filtered by where and when."""
    if where.site is not None or where.gateway is not None:
        query = query.join(Gateway, gateway_id == Gateway.id)
    if where.site is not None:
        query = query.where(Gateway.site == where.site)
    if where.gateway is not None:
        query = query.where(Gateway.name == where.gateway)
    if where.machine is not None:
        query = query.join(Machine, machine_id == Machine.id).where(Machine.name == where.machine)
    if where.kind is not None:
        query = query.where(kind == where.kind)
    if where.since is not None:
        query = query.where(at >= where.since)
    if where.until is not None:
        query = query.where(at < where.until)
    return query
