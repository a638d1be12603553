"""Jobs and trainings: look at one, end one."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from training_hub.catalogue.errors import NotThereError, StateError
from training_hub.catalogue.labelling import Deed
from training_hub.catalogue.tables import Bundle, Job, Run, RunPoint

UNFINISHED = ("queued", "running")
MOST_POINTS = 20_000


def job_by_id(session: Session, id_: str, *, lock: bool = False) -> Job:
    """A job.

    Raises:
        NotThereError: There is none.
    """
    found = session.get(Job, id_, with_for_update=lock or None)
    if found is None:
        raise NotThereError(f"there is no job {id_}")
    return found


def ask_to_cancel(session: Session, id_: str, deed: Deed) -> Job:
    """Ask that a job ends; one that has not begun ends at once.

    Raises:
        NotThereError: There is none.
        StateError: It has ended.
    """
    job = job_by_id(session, id_, lock=True)
    if job.state not in UNFINISHED:
        raise StateError(f"job {id_} is {job.state}; there is nothing to cancel")
    job.cancel_asked = True
    if job.state == "queued":
        job.state, job.finished_at, job.message = "cancelled", deed.at, "cancelled before it began"
    deed.record(session, "job.cancel", f"job:{id_}", {"kind": job.kind})
    return job


def run_by_id(session: Session, id_: str) -> Run:
    """A training.

    Raises:
        NotThereError: There is none.
    """
    found = session.get(Run, id_)
    if found is None:
        raise NotThereError(f"there is no run {id_}")
    return found


def points_of(session: Session, run_id: str) -> Sequence[RunPoint]:
    """A training's curves, by name and step."""
    wanted = select(RunPoint).where(RunPoint.run_id == run_id).order_by(RunPoint.name, RunPoint.step)
    return session.scalars(wanted.limit(MOST_POINTS)).all()


def jobs_of(session: Session, runs: Sequence[Run]) -> dict[str, Job]:
    """The jobs of trainings, by their ids."""
    ids = [run.job_id for run in runs if run.job_id is not None]
    return {job.id: job for job in session.scalars(select(Job).where(Job.id.in_(ids)))}


def bundles_of(session: Session, runs: Sequence[Run]) -> dict[str, str]:
    """The ids of the bundles that came out of trainings, by the trainings' ids."""
    wanted = select(Bundle.run_id, Bundle.id).where(Bundle.run_id.in_([run.id for run in runs]))
    return {run_id: id_ for run_id, id_ in session.execute(wanted.order_by(Bundle.created_at)) if run_id is not None}
