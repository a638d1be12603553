"""`/status`: the hub at a glance."""

import shutil
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import Field

import edge_agent
from training_hub.api.access import Parts, Viewer
from training_hub.api.problems import problems
from training_hub.api.views.work import RunView
from training_hub.api.words import View
from training_hub.catalogue.overview import overview
from training_hub.catalogue.types import utc_now
from training_hub.catalogue.work import bundles_of, jobs_of
from training_hub.sounds.errors import SoundError

router = APIRouter(tags=["status"], responses=problems())


class ModelView(View):
    """The bundle that gateways are meant to run."""

    name: Annotated[str, Field(examples=["default"])]
    version: Annotated[str, Field(examples=["0.3.0"])]
    sha256: str
    machine_types: Annotated[list[str], Field(description="Types that it has a prior of.", examples=[["generic"]])]


class DataView(View):
    """Clips by what they are used for."""

    training: Annotated[int, Field(description="Normal sound to learn from.", examples=[843])]
    validation: Annotated[int, Field(description="Faults, and what is held out.", examples=[84])]
    external: Annotated[int, Field(description="From elsewhere, kept apart.", examples=[0])]
    new: Annotated[int, Field(description="Came in, nobody looked.", examples=[94])]
    labelled: int
    deleted: Annotated[int, Field(description="Can be restored until they are purged.")]
    original: Annotated[int, Field(description="Of the data that the hub began with; the rest are new sounds.")]
    since_training: Annotated[int, Field(description="Came after the training of the model in use began.")]
    last_clip_at: datetime | None


class QueueView(View):
    """Work."""

    queued: int
    running: int


class DiskView(View):
    """Room."""

    free_bytes: Annotated[int, Field(description="On the disk of the state directory.")]
    total_bytes: int
    objects: Annotated[int, Field(description="Files in the store.")]
    object_bytes: Annotated[int, Field(description="Their sizes together.")]


class StatusView(View):
    """The hub at a glance."""

    state: Annotated[Literal["up", "degraded"], Field(description="`degraded`: see `why`.", examples=["up"])]
    why: Annotated[list[str], Field(description="What is amiss; empty while all is well.", examples=[[]])]
    version: Annotated[str, Field(examples=["0.1.0"])]
    now: Annotated[datetime, Field(description="The hub's clock.")]
    database: Annotated[Literal["sqlite", "postgresql"], Field(examples=["sqlite"])]
    model: Annotated[ModelView | None, Field(description="Null where none can be used; `why` says why.")]
    data: DataView
    machines: int
    gateways: int
    events: int
    open_alarms: int
    queue: QueueView
    last_training: RunView | None
    disk: DiskView


_LEAST_FREE = 0.05


@router.get("/status", summary="The hub at a glance")
def status(parts: Parts, _person: Viewer, request: Request) -> StatusView:
    """State, version, model in use, counts of data, work, the last training, room."""
    with parts.database.transaction(writes=False) as session:
        seen = overview(session)
        last = seen.last_run
        runs = [] if last is None else [last]
        jobs, bundles = jobs_of(session, runs), bundles_of(session, runs)
    why = []
    model = None
    try:
        bundle = request.app.state.sounds.bundles.ear().bundle
        model = ModelView(
            name=bundle.ref.name,
            version=bundle.ref.version,
            sha256=bundle.ref.sha256,
            machine_types=list(bundle.manifest.machine_types),
        )
    except SoundError as error:
        why.append(str(error))
    disk = shutil.disk_usage(parts.state_dir)
    if disk.free < _LEAST_FREE * disk.total:
        why.append(f"only {disk.free} bytes are free below {parts.state_dir}; make room, or purge deleted clips")
    return StatusView(
        state="degraded" if why else "up",
        why=why,
        version=edge_agent.__version__,
        now=utc_now(),
        database="sqlite" if parts.database.is_sqlite else "postgresql",
        model=model,
        data=DataView(
            **seen.datasets,
            labelled=seen.labelled,
            deleted=seen.deleted,
            original=seen.original,
            since_training=seen.new_since_training,
            last_clip_at=seen.last_clip_at,
        ),
        machines=seen.machines,
        gateways=seen.gateways,
        events=seen.events,
        open_alarms=seen.open_alarms,
        queue=QueueView(queued=seen.jobs_queued, running=seen.jobs_running),
        last_training=None if last is None else RunView.of(last, jobs.get(last.job_id or ""), bundles.get(last.id)),
        disk=DiskView(
            free_bytes=disk.free, total_bytes=disk.total, objects=seen.objects, object_bytes=seen.object_bytes
        ),
    )
