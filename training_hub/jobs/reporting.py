"""How a running job's words reach its row, and a request to end reaches the job."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from training_hub.jobs.context import JobCancelledError
from training_hub.jobs.ledger import Attempt, JobLedger, Standing

_log = logging.getLogger(__name__)

_WRITE_EVERY_S = 0.5


class RowProgress:
    """A `Progress` that writes to the row, at most twice a second.

    Args:
        ledger: Where the row is.
        attempt: Whose word it is.
        stopping: Set when the worker is to end.
    """

    def __init__(self, ledger: JobLedger, attempt: Attempt, *, stopping: threading.Event) -> None:
        self._ledger, self._attempt, self._stopping = ledger, attempt, stopping
        self._written_s = -1e9
        self.standing = Standing.GO_ON

    @property
    def must_end(self) -> bool:
        """Whether the job is to end: cancelled, another's by now, or its worker stops."""
        return self.standing is not Standing.GO_ON or self._stopping.is_set()

    def __call__(self, share: float, message: str) -> None:
        """Say it.

        Raises:
            JobCancelledError: The job is to end.
        """
        now_s = time.monotonic()
        if now_s - self._written_s >= _WRITE_EVERY_S:
            self._written_s = now_s
            self._heard(self._ledger.report(self._attempt, share, message))
        if self.must_end:
            raise JobCancelledError(self._attempt.job_id)

    @contextmanager
    def beating(self, every_s: float) -> Iterator[None]:
        """Say that the worker lives, from another thread, while the block runs."""
        ended = threading.Event()
        thread = threading.Thread(target=self._beat, args=(every_s, ended), name="jobs-beat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _beat(self, every_s: float, ended: threading.Event) -> None:
        while not ended.wait(every_s):
            try:
                self._heard(self._ledger.beat(self._attempt))
            except Exception as error:  # the database may be away; the job goes on
                _log.warning("job %s: its worker cannot say that it lives (%s)", self._attempt.job_id, error)

    def _heard(self, standing: Standing) -> None:
        if self.standing is Standing.GO_ON:
            self.standing = standing
