"""Trainings, from the moment they are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from training_hub.catalogue.tables import Bundle, Job, Run
from training_hub.catalogue.work import points_of
from training_hub.web.errors import WebError

RETRAIN = "retrain"
MOST = 100


@dataclass(frozen=True, slots=True)
class RunRow:
    """A training: its job is there first, its run once it began, its bundle once it ended well.

    Attributes:
        job, run, bundle: Whichever there are.
    """

    job: Job | None
    run: Run | None
    bundle: Bundle | None

    @property
    def id(self) -> str:
        """For the address: the run's, or that of the job that has none yet."""
        if self.run is not None:
            return self.run.id
        assert self.job is not None
        return self.job.id

    @property
    def state(self) -> str:
        """As of the job; a run without one was imported."""
        return "done" if self.job is None else self.job.state

    @property
    def is_going(self) -> bool:
        """Whether there is more to come."""
        return self.state in ("queued", "running")

    @property
    def what(self) -> str:
        """What is learnt."""
        if self.run is not None:
            return self.run.what
        assert self.job is not None
        return "+".join(self.job.parameters.get("what") or ("types",))


def list_runs(session: Session) -> list[RunRow]:
    """The latest hundred, the newest first; those that only wait come with their job alone."""
    runs = list(session.scalars(select(Run).order_by(Run.created_at.desc(), Run.id.desc()).limit(MOST)))
    jobs = {
        job.id: job
        for job in session.scalars(
            select(Job).where(Job.kind == RETRAIN).order_by(Job.created_at.desc(), Job.id.desc()).limit(MOST)
        )
    }
    bundles = {bundle.run_id: bundle for bundle in session.scalars(select(Bundle).where(Bundle.run_id.is_not(None)))}
    known = {run.job_id for run in runs}
    rows = [RunRow(jobs.get(run.job_id or ""), run, bundles.get(run.id)) for run in runs]
    rows += [RunRow(job, None, None) for job in jobs.values() if job.id not in known]
    return sorted(rows, key=lambda row: (row.run or row.job).created_at, reverse=True)  # type: ignore[union-attr]  # one is there


def find_run(session: Session, id_: str) -> RunRow:
    """A training by its run's or its job's id.

    Raises:
        WebError: There is none.
    """
    run = session.get(Run, id_) or session.scalar(select(Run).where(Run.job_id == id_))
    job = session.get(Job, run.job_id if run is not None and run.job_id else id_)
    if run is None and (job is None or job.kind != RETRAIN):
        raise WebError(f"there is no training {id_[:40]}", missing=True)
    bundle = None if run is None else session.scalar(select(Bundle).where(Bundle.run_id == run.id))
    return RunRow(job, run, bundle)


def curves(session: Session, run_id: str) -> list[dict[str, Any]]:
    """The run's figures over its steps, one chart each."""
    lines: dict[str, tuple[list[int], list[float]]] = {}
    for point in points_of(session, run_id):
        steps, values = lines.setdefault(point.name, ([], []))
        steps.append(point.step)
        values.append(point.value)
    return [
        {
            "name": name,
            "time": False,
            "x": steps,
            "x_name": "Step",
            "series": [{"name": name, "values": values}],
            "range": None,
        }
        for name, (steps, values) in lines.items()
    ]


def list_bundles(session: Session) -> list[Bundle]:
    """All bundles, the newest first."""
    return list(session.scalars(select(Bundle).order_by(Bundle.created_at.desc(), Bundle.id.desc()).limit(MOST)))
