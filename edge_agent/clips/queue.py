"""The bounded queue between the scorer and the writer of clips: the first thing to give when the gateway is behind."""

import threading
from collections import deque

from edge_agent.clips.job import ClipJob
from edge_agent.clips.reasons import Reason

_ORDER = tuple(Reason)


class ClipQueue:
    """Clips that wait to be written. Offering one never waits; where there is no room the least weighty one goes.

    Args:
        most_jobs: Most clips.
        most_bytes: Most memory that they hold.
    """

    def __init__(self, most_jobs: int = 16, most_bytes: int = 16 << 20) -> None:
        self._most_jobs = most_jobs
        self._most_bytes = most_bytes
        self._changed = threading.Condition()
        self._jobs: deque[ClipJob] = deque()
        self._closed = False

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def closed(self) -> bool:
        """Whether nothing more is taken."""
        return self._closed

    @property
    def nbytes(self) -> int:
        """Memory held now."""
        with self._changed:
            return sum(job.nbytes for job in self._jobs)

    def offer(self, job: ClipJob) -> tuple[ClipJob, ...]:
        """Add a clip; returns those that had to go, the offered one perhaps among them."""
        gone: list[ClipJob] = []
        with self._changed:
            if self._closed:
                return (job,)
            self._jobs.append(job)
            while len(self._jobs) > self._most_jobs or sum(each.nbytes for each in self._jobs) > self._most_bytes:
                # of the least weighty ones the newest: those before it have waited longer
                least = max(self._jobs, key=lambda each: (_ORDER.index(each.wish.reason), each.window_start_ns))
                self._jobs.remove(least)
                gone.append(least)
            self._changed.notify()
        return tuple(gone)

    def take(self, timeout_s: float) -> ClipJob | None:
        """The clip that has waited longest; None after the time, and once the queue is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._jobs) or self._closed, timeout_s)
            return self._jobs.popleft() if self._jobs else None

    def close(self) -> None:
        """Take nothing more; what waits can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def clear(self) -> tuple[ClipJob, ...]:
        """Give up what waits."""
        with self._changed:
            left = tuple(self._jobs)
            self._jobs.clear()
            return left
