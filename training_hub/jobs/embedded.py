"""A worker in `serve` itself: one process is a whole hub."""

import logging
import threading
from types import TracebackType
from typing import Self

from training_hub.jobs.errors import JobError
from training_hub.jobs.worker import Worker
from training_hub.parts import HubParts

_log = logging.getLogger(__name__)


class EmbeddedWorker:
    """Works jobs off in a thread while the block runs; none where `jobs.embedded_workers` is 0.

    Args:
        parts: The hub's, as `open_parts` gives them.
    """

    def __init__(self, parts: HubParts) -> None:
        slots = parts.settings.jobs.embedded_workers
        self._worker = Worker(parts, slots=slots) if slots else None
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)

    def __enter__(self) -> Self:
        """Start."""
        if self._worker is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop: running jobs are put back, or end before."""
        if self._worker is not None:
            self._worker.stop()
            self._thread.join()

    def _run(self) -> None:
        assert self._worker is not None
        try:
            self._worker.run()
        except JobError:
            _log.exception("the embedded worker ended; jobs wait until the hub is started again")
