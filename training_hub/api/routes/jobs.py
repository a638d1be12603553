"""`/jobs`: work that takes longer than a request; watch it, end it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from training_hub.api.access import Address, Engineer, Parts, Viewer
from training_hub.api.deeds import deed_of
from training_hub.api.problems import problems
from training_hub.api.views.work import JobPageView, JobState, JobView
from training_hub.api.words import After, Id, Limit, UlidPath
from training_hub.catalogue.errors import NotThereError
from training_hub.catalogue.timelines import list_jobs
from training_hub.catalogue.work import UNFINISHED, ask_to_cancel, job_by_id
from training_hub.parts import HubParts

router = APIRouter(prefix="/jobs", tags=["training"], responses=problems(404, 409))

_LOOK_S = 0.5
_LONGEST_S = 3600.0
_KEEP_ALIVE_LOOKS = 30
_Wait = Annotated[Literal["no", "yes"], Query(description="`yes`: stay until it ends; `no`: the present state alone.")]


@router.get("", summary="List jobs")
def jobs(
    parts: Parts,
    _person: Viewer,
    *,
    kind: Annotated[Id | None, Query(description="Only this kind.", examples=["retrain"])] = None,
    state: Annotated[JobState | None, Query(description="Only those in this state.")] = None,
    limit: Limit = 50,
    after: After = None,
) -> JobPageView:
    """Jobs, the newest first."""
    with parts.database.transaction(writes=False) as session:
        page = list_jobs(session, kind=kind, state=state, limit=limit, cursor=after)
    return JobPageView(jobs=[JobView.model_validate(job) for job in page.rows], next=page.next)


@router.get("/{id}", summary="A job")
def job(parts: Parts, _person: Viewer, id: UlidPath) -> JobView:
    """How far a job is."""
    return _view(parts, id)


@router.post("/{id}/cancel", summary="End a job")
def cancel(parts: Parts, person: Engineer, address: Address, id: UlidPath) -> JobView:
    """Ask that a job ends; one that has not begun ends at once, another where it next says how far it is."""
    with parts.database.transaction() as session:
        return JobView.model_validate(ask_to_cancel(session, id, deed_of(person, address)))


@router.get(
    "/{id}/events",
    summary="Watch a job",
    response_class=StreamingResponse,
    responses={
        200: {"description": "Server-sent events: a `JobView` at each change.", "content": {"text/event-stream": {}}}
    },
)
async def watch(
    parts: Parts,
    _person: Viewer,
    request: Request,
    id: UlidPath,
    *,
    follow: _Wait = "yes",
) -> StreamingResponse:
    """The job at each change until it ends, as server-sent events; a stream lasts an hour at most."""
    first = await run_in_threadpool(_view, parts, id)
    stream = _changes(parts, request, first, looks=round(_LONGEST_S / _LOOK_S) if follow == "yes" else 0)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


async def _changes(parts: HubParts, request: Request, first: JobView, *, looks: int) -> AsyncIterator[str]:
    yield _event(first)
    last = first
    for look in range(looks):
        if last.state not in UNFINISHED or await request.is_disconnected():
            return
        await asyncio.sleep(_LOOK_S)
        try:
            now = await run_in_threadpool(_view, parts, first.id)
        except NotThereError:
            return
        if now != last:
            yield _event(now)
            last = now
        elif look % _KEEP_ALIVE_LOOKS == _KEEP_ALIVE_LOOKS - 1:
            yield ": still there\n\n"  # so that proxies do not take it for dead


def _event(job: JobView) -> str:
    return f"event: job\ndata: {job.model_dump_json()}\n\n"


def _view(parts: HubParts, id_: str) -> JobView:
    with parts.database.transaction(writes=False) as session:
        return JobView.model_validate(job_by_id(session, id_))
