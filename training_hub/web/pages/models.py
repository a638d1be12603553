"""Training: launch, watch, cancel; what came of it; bundles."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, Response

from training_hub.api.access import Engineer, Parts, Viewer
from training_hub.catalogue.model_in_use import model_in_use
from training_hub.catalogue.tables import Bundle
from training_hub.catalogue.work import ask_to_cancel
from training_hub.retrain.request import parse_request
from training_hub.web.errors import WebError
from training_hub.web.queries.balance import machine_balance
from training_hub.web.queries.runs import RETRAIN, curves, find_run, list_bundles, list_runs
from training_hub.web.render import deed_of, go_to, is_part, page
from training_hub.web.reports import report_policy

router = APIRouter(include_in_schema=False)

What = Annotated[list[Literal["types", "weights", "faults", "encoder"]], Form()]


@router.get("/models")
def models(request: Request, parts: Parts, person: Viewer) -> HTMLResponse:
    """All trainings and bundles, and the form for another training."""
    with parts.database.transaction(writes=False) as session:
        runs, bundles, used = list_runs(session), list_bundles(session), model_in_use(session)
        learnable = sum(1 for row in machine_balance(session) if row.normal)
    template = "models/runs.html" if is_part(request) else "models/page.html"
    going = any(row.is_going for row in runs)
    return page(request, template, person, runs=runs, bundles=bundles, used=used, learnable=learnable, going=going)


@router.post("/models/runs")
def launch(
    request: Request,
    parts: Parts,
    person: Engineer,
    *,
    what: What,
    minutes: Annotated[float, Form(gt=0, le=1440)] = 45.0,
    base: Annotated[str, Form(max_length=64)] = "",
    version: Annotated[str, Form(max_length=64)] = "",
) -> Response:
    """Queue a training.

    Raises:
        RetrainError: Something is out of bounds.
    """
    parameters: dict[str, object] = {"what": sorted(set(what)), "minutes": minutes}
    if base:
        parameters["base"] = base
    if version:
        parameters["version"] = version
    parse_request(parameters)
    with parts.database.transaction() as session:
        job = parts.jobs.enqueue(session, RETRAIN, parameters, by=person.actor)
        deed_of(request, person).record(session, "run.launch", f"job:{job}", parameters)
    return go_to(f"/models/runs/{job}")


@router.get("/models/runs/{run_id}")
def run(request: Request, parts: Parts, person: Viewer, run_id: str) -> HTMLResponse:
    """One training: how far it is, or what came of it."""
    with parts.database.transaction(writes=False) as session:
        row = find_run(session, run_id)
        charts = [] if row.run is None else curves(session, row.run.id)
    return page(request, "models/run.html", person, row=row, charts=charts)


@router.post("/models/runs/{run_id}/cancel")
def cancel(request: Request, parts: Parts, person: Engineer, run_id: str) -> Response:
    """Ask that a training ends."""
    with parts.database.transaction() as session:
        row = find_run(session, run_id)
        if row.job is None:
            raise WebError("this training has no job that could be cancelled")
        ask_to_cancel(session, row.job.id, deed_of(request, person))
    return go_to(f"/models/runs/{run_id}")


@router.get("/models/runs/{run_id}/report")
def report(parts: Parts, person: Viewer, run_id: str) -> Response:
    """The evaluation's report, as it was made."""
    with parts.database.transaction(writes=False) as session:
        found = find_run(session, run_id).run
    if found is None or found.report_sha256 is None:
        raise WebError("this training has no report", missing=True)
    html = parts.objects.get(found.report_sha256).decode("utf-8", "replace")
    headers = {"Content-Security-Policy": report_policy(html)}
    return Response(html, media_type="text/html", headers=headers)


@router.get("/models/bundles/{bundle_id}")
def bundle(request: Request, parts: Parts, person: Viewer, bundle_id: str) -> HTMLResponse:
    """One bundle: its model card and where it came from."""
    with parts.database.transaction(writes=False) as session:
        found, used = session.get(Bundle, bundle_id), model_in_use(session)
    if found is None:
        raise WebError(f"there is no bundle {bundle_id[:40]}", missing=True)
    return page(request, "models/bundle.html", person, bundle=found, used=used)
