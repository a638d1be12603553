"""Clips: the table, one clip, its sound and picture, and what a person says of them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from training_hub.accounts.principal import Person
from training_hub.api.access import Operator, Parts, Viewer
from training_hub.catalogue import labelling, removal
from training_hub.catalogue.clip_filter import DATASETS
from training_hub.catalogue.clip_listing import count_clips, list_clips
from training_hub.catalogue.tables import Clip
from training_hub.parts import HubParts
from training_hub.web.queries.choices import fault_keys, label_choices, machine_choices, site_choices, type_choices
from training_hub.web.queries.clips import PAGE, ClipWords, find_clip, heard_beside, read_words
from training_hub.web.render import deed_of, is_part, page
from training_hub.web.site import pictures_of

router = APIRouter(include_in_schema=False)

_MOST = 500
Chosen = Annotated[list[str], Form(alias="clip", max_length=_MOST)]
_FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}


@router.get("/")
def home() -> Response:
    """The first page is that of the clips."""
    return RedirectResponse("/clips", status_code=303)


@router.get("/clips")
def clips(
    request: Request, parts: Parts, person: Viewer, after: Annotated[str, Query(max_length=1024)] = ""
) -> HTMLResponse:
    """The table, or the rows that follow a place in it."""
    chosen = read_words(dict(request.query_params))
    with parts.database.transaction(writes=False) as session:
        wanted = chosen.wanted(session)
        found = list_clips(session, wanted, limit=PAGE, cursor=after or None)
        context: dict[str, object] = {"clips": found.clips, "following": found.next, "chosen": chosen}
        if after:
            return page(request, "clips/rows.html", person, **context)
        context["count"] = count_clips(session, wanted)
        if is_part(request):
            return page(request, "clips/table.html", person, **context)
        return page(
            request,
            "clips/page.html",
            person,
            **context,
            machines=machine_choices(session),
            sites=site_choices(session),
            types=type_choices(session),
            labels=label_choices(session),
            datasets=DATASETS,
        )


@router.get("/clips/{clip_id}")
def one_clip(request: Request, parts: Parts, person: Viewer, clip_id: str) -> HTMLResponse:
    """One clip on a page of its own."""
    return _shown(request, parts, person, clip_id, "clips/one.html")


@router.get("/clips/{clip_id}/panel")
def panel(request: Request, parts: Parts, person: Viewer, clip_id: str) -> HTMLResponse:
    """One clip beside the table."""
    return _shown(request, parts, person, clip_id, "clips/panel.html")


def _shown(request: Request, parts: HubParts, person: Person, clip_id: str, template: str) -> HTMLResponse:
    with parts.database.transaction(writes=False) as session:
        clip = find_clip(session, clip_id)
        keys = fault_keys(session, clip.machine.type)
    nearest, distance = heard_beside(parts, clip)
    return page(request, template, person, clip=clip, nearest=nearest, distance=distance, keys=keys)


@router.get("/clips/{clip_id}/small.png")
def small_picture(request: Request, parts: Parts, person: Viewer, clip_id: str) -> Response:
    """The clip's spectrogram as lists show it."""
    with parts.database.transaction(writes=False) as session:
        clip = find_clip(session, clip_id)
    return Response(pictures_of(request).small(clip.sha256, clip.kind), media_type="image/png", headers=_FOREVER)


@router.post("/clips/labels")
def give_label(
    request: Request, parts: Parts, person: Operator, clip: Chosen, label: Annotated[str, Form(max_length=128)] = ""
) -> HTMLResponse:
    """Label clips, or take their label back; answers their rows."""
    with parts.database.transaction() as session:
        found = labelling.label_clips(session, clip, label.strip() or None, deed_of(request, person))
        return _rows(request, person, found)


@router.post("/clips/move")
def move(
    request: Request, parts: Parts, person: Operator, clip: Chosen, dataset: Annotated[str, Form(max_length=32)]
) -> HTMLResponse:
    """Put clips into another dataset; answers their rows."""
    with parts.database.transaction() as session:
        return _rows(request, person, labelling.move_clips(session, clip, dataset, deed_of(request, person)))


@router.post("/clips/delete")
def delete(request: Request, parts: Parts, person: Operator, clip: Chosen) -> HTMLResponse:
    """Delete clips; answers their rows."""
    with parts.database.transaction() as session:
        return _rows(request, person, removal.delete_clips(session, clip, deed_of(request, person)))


@router.post("/clips/restore")
def restore(request: Request, parts: Parts, person: Operator, clip: Chosen) -> HTMLResponse:
    """Restore clips; answers their rows."""
    with parts.database.transaction() as session:
        return _rows(request, person, removal.restore_clips(session, clip, deed_of(request, person)))


def _rows(request: Request, person: Person, clips: list[Clip]) -> HTMLResponse:
    return page(request, "clips/rows.html", person, clips=clips, following=None, chosen=ClipWords())
