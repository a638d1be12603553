"""Two bundles side by side."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from training_hub.api.access import Parts, Viewer
from training_hub.catalogue.model_in_use import model_in_use
from training_hub.catalogue.performance import Measured, compared
from training_hub.web.queries.runs import list_bundles
from training_hub.web.render import page

router = APIRouter(include_in_schema=False)
Sha = Annotated[str, Query(max_length=64)]


@router.get("/compare")
def compare(
    request: Request,
    parts: Parts,
    person: Viewer,
    bundle: Sha = "",
    with_: Annotated[str, Query(alias="with", max_length=64)] = "",
) -> HTMLResponse:
    """Per machine figures and what a threshold would give; the arithmetic of the slider is done in the browser."""
    with parts.database.transaction(writes=False) as session:
        bundles, used = list_bundles(session), model_in_use(session)
        known = [one.sha256 for one in bundles]
        other = with_ or (used.sha256 if used else known[-1] if known else "")
        chosen = bundle or next((sha for sha in known if sha != other), other)
        pairs = compared(session, chosen, other) if chosen and other else []
    names = {one.sha256: f"{one.name} {one.version}" for one in bundles}
    return page(
        request,
        "models/compare.html",
        person,
        bundles=bundles,
        chosen=chosen,
        other=other,
        names=(names.get(chosen, chosen[:10]), names.get(other, other[:10])),
        pairs=pairs,
        figures=[
            {"machine": one.machine.name, "site": one.machine.site, "new": _scores(one), "old": _scores(reference)}
            for one, reference in pairs
        ],
    )


def _scores(one: Measured) -> dict[str, Any]:
    return {
        "normal": one.normal_scores.tolist(),
        "anomalous": one.anomalous_scores.tolist(),
        "threshold": one.threshold,
    }
