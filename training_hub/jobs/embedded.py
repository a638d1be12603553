"""A worker in `serve` itself: one process is a whole hub."""

import threading
from types import TracebackType
from typing import Self

from training_hub.jobs.worker import Worker
from training_hub.parts import HubParts


class EmbeddedWorker:
    """Works jobs off in a thread, while the block runs or from `start` to `stop`; none with no slots.

    Args:
        parts: The hub's, as `open_parts` gives them.
    """

    name = "the embedded worker"

    def __init__(self, parts: HubParts) -> None:
        slots = parts.settings.jobs.embedded_workers
        self._worker = Worker(parts, slots=slots) if slots else None
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)

    def start(self) -> None:
        """Take jobs up."""
        if self._worker is not None:
            self._thread.start()

    def stop(self) -> None:
        """Take none up; running jobs are put back, or end before."""
        if self._worker is not None:
            self._worker.stop()
            self._thread.join()

    def alive(self) -> bool:
        """Whether jobs are taken up, where that is wanted."""
        return self._worker is None or self._thread.is_alive()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def _run(self) -> None:
        assert self._worker is not None
        self._worker.run()
