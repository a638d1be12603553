"""The hub at a glance: what is there, what waits, what was done last."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from training_hub.catalogue.clip_filter import DATASETS
from training_hub.catalogue.model_in_use import taught_until
from training_hub.catalogue.tables import Alarm, Clip, Event, Gateway, Job, Machine, Run, StoredObject

_CLOSED_ALARMS = ("normal",)


@dataclass(frozen=True, slots=True)
class Overview:
    """Counts.

    Attributes:
        datasets: Clips of each dataset that are not deleted.
        deleted: Clips that are.
        labelled: Clips that a person labelled.
        original: Clips of the data that the hub began with; the others are new sounds.
        new_since_training: Clips that came after the training of the model in use began; with the shipped one, all new
            sounds.
        objects, object_bytes: Files in the store.
        machines, gateways, events, open_alarms: How many.
        jobs_queued, jobs_running: Work.
        last_run: The training begun last.
        last_clip_at: When the last clip came in.
    """

    datasets: dict[str, int]
    deleted: int
    labelled: int
    original: int
    new_since_training: int
    objects: int
    object_bytes: int
    machines: int
    gateways: int
    events: int
    open_alarms: int
    jobs_queued: int
    jobs_running: int
    last_run: Run | None
    last_clip_at: datetime | None


def overview(session: Session) -> Overview:
    """The hub at a glance."""
    present = Clip.deleted_at.is_(None)
    by_dataset = dict(session.execute(select(Clip.dataset, func.count()).where(present).group_by(Clip.dataset)).all())
    jobs = dict(
        session.execute(
            select(Job.state, func.count()).where(Job.state.in_(("queued", "running"))).group_by(Job.state)
        ).all()
    )
    objects, object_bytes = session.execute(select(func.count(), func.sum(StoredObject.size_bytes))).one()

    taught = taught_until(session)
    unheard = Clip.original.is_(False) if taught is None else Clip.received_at > taught

    def count(query: object) -> int:
        return int(session.scalar(query) or 0)  # type: ignore[call-overload]  # a select of one number

    return Overview(
        datasets={name: int(by_dataset.get(name, 0)) for name in DATASETS},
        deleted=count(select(func.count()).select_from(Clip).where(Clip.deleted_at.is_not(None))),
        labelled=count(select(func.count()).select_from(Clip).where(present, Clip.label.is_not(None))),
        original=count(select(func.count()).select_from(Clip).where(present, Clip.original)),
        new_since_training=count(select(func.count()).select_from(Clip).where(present, unheard)),
        objects=int(objects),
        object_bytes=int(object_bytes or 0),
        machines=count(select(func.count()).select_from(Machine)),
        gateways=count(select(func.count()).select_from(Gateway)),
        events=count(select(func.count()).select_from(Event)),
        open_alarms=count(select(func.count()).select_from(Alarm).where(Alarm.state.not_in(_CLOSED_ALARMS))),
        jobs_queued=int(jobs.get("queued", 0)),
        jobs_running=int(jobs.get("running", 0)),
        last_run=session.scalar(select(Run).order_by(Run.created_at.desc(), Run.id.desc()).limit(1)),
        last_clip_at=session.scalar(select(func.max(Clip.received_at))),
    )
