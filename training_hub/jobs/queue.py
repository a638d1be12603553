"""What both queues share: the row is written with the caller's transaction, and a worker is told after its commit."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable

from sqlalchemy import event
from sqlalchemy.orm import Session

from edge_agent.delivery.ulid import UlidFactory
from training_hub.catalogue.tables import Job
from training_hub.jobs.errors import JobError

_log = logging.getLogger(__name__)

Run = Callable[[str], None]
"""Does the job with this id; raises nothing."""


class HubQueue(ABC):
    """A `JobQueue` that workers can work off. What it carries are ids alone, and losing one costs a delay, no job."""

    def __init__(self) -> None:
        self._ulids = UlidFactory.of_this_computer()

    def enqueue(self, session: Session, kind: str, parameters: dict[str, object], *, by: str) -> str:
        """Write the job's row in the caller's transaction, and have a worker told once that is committed.

        Returns:
            The job's id.

        Raises:
            JobError: There is no such kind.
        """
        from training_hub.jobs.kinds import discover  # noqa: PLC0415  # kinds may enqueue others

        kinds = discover()
        if kind not in kinds:
            raise JobError(f"no kind of job {kind!r}; there are {', '.join(sorted(kinds))}")
        job = Job(id=self._ulids(), kind=kind, parameters=parameters, created_by=by)
        session.add(job)
        self.tell_after_commit(session, job.id)
        return job.id

    def tell_after_commit(self, session: Session, job_id: str) -> None:
        """Have a worker told of a row once the session's transaction is committed."""

        def told(_session: Session) -> None:
            try:
                self.tell([job_id])
            except Exception as error:  # the row is written; whoever asked must not see it fail
                _log.warning("job %s: no worker could be told (%s); the next sweep tells one", job_id, error)

        # a rolled-back row leaves a listener that tells of nothing: claiming what is not there does nothing
        event.listen(session, "after_commit", told, once=True)

    @abstractmethod
    def tell(self, job_ids: Iterable[str]) -> None:
        """Have workers take these jobs up; ids they were told of already change nothing.

        Raises:
            JobError: The queue cannot be reached.
        """

    @abstractmethod
    def work(self, run: Run, stop: threading.Event, *, slots: int, poll_s: float) -> None:
        """Run jobs as they come until `stop` is set and those running have returned.

        Args:
            run: Does one.
            stop: Ends it.
            slots: Jobs at a time.
            poll_s: How often to look where nothing tells.

        Raises:
            JobError: The queue cannot be reached.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of connections."""
