"""The rows of `jobs`: the truth about every job, whatever a queue or a worker believes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import CursorResult, select, update

from training_hub.catalogue.tables import Job
from training_hub.catalogue.types import utc_now

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from training_hub.catalogue.database import Database

_log = logging.getLogger(__name__)

MAX_MESSAGE_CHARS = 2000
UNFINISHED = ("queued", "running")


@dataclass(frozen=True)
class Attempt:
    """One worker's claim on one job.

    Attributes:
        job_id: Its row.
        number: Which attempt; writes of an older one are refused, however late they come.
        kind: The word in `jobs.kind`.
        parameters: As enqueued.
        created_by: The actor who asked for it.
    """

    job_id: str
    number: int
    kind: str
    parameters: dict[str, Any]
    created_by: str


class Standing(Enum):
    """What an attempt's worker is to do."""

    GO_ON = "go on"
    CANCEL = "cancel"
    LOST = "lost"
    """The row is another's, or finished: write nothing more."""


class JobLedger:
    """Reads and writes the rows of `jobs`. Any thread; several processes.

    Args:
        database: The hub's.
        now: The time.
    """

    def __init__(self, database: Database, *, now: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._now = now

    def claim(self, job_id: str) -> Attempt | None:
        """Take up a queued job; None where another has it, it was cancelled, or it is not there."""
        now = self._now()
        with self._database.transaction() as session:
            job = session.get(Job, job_id, with_for_update=True)
            if job is None or job.state != "queued":
                return None
            if job.cancel_asked:
                _finish(job, "cancelled", "cancelled before it began", now)
                return None
            job.state, job.started_at, job.beat_at, job.finished_at = "running", job.started_at or now, now, None
            job.attempts += 1
            return Attempt(job.id, job.attempts, job.kind, dict(job.parameters), job.created_by)

    def beat(self, attempt: Attempt) -> Standing:
        """Say that the attempt's worker lives."""
        return self._touch(attempt, {"beat_at": self._now()})

    def report(self, attempt: Attempt, share: float, message: str) -> Standing:
        """Say how far the attempt is."""
        share = min(1.0, max(0.0, share))
        return self._touch(attempt, {"beat_at": self._now(), "progress": share, "message": message[:MAX_MESSAGE_CHARS]})

    def done(self, attempt: Attempt, result: dict[str, Any]) -> bool:
        """Finish the attempt with its result; whether the row was still its own."""
        return self._end(attempt, "done", None, progress=1.0, result=result)

    def failed(self, attempt: Attempt, message: str) -> bool:
        """Finish the attempt with what went wrong; whether the row was still its own."""
        return self._end(attempt, "failed", message)

    def cancelled(self, attempt: Attempt, message: str) -> bool:
        """Finish the attempt because somebody asked for it; whether the row was still its own."""
        return self._end(attempt, "cancelled", message)

    def put_back(self, attempt: Attempt, message: str) -> bool:
        """Queue the job again; a sweep tells a worker of it. Whether the row was still the attempt's."""
        return self._change(attempt, {"state": "queued", "message": message[:MAX_MESSAGE_CHARS], "beat_at": None})

    def sweep(self, *, silent_for_s: float, most_attempts: int, repeatable: Collection[str]) -> list[str]:
        """Put right what crashed workers left behind.

        Args:
            silent_for_s: A running job whose worker said nothing for so long is queued again.
            most_attempts: How often a job may be taken up; one that killed as many workers is failed.
            repeatable: Kinds that may run again after a crash.

        Returns:
            Queued jobs, oldest first, of which a worker must know.
        """
        now = self._now()
        with self._database.transaction() as session:
            silent = select(Job).where(
                Job.state == "running", Job.beat_at < now - timedelta(seconds=silent_for_s)
            ).with_for_update(skip_locked=True)  # fmt: skip
            for job in session.scalars(silent).all():
                if job.cancel_asked:
                    _finish(job, "cancelled", "cancelled; its worker had gone silent", now)
                elif job.attempts >= most_attempts or job.kind not in repeatable:
                    _finish(job, "failed", f"its worker went silent {job.attempts} times; see the worker's log", now)
                else:
                    job.state, job.beat_at = "queued", None
                    job.message = f"its worker went silent; queued again after attempt {job.attempts}"
                _log.warning("job %s (%s): %s", job.id, job.kind, job.message)
            unwanted = select(Job).where(Job.state == "queued", Job.cancel_asked).with_for_update(skip_locked=True)
            for job in session.scalars(unwanted).all():
                _finish(job, "cancelled", "cancelled before it began", now)
            session.flush()
            waiting = select(Job.id).where(Job.state == "queued").order_by(Job.created_at, Job.id)
            return list(session.scalars(waiting).all())

    def _touch(self, attempt: Attempt, values: dict[str, Any]) -> Standing:
        with self._database.transaction() as session:
            if not _update(session, attempt, values):
                return Standing.LOST
            asked = session.scalar(select(Job.cancel_asked).where(Job.id == attempt.job_id))
            return Standing.CANCEL if asked else Standing.GO_ON

    def _end(self, attempt: Attempt, state: str, message: str | None, **values: object) -> bool:
        if message is not None:
            values["message"] = message[:MAX_MESSAGE_CHARS]
        return self._change(attempt, {"state": state, "finished_at": self._now(), **values})

    def _change(self, attempt: Attempt, values: dict[str, Any]) -> bool:
        with self._database.transaction() as session:
            return _update(session, attempt, values)


def ask_cancel(session: Session, job_id: str) -> bool:
    """Ask that a job ends, in the caller's transaction: at once where it waits, soon where it runs.

    Returns:
        Whether it was unfinished.
    """
    job = session.get(Job, job_id, with_for_update=True)
    if job is None or job.state not in UNFINISHED:
        return False
    job.cancel_asked = True
    if job.state == "queued":
        _finish(job, "cancelled", "cancelled before it began", utc_now())
    return True


def _finish(job: Job, state: str, message: str, now: datetime) -> None:
    job.state, job.message, job.finished_at = state, message, now


def _update(session: Session, attempt: Attempt, values: dict[str, Any]) -> bool:
    """Write to the row if it is still the attempt's."""
    statement = update(Job).where(
        Job.id == attempt.job_id, Job.state == "running", Job.attempts == attempt.number
    )  # fmt: skip
    result = cast("CursorResult[Any]", session.execute(statement.values(**values)))
    return result.rowcount == 1
