"""`/machines`, `/gateways`, `/alarms`, `/events`: what is out there, and how it fares."""

from datetime import date, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from sqlalchemy import func, select

from training_hub.api.access import Parts, Viewer
from training_hub.api.problems import problems
from training_hub.api.views.fleet import (
    AlarmPageView,
    AlarmView,
    DayView,
    EventPageView,
    EventView,
    GatewayFleetView,
    GatewaysView,
    MachineDetail,
    MachinesView,
    MachineView,
    machine_values,
)
from training_hub.api.words import After, Id, Limit, Since, Until
from training_hub.catalogue.errors import CatalogueError, NotThereError
from training_hub.catalogue.machine_overview import days_of, list_machines
from training_hub.catalogue.tables import Gateway, Machine
from training_hub.catalogue.timelines import Where, list_alarms, list_events
from training_hub.catalogue.types import utc_now
from training_hub.catalogue.whose import owners

router = APIRouter(tags=["fleet"], responses=problems(404))

_MAX_ID = 2**31 - 1
_MOST_DAYS = 3660
_MOST_GATEWAYS = 5000
MachineId = Annotated[int, Path(ge=1, le=_MAX_ID, description="Number of the machine.", examples=[7])]
Site = Annotated[Id | None, Query(description="Only this plant's.")]
GatewayName = Annotated[Id | None, Query(description="Only this gateway's.")]
OfMachine = Annotated[Id | None, Query(description="Only this machine's.")]


@router.get("/machines", summary="List machines")
def machines(
    parts: Parts,
    _person: Viewer,
    *,
    site: Site = None,
    type: Annotated[Id | None, Query(description="Only those of this type.")] = None,
    after: Annotated[int, Query(ge=0, le=_MAX_ID, description="`next` of the page before.")] = 0,
    limit: Limit = 200,
) -> MachinesView:
    """Machines with their clips and open alarms."""
    with parts.database.transaction(writes=False) as session:
        lines = list_machines(session, site=site, type_=type, after=after, limit=limit + 1)
    shown = lines[:limit]
    more = shown[-1].machine.id if len(lines) > limit else None
    return MachinesView(machines=[MachineView.line(line) for line in shown], next=more)


@router.get("/machines/{id}", summary="A machine over months")
def machine(
    parts: Parts,
    _person: Viewer,
    id: MachineId,
    *,
    since: Annotated[date | None, Query(description="First day; left out: a year ago.")] = None,
    until: Annotated[date | None, Query(description="The day after the last; left out: tomorrow.")] = None,
) -> MachineDetail:
    """A machine's clips, its days, and its last alarms."""
    today = utc_now().date()
    first, last = since or today - timedelta(days=366), until or today + timedelta(days=1)
    if (last - first).days > _MOST_DAYS:
        raise CatalogueError(f"{(last - first).days} days; at most {_MOST_DAYS} at once")
    with parts.database.transaction(writes=False) as session:
        lines = list_machines(session, machine_id=id)
        if not lines:
            raise NotThereError(f"there is no machine {id}")
        row = lines[0].machine
        days = days_of(session, id, since=first, until=last)
        page = list_alarms(session, Where(site=row.site, machine=row.name), limit=50)
        gateways, _ = owners(session, page.rows)
        alarms = [AlarmView.of(alarm, gateways[alarm.gateway_id], row.name) for alarm in page.rows]
    return MachineDetail(**machine_values(lines[0]), days=[DayView.of(day) for day in days], alarms=alarms)


@router.get("/gateways", summary="List gateways")
def gateways(parts: Parts, _person: Viewer, *, site: Site = None) -> GatewaysView:
    """Gateways and what each last reported."""
    wanted = select(Gateway).order_by(Gateway.site, Gateway.name).limit(_MOST_GATEWAYS)
    if site is not None:
        wanted = wanted.where(Gateway.site == site)
    with parts.database.transaction(writes=False) as session:
        rows = session.scalars(wanted).all()
        counted = select(Machine.gateway_id, func.count()).group_by(Machine.gateway_id)
        heard = dict(session.execute(counted).all())
    return GatewaysView(
        gateways=[
            GatewayFleetView(
                id=row.id,
                site=row.site,
                name=row.name,
                ring=row.ring,
                disabled=row.disabled,
                machines=int(heard.get(row.id, 0)),
                created_at=row.created_at,
                last_seen_at=row.last_seen_at,
                report=row.report,
            )
            for row in rows
        ]
    )


@router.get("/alarms", summary="Alarms across sites")
def alarms(
    parts: Parts,
    _person: Viewer,
    *,
    site: Site = None,
    gateway: GatewayName = None,
    machine: OfMachine = None,
    kind: Annotated[Id | None, Query(description="Of the machine, the input or the plant.")] = None,
    state: Annotated[Id | None, Query(description="Of ANSI/ISA-18.2.", examples=["unacknowledged"])] = None,
    severity: Annotated[Id | None, Query(description="As the agent gave it.", examples=["high"])] = None,
    open: Annotated[Literal["yes", "no", "both"], Query(description="Whether it is not over yet.")] = "both",
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    after: After = None,
) -> AlarmPageView:
    """Alarms, the newest first."""
    where = Where(site=site, gateway=gateway, machine=machine, kind=kind, since=since, until=until)
    is_open = {"yes": True, "no": False, "both": None}[open]
    with parts.database.transaction(writes=False) as session:
        page = list_alarms(session, where, state=state, severity=severity, is_open=is_open, limit=limit, cursor=after)
        whose, names = owners(session, page.rows)
    shown = [AlarmView.of(row, whose[row.gateway_id], names.get(row.machine_id or 0)) for row in page.rows]
    return AlarmPageView(alarms=shown, next=page.next)


@router.get("/events", summary="Events of all gateways")
def events(
    parts: Parts,
    _person: Viewer,
    *,
    site: Site = None,
    gateway: GatewayName = None,
    machine: OfMachine = None,
    kind: Annotated[Id | None, Query(description="Of the event.", examples=["result"])] = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    after: After = None,
) -> EventPageView:
    """Events, the newest first; what the broker lost came by HTTP."""
    where = Where(site=site, gateway=gateway, machine=machine, kind=kind, since=since, until=until)
    with parts.database.transaction(writes=False) as session:
        page = list_events(session, where, limit=limit, cursor=after)
        whose, names = owners(session, page.rows)
    shown = [EventView.of(row, whose[row.gateway_id], names.get(row.machine_id or 0)) for row in page.rows]
    return EventPageView(events=shown, next=page.next)
