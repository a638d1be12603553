"""Machines, and one machine over months."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from training_hub.api.access import Parts, Viewer
from training_hub.catalogue.clip_filter import ClipFilter
from training_hub.catalogue.clip_listing import list_clips
from training_hub.web.queries.alarms import AlarmFilter, alarm_page
from training_hub.web.queries.balance import machine_balance
from training_hub.web.queries.choices import site_choices
from training_hub.web.queries.machines import Days, days_of, find_machine, list_machines
from training_hub.web.render import page

router = APIRouter(include_in_schema=False)

_SHOWN_CLIPS, _SHOWN_ALARMS = 8, 10


@router.get("/machines")
def machines(
    request: Request, parts: Parts, person: Viewer, site: Annotated[str, Query(max_length=64)] = ""
) -> HTMLResponse:
    """All machines, the sickest first."""
    with parts.database.transaction(writes=False) as session:
        found = list_machines(session, site or None, datetime.now(UTC).date())
        return page(request, "machines/page.html", person, machines=found, site=site, sites=site_choices(session))


@router.get("/machines/{machine_id}")
def one_machine(
    request: Request,
    parts: Parts,
    person: Viewer,
    machine_id: int,
    days: Annotated[int, Query(ge=7, le=1100)] = 180,
) -> HTMLResponse:
    """One machine: months of health, its alarms, its clips, what it lacks."""
    with parts.database.transaction(writes=False) as session:
        machine = find_machine(session, machine_id)
        history = days_of(session, machine_id, datetime.now(UTC).date() - timedelta(days=days))
        alarms, _ = alarm_page(session, AlarmFilter(machine=machine_id), None)
        clips = list_clips(session, ClipFilter(machine=machine.name, site=machine.site), limit=_SHOWN_CLIPS).clips
        balance = next(row for row in machine_balance(session) if row.machine_id == machine_id)
        return page(
            request,
            "machines/one.html",
            person,
            machine=machine,
            span_days=days,
            history=history,
            health_chart=_health(history),
            share_chart=_share(history),
            alarms=alarms[:_SHOWN_ALARMS],
            clips=clips,
            balance=balance,
        )


def _seconds(days: list[date]) -> list[float]:
    return [datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp() for day in days]


def _health(history: Days) -> dict[str, Any]:
    series = [{"name": "Health index", "values": history.health, "digits": 2}]
    return {"time": True, "x": _seconds(history.days), "series": series, "range": [0, 1]}


def _share(history: Days) -> dict[str, Any]:
    series = [
        {
            "name": "Anomalous windows, %",
            "values": [None if value is None else 100 * value for value in history.share],
            "digits": 2,
            "colour": "--series-2",
            "area": True,
        }
    ]
    return {"time": True, "x": _seconds(history.days), "series": series, "range": None}
