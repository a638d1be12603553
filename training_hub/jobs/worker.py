"""A worker: takes jobs up, says that it lives, lets them be cancelled, and puts right what dead workers left."""

import logging
import threading
import time
from collections.abc import Callable, Mapping

from sqlalchemy.exc import OperationalError

from edge_agent.observe.systemd import SystemdNotifier
from training_hub.jobs.context import JobCancelledError, JobContext
from training_hub.jobs.errors import JobError
from training_hub.jobs.kinds import JobKind, discover
from training_hub.jobs.ledger import Attempt, JobLedger, Standing
from training_hub.jobs.process import run_in_process
from training_hub.jobs.queue import HubQueue
from training_hub.jobs.reporting import RowProgress
from training_hub.parts import HubParts

_log = logging.getLogger(__name__)

# Trouble of the surroundings, not of the job: it is queued again and a later sweep hands it out.
PASSING = (OperationalError, ConnectionError)
_AGAIN_S = 5.0


class Worker:
    """Works jobs off until it is stopped.

    Args:
        parts: The hub's settings, database, store and queue.
        slots: Jobs at a time.
        kinds: What it can do; all that there are.
        notifier: Told when it works, when it ends, and that it lives, by the thread that asks the database for what is
            to be done: a worker whose database answers no more, without a word, is one to start again.

    Raises:
        JobError: The parts hold no queue that a worker can work off.
    """

    def __init__(
        self,
        parts: HubParts,
        *,
        slots: int,
        kinds: Mapping[str, JobKind] | None = None,
        notifier: SystemdNotifier | None = None,
    ) -> None:
        if not isinstance(parts.jobs, HubQueue):
            raise JobError(f"{type(parts.jobs).__name__} is no queue to work off; open the parts with open_parts")
        self._parts, self._queue, self._slots = parts, parts.jobs, slots
        self._kinds = discover() if kinds is None else kinds
        self._notifier = notifier or SystemdNotifier()
        self._ledger = JobLedger(parts.database)
        self._stop = threading.Event()

    def stop(self) -> None:
        """Begin no further job; those running are put back at their next word, those in a process at once."""
        self._notifier.stopping()
        self._stop.set()

    def run(self) -> None:
        """Work until `stop`, also through times without a database or queue."""
        sweeper = threading.Thread(target=self._sweep_until_stopped, name="jobs-sweeper", daemon=True)
        sweeper.start()
        self._notifier.ready(f"up to {self._slots} at a time")
        try:
            while not self._stop.is_set():
                self._work()
        finally:
            self._stop.set()
            sweeper.join()

    def sweep(self) -> None:
        """Put right what dead workers left, and tell of what nobody was told of."""
        jobs = self._parts.settings.jobs
        repeatable = {word for word, kind in self._kinds.items() if getattr(kind, "REPEATABLE", True)}
        waiting = self._ledger.sweep(
            silent_for_s=jobs.silent_for_s, most_attempts=jobs.most_attempts, repeatable=repeatable
        )
        if waiting:
            self._queue.tell(waiting)

    def run_one(self, job_id: str) -> None:
        """Do one job, if it is still to be done; whatever goes wrong ends in its row and in the log."""
        try:
            attempt = self._ledger.claim(job_id)
            if attempt is not None:
                self._attempt(attempt)
        except Exception:  # the worker must go on; the row is swept once its beat is old
            _log.exception("job %s: its row cannot be written; it will be queued again", job_id)

    def _work(self) -> None:
        """Work until `stop`, or until the queue fails, which is no reason to give up: its database comes back."""
        try:
            self._queue.work(self.run_one, self._stop, slots=self._slots, poll_s=self._parts.settings.jobs.poll_s)
        except JobError as error:
            _log.error("%s; trying again in %.0f s", error, _AGAIN_S)
            self._stop.wait(_AGAIN_S)

    def _attempt(self, attempt: Attempt) -> None:
        kind = self._kinds.get(attempt.kind)
        if kind is None:
            self._ledger.failed(attempt, f"this worker knows no kind {attempt.kind!r}; update it")
            return
        started_s = time.monotonic()
        _log.info("job %s (%s): attempt %d begins", attempt.job_id, attempt.kind, attempt.number)
        progress = RowProgress(self._ledger, attempt, stopping=self._stop)
        with progress.beating(self._parts.settings.jobs.beat_s):
            outcome = self._outcome(kind, attempt, progress)
        _log.info("job %s (%s): %s after %.1f s", attempt.job_id, attempt.kind, outcome, time.monotonic() - started_s)

    def _outcome(self, kind: JobKind, attempt: Attempt, progress: RowProgress) -> str:
        try:
            if getattr(kind, "OWN_PROCESS", False):
                return run_in_process(kind, attempt, self._parts.settings, self._ledger, progress)
            context = JobContext(attempt.job_id, attempt.created_by, self._parts, progress)
            result = kind.run(context, attempt.parameters)
        except JobCancelledError:
            return self._ended_early(attempt, progress)
        except PASSING as error:
            if attempt.number < self._parts.settings.jobs.most_attempts and getattr(kind, "REPEATABLE", True):
                self._ledger.put_back(attempt, f"put back: {explained(error)}")
                return "put back"
            self._ledger.failed(attempt, explained(error))
            return "failed"
        except Exception as error:  # a kind may raise anything; its row says what
            _log.warning("job %s (%s) failed", attempt.job_id, attempt.kind, exc_info=True)
            self._ledger.failed(attempt, explained(error))
            return "failed"
        self._ledger.done(attempt, result)
        return "done"

    def _ended_early(self, attempt: Attempt, progress: RowProgress) -> str:
        if progress.standing is Standing.CANCEL:
            self._ledger.cancelled(attempt, "cancelled")
            return "cancelled"
        if progress.standing is Standing.GO_ON:
            self._ledger.put_back(attempt, "put back: its worker was stopped")
            return "put back"
        return "taken over by another worker"

    def _sweep_until_stopped(self) -> None:
        every_s = max(0.1, min(10.0, self._parts.settings.jobs.silent_for_s / 4.0))
        if self._notifier.watchdog_s is not None:
            every_s = min(every_s, self._notifier.watchdog_s / 3.0)
        _sweep_every(every_s, self._stop, self.sweep, self._notifier.watchdog)


def explained(error: BaseException) -> str:
    """What a person is told: the message of an error that this project raised, with the type in front of others'."""
    own = type(error).__module__.partition(".")[0] in ("edge_agent", "training_hub")
    return str(error) if own else f"{type(error).__name__}: {error}"


def _sweep_every(every_s: float, stop: threading.Event, sweep: Callable[[], None], swept: Callable[[], object]) -> None:
    while True:
        try:
            sweep()
        except Exception:  # the database may be away for a while; the next sweep finds what this one did not
            _log.exception("jobs cannot be swept; trying again in %.0f s", every_s)
        swept()
        if stop.wait(every_s):
            return
