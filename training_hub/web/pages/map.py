"""The map of embeddings."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from training_hub.api.access import Operator, Parts, Viewer
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
from training_hub.web.render import go_to, page

router = APIRouter(include_in_schema=False)

Sha = Annotated[str, Query(max_length=64)]


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
def points(parts: Parts, person: Viewer, bundle: Sha, by: Literal["pca", "umap"] = "pca") -> JSONResponse:
    """Every point, by columns; kept by the browser for a minute."""
    with parts.database.transaction(writes=False) as session:
        embedded = embedded_clips(session, bundle)
        job = latest_umap(session, bundle) if by == "umap" else None
    if by == "umap":
        kept, plane = plane_of(job, embedded)
        said = "UMAP: neighbours are kept, distances between groups mean little"
    else:
        kept = list(range(len(embedded.ids)))
        plane, share = principal_plane(embedded.vectors)
        said = f"PCA: the plane shows {share:.0%} of the variance"
    found = _columns(embedded, kept) | {"said": said, "x": plane[:, 0].tolist(), "y": plane[:, 1].tolist()}
    return JSONResponse(found, headers={"Cache-Control": "private, max-age=60"})


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
