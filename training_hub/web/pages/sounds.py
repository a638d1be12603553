"""Adding sounds, and testing one; both send files to the API, which streams them."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from training_hub.api.access import Operator, Parts
from training_hub.web.queries.choices import label_choices, machine_choices
from training_hub.web.render import page

router = APIRouter(include_in_schema=False)


@router.get("/add")
def add(request: Request, parts: Parts, person: Operator) -> HTMLResponse:
    """Where recordings are dropped."""
    with parts.database.transaction(writes=False) as session:
        machines, labels = machine_choices(session), label_choices(session)
    most = parts.settings.sounds.max_upload_bytes
    return page(request, "sounds/add.html", person, machines=machines, labels=labels, most_bytes=most)


@router.get("/test")
def test(request: Request, parts: Parts, person: Operator) -> HTMLResponse:
    """Where one sound is judged."""
    with parts.database.transaction(writes=False) as session:
        machines = machine_choices(session)
    return page(
        request, "sounds/test.html", person, machines=machines, most_bytes=parts.settings.sounds.max_upload_bytes
    )
