"""The map of embeddings."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Form, Query, Request
from starlette.responses import HTMLResponse, Response

from training_hub.api.access import Operator, Parts, Viewer
from training_hub.catalogue.tables import Job
from training_hub.catalogue.types import utc_now
from training_hub.web.errors import WebError
from training_hub.web.queries.embeddings import (
    UMAP_KIND,
    Embedded,
    bundle_choices,
    embedded_clips,
    has_umap,
    latest_umap,
    plane_of,
    principal_plane,
)
from training_hub.web.queries.shown import Shown, only_came, shown
from training_hub.web.render import go_to, page
from training_hub.web.revised import answers_of

router = APIRouter(include_in_schema=False)

Sha = Annotated[str, Query(max_length=64)]
_DECIMALS = 4  # of directions, within -1 and 1: finer than a pixel


@router.get("/map")
def show_map(
    request: Request, parts: Parts, person: Viewer, bundle: Sha = "", by: Literal["pca", "umap"] = "pca"
) -> HTMLResponse:
    """The page; its points follow."""
    with parts.database.transaction(writes=False) as session:
        bundles = bundle_choices(session)
        chosen = bundle or (bundles[0].sha256 if bundles else "")
        job = latest_umap(session, chosen)
    return page(
        request, "sounds/map.html", person, bundles=bundles, chosen=chosen, by=by, job=job, umap_installed=has_umap()
    )


@router.get("/map/points")
def points(request: Request, parts: Parts, person: Viewer, bundle: Sha, by: Literal["pca", "umap"] = "pca") -> Response:
    """Every point, by columns; what people do with these clips shows at once, clips that come within a minute."""
    with parts.database.transaction(writes=False) as session:
        now = shown(session, bundle, utc_now())
        job = latest_umap(session, bundle) if by == "umap" else None

    def make() -> bytes:
        with parts.database.transaction(writes=False) as session:
            return _points(embedded_clips(session, bundle), job, by)

    def may_wait(before: Shown) -> bool:
        if before.at >= now.at:  # another request read later than this one, and was answered first
            return True
        with parts.database.transaction(writes=False) as session:
            return only_came(session, before, now)

    key = ("map", bundle, by, None if job is None else (job.id, job.state))
    content = answers_of(request).get(key, now, make, may_wait)
    return Response(content, media_type="application/json", headers={"Cache-Control": "private, no-cache"})


def _points(embedded: Embedded, job: Job | None, by: str) -> bytes:
    if by == "umap":
        kept, plane = plane_of(job, embedded)
        said = "UMAP: neighbours are kept, distances between groups mean little"
    else:
        kept = list(range(len(embedded.ids)))
        plane, share = principal_plane(embedded.vectors)
        said = f"PCA: the plane shows {share:.0%} of the variance"
    x, y = plane.astype(np.float64).round(_DECIMALS).T.tolist()
    found = _columns(embedded, kept) | {"said": said, "x": x, "y": y}
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()


def _columns(embedded: Embedded, kept: list[int]) -> dict[str, Any]:
    columns: dict[str, list[Any]] = {
        "ids": embedded.ids, "machine": embedded.machines, "site": embedded.sites, "type": embedded.types,
        "label": embedded.labels, "verdict": embedded.verdicts,
    }  # fmt: skip
    return {name: [values[place] for place in kept] for name, values in columns.items()}


@router.post("/map/umap")
def lay_out(parts: Parts, person: Operator, bundle: Annotated[str, Form(max_length=64)]) -> Response:
    """Have a UMAP made."""
    if not has_umap():
        raise WebError("UMAP is not installed on the hub; pip install edge-agent[umap]")
    with parts.database.transaction() as session:
        job = latest_umap(session, bundle)
        if job is None or job.state not in ("queued", "running"):
            parts.jobs.enqueue(session, UMAP_KIND, {"bundle": bundle}, by=person.actor)
    return go_to(f"/map?bundle={bundle}&by=umap")
