"""The hub itself: fleet, audit, exports."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from sqlalchemy import select
from starlette.responses import HTMLResponse

from training_hub.api.access import Engineer, Parts, Viewer
from training_hub.catalogue.tables import AuditEntry
from training_hub.catalogue.types import utc_now
from training_hub.web.queries.fleet import list_gateways
from training_hub.web.render import is_part, page

router = APIRouter(include_in_schema=False)

_PAGE = 100
Word = Annotated[str, Query(max_length=160, pattern=r"^[^\x00]*$")]
EXPORTS = (
    ("clips", "Clips", "every clip that is not deleted, with machine, verdict, score and label"),
    ("labels", "Labels", "every label ever given, by whom and when"),
    ("alarms", "Alarms", "every alarm's last word"),
    ("machine-days", "Machine days", "health, zone, windows, anomalous windows and alarms of each machine and day"),
    ("performance", "Performance", "AUC, partial AUC and false alarms of each bundle on each machine"),
)


@router.get("/fleet")
def fleet(request: Request, parts: Parts, person: Viewer) -> HTMLResponse:
    """Gateways: last seen, version, bundle, clips that wait, clock, update."""
    with parts.database.transaction(writes=False) as session:
        rows = list_gateways(session, utc_now())
    return page(request, "hub/fleet_rows.html" if is_part(request) else "hub/fleet.html", person, rows=rows)


@router.get("/audit")
def audit(
    request: Request,
    parts: Parts,
    person: Engineer,
    *,
    actor: Word = "",
    action: Word = "",
    subject: Word = "",
    before: Annotated[int, Query(ge=0, le=2**62)] = 0,
) -> HTMLResponse:
    """Who did what, the latest first."""
    wanted = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(_PAGE + 1)
    if actor:
        wanted = wanted.where(AuditEntry.actor.in_((actor, f"user:{actor}")))
    if action:
        family = AuditEntry.action.startswith(f"{action}.", autoescape=True)
        wanted = wanted.where((AuditEntry.action == action) | family)
    if subject:
        wanted = wanted.where(AuditEntry.subject == subject)
    if before:
        wanted = wanted.where(AuditEntry.id < before)
    with parts.database.transaction(writes=False) as session:
        found = list(session.scalars(wanted))
        actions = list(session.scalars(select(AuditEntry.action).distinct().order_by(AuditEntry.action)))
    template = "hub/audit_rows.html" if before else "hub/audit_list.html" if is_part(request) else "hub/audit.html"
    return page(
        request,
        template,
        person,
        entries=found[:_PAGE],
        following=found[_PAGE - 1].id if len(found) > _PAGE else None,
        chosen=[("actor", actor), ("action", action), ("subject", subject)],
        actions=actions,
    )


@router.get("/exports")
def exports(request: Request, person: Viewer) -> HTMLResponse:
    """What can be taken to a dashboard elsewhere."""
    return page(request, "hub/exports.html", person, exports=EXPORTS, origin=str(request.base_url).rstrip("/"))
