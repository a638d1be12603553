"""Alarms of all sites, and one alarm."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from training_hub.api.access import Parts, Viewer
from training_hub.catalogue.tables import Clip
from training_hub.web.queries.alarms import AlarmFilter, alarm_page, count_open, find_alarm
from training_hub.web.queries.choices import machine_choices, site_choices
from training_hub.web.queries.clips import heard_beside
from training_hub.web.render import is_part, page

router = APIRouter(include_in_schema=False)
Word = Annotated[str, Query(max_length=64)]


@router.get("/alarms")
def alarms(
    request: Request,
    parts: Parts,
    person: Viewer,
    *,
    site: Word = "",
    machine: Word = "",
    state: Word = "open",
    severity: Word = "",
    kind: Word = "",
    after: Annotated[str, Query(max_length=1024)] = "",
) -> HTMLResponse:
    """The list; by default what wants a person."""
    number = int(machine) if machine.isdecimal() else None
    chosen = AlarmFilter(site or None, number, state or None, severity or None, kind or None)
    with parts.database.transaction(writes=False) as session:
        found, following = alarm_page(session, chosen, after or None)
        context: dict[str, object] = {"alarms": found, "following": following, "chosen": chosen}
        if is_part(request):
            return page(request, "alarms/rows.html" if after else "alarms/list.html", person, **context)
        return page(
            request,
            "alarms/page.html",
            person,
            **context,
            open_counts=count_open(session),
            machines=machine_choices(session),
            sites=site_choices(session),
        )


@router.get("/alarms/{alarm_id}")
def one_alarm(request: Request, parts: Parts, person: Viewer, alarm_id: str) -> HTMLResponse:
    """One alarm, explained, with its sound."""
    with parts.database.transaction(writes=False) as session:
        row = find_alarm(session, alarm_id)
        clip = None if row.clip_id is None else session.get(Clip, row.clip_id)
    nearest, distance = (None, None) if clip is None else heard_beside(parts, clip)
    return page(request, "alarms/one.html", person, row=row, clip=clip, nearest=nearest, distance=distance)
