"""`/audit`: who did what."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel
from sqlalchemy import select

from training_hub.api.access import Engineer, Parts
from training_hub.catalogue.tables import AuditEntry

router = APIRouter(prefix="/audit", tags=["audit"])

_MAX_ID = 2**62
_Filter = Annotated[str | None, Query(max_length=160, pattern=r"^[^\x00]*$")]


class AuditView(BaseModel):
    """One entry of the audit log."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]
    address: str | None


class AuditPage(BaseModel):
    """Entries, the newest first.

    Attributes:
        entries: At most `limit`.
        next_before: `before` of the next page; None on the last.
    """

    entries: list[AuditView]
    next_before: int | None


@router.get("", summary="The audit log")
def list_audit(
    parts: Parts,
    _person: Engineer,
    *,
    actor: _Filter = None,
    action: _Filter = None,
    subject: _Filter = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
    before: Annotated[int | None, Query(ge=0, le=_MAX_ID)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> AuditPage:
    """Who did what to what, filtered exactly; `action` may be a family, such as `clip`, of `clip.label`."""
    wanted = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit + 1)
    if actor is not None:
        wanted = wanted.where(AuditEntry.actor == actor)
    if action is not None:
        family = AuditEntry.action.startswith(f"{action}.", autoescape=True)
        wanted = wanted.where((AuditEntry.action == action) | family)
    if subject is not None:
        wanted = wanted.where(AuditEntry.subject == subject)
    if since is not None:
        wanted = wanted.where(AuditEntry.at >= since)
    if until is not None:
        wanted = wanted.where(AuditEntry.at < until)
    if before is not None:
        wanted = wanted.where(AuditEntry.id < before)
    with parts.database.transaction(writes=False) as session:
        found = session.scalars(wanted).all()
        entries = [AuditView.model_validate(entry, from_attributes=True) for entry in found[:limit]]
    return AuditPage(entries=entries, next_before=entries[-1].id if len(found) > limit else None)
