"""`/runs`: trainings; launch, look at, read the report."""

from typing import Any

from fastapi import APIRouter, Request, Response

from training_hub.api.access import Address, Engineer, Parts, Viewer
from training_hub.api.deeds import deed_of
from training_hub.api.problems import problems
from training_hub.api.ranges import file_response
from training_hub.api.views.work import JobView, PointView, RunDetail, RunPageView, RunView
from training_hub.api.words import After, Limit, UlidPath
from training_hub.catalogue.errors import NotThereError
from training_hub.catalogue.timelines import list_runs
from training_hub.catalogue.work import bundles_of, job_by_id, jobs_of, points_of, run_by_id
from training_hub.jobs.kinds.retrain import KIND as RETRAIN
from training_hub.retrain.request import RetrainRequest

router = APIRouter(prefix="/runs", tags=["training"], responses=problems(404, 409))


@router.post("", status_code=202, summary="Launch a training")
def launch(parts: Parts, person: Engineer, address: Address, request: Request, wish: RetrainRequest) -> JobView:
    """Queue a training; its job says how far it is, `/runs` has what comes out."""
    if wish.base is not None:
        request.app.state.sounds.bundles.ear(wish.base)  # 404 now, not a failed job later
    parameters: dict[str, Any] = wish.model_dump(mode="json", exclude_defaults=True)
    parameters["what"] = list(dict.fromkeys(wish.what))
    deed = deed_of(person, address)
    with parts.database.transaction() as session:
        job_id = parts.jobs.enqueue(session, RETRAIN, parameters, by=person.actor)
        deed.record(session, "run.launch", f"job:{job_id}", parameters)
        session.flush()
        return JobView.model_validate(job_by_id(session, job_id))


@router.get("", summary="List trainings")
def runs(parts: Parts, _person: Viewer, *, limit: Limit = 50, after: After = None) -> RunPageView:
    """Trainings, the newest first."""
    with parts.database.transaction(writes=False) as session:
        page = list_runs(session, limit=limit, cursor=after)
        jobs, bundles = jobs_of(session, page.rows), bundles_of(session, page.rows)
    shown = [RunView.of(run, jobs.get(run.job_id or ""), bundles.get(run.id)) for run in page.rows]
    return RunPageView(runs=shown, next=page.next)


@router.get("/{id}", summary="All of a training")
def run(parts: Parts, _person: Viewer, id: UlidPath) -> RunDetail:
    """What went in, what came out, its curves, and whether it passed the gate."""
    with parts.database.transaction(writes=False) as session:
        found = run_by_id(session, id)
        jobs, bundles = jobs_of(session, [found]), bundles_of(session, [found])
        points = [PointView.model_validate(point) for point in points_of(session, id)]
    return RunDetail.with_all(found, jobs.get(found.job_id or ""), bundles.get(id), points)


@router.get(
    "/{id}/report",
    summary="A training's report",
    response_class=Response,
    responses={
        200: {"description": "HTML, in one file.", "content": {"text/html": {}}},
        206: {"description": "A part of it.", "content": {"text/html": {}}},
        304: {"description": "As the caller has it."},
        **problems(404, 416),
    },
)
def report(parts: Parts, _person: Viewer, request: Request, id: UlidPath) -> Response:
    """The evaluation's report."""
    with parts.database.transaction(writes=False) as session:
        sha256 = run_by_id(session, id).report_sha256
    if sha256 is None:
        raise NotThereError(f"run {id} has no report")
    answer = file_response(request, parts.objects.get(sha256), media_type="text/html", etag=sha256)
    # a page of ours, but made of names that others gave: it runs nothing and asks nobody
    answer.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
    return answer
