"""Writes clips on a thread of its own: screens, encodes, stores, and tells what became of each."""

import contextlib
import logging
import os
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from edge_agent.clips.books import StoreStats
from edge_agent.clips.errors import ClipError
from edge_agent.clips.job import ClipJob
from edge_agent.clips.prepare import Keep, prepare
from edge_agent.clips.queue import ClipQueue
from edge_agent.clips.reasons import Dropped, Reason
from edge_agent.clips.screen import SpeechScreen
from edge_agent.clips.sidecar import Sidecar
from edge_agent.clips.store import ClipStore
from edge_agent.speech.errors import SpeechError

_log = logging.getLogger(__name__)

_RETRY_S = 30.0
_REMEMBERED = 512


@dataclass(frozen=True, slots=True)
class WriterStats:
    """What became of clips since the start.

    Attributes:
        dropped: Not kept, by reason of the clip and by why.
        verdicts: What the speech screen said: `unscreened`, `clear`, `masked`, `trimmed`, `speech`.
        waiting: Clips in the queue.
        waiting_bytes: Memory that they hold.
        store: The store's books; None while it cannot be opened.
    """

    dropped: tuple[tuple[str, str, int], ...]
    verdicts: tuple[tuple[str, int], ...]
    waiting: int
    waiting_bytes: int
    store: StoreStats | None


class ClipWriter:
    """One thread, at a lower priority than the scorer's, between a queue and a store.

    A disk that cannot be written, or a speech screen that cannot be loaded, never stops the agent: clips are counted as
    dropped and it is tried again, every half minute at most. What cannot be screened is not kept.

    Args:
        open_store: Opens the store; may raise `ClipError`.
        make_screen: Loads the speech screen, on the writer's thread, where it is used.
        keep: What of the sound.
        queue: Where clips wait.
        on_state: Told in words what is wrong with the disk, once per change; an empty text: nothing is.
        on_kept: Told of every clip that is on the disk, on the writer's thread.
        nice: How much the thread gives way to the scorer's, 0 to 19.
        clock_s: Monotonic seconds.
    """

    def __init__(
        self,
        *,
        open_store: Callable[[], ClipStore],
        make_screen: Callable[[], SpeechScreen],
        keep: Keep,
        queue: ClipQueue,
        on_state: Callable[[str], None] = lambda detail: None,
        on_kept: Callable[[Sidecar], None] = lambda sidecar: None,
        nice: int = 10,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open_store = open_store
        self._make_screen = make_screen
        self._keep = keep
        self._queue = queue
        self._on_state = on_state
        self._on_kept = on_kept
        self._nice = nice
        self._clock_s = clock_s
        self._store: ClipStore | None = None
        self._screen: SpeechScreen | None = None
        self._tried_s = float("-inf")
        self._state = ""
        self._lock = threading.Lock()
        self._dropped: Counter[tuple[str, str]] = Counter()
        self._verdicts: Counter[str] = Counter()
        self._outcomes: OrderedDict[str, Dropped | None] = OrderedDict()
        self._thread = threading.Thread(target=self._run, name="clips", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def offer(self, job: ClipJob) -> None:
        """Hand over a clip; never waits."""
        for gone in self._queue.offer(job):
            self.dropped(gone.clip_id, gone.wish.reason, Dropped.QUEUE_FULL)

    def dropped(self, clip_id: str, reason: Reason, why: Dropped) -> None:
        """A clip that was promised does not come."""
        with self._lock:
            self._dropped[reason.value, why.value] += 1
        self._remember(clip_id, why)

    def outcome(self, clip_id: str) -> Dropped | None:
        """Why a clip was not kept; None where it was, still waits, or is long forgotten."""
        with self._lock:
            return self._outcomes.get(clip_id)

    def settled(self, clip_id: str) -> bool:
        """Whether it is known what became of a clip."""
        with self._lock:
            return clip_id in self._outcomes

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def latest(self, machine: str, reason: Reason) -> str | None:
        """Id of the newest clip of a machine that is kept for a reason; on the writer's thread, from `on_kept`."""
        if self._store is None:
            return None
        return next((row.id for row in self._store.rows(machine=machine, reason=reason, limit=1)), None)

    def stop(self, within_s: float = 10.0) -> None:
        """Write what waits, for some seconds at most, and free the store."""
        self._queue.close()
        self._thread.join(within_s)
        for job in self._queue.clear():
            self.dropped(job.clip_id, job.wish.reason, Dropped.SHUTDOWN)
        self._thread.join(within_s)
        if self._store is not None and not self._thread.is_alive():
            self._store.close()

    def stats(self) -> WriterStats:
        """The books now; may be called from any thread."""
        store: StoreStats | None = None
        if self._store is not None:
            with contextlib.suppress(ClipError):  # a disk that cannot be read is told by the writer
                store = self._store.stats()
        with self._lock:
            dropped = tuple((reason, why, count) for (reason, why), count in self._dropped.items())
            verdicts = tuple(self._verdicts.items())
        return WriterStats(dropped, verdicts, len(self._queue), self._queue.nbytes, store)

    def _run(self) -> None:
        # on Linux a thread has a priority of its own; scoring comes first
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), self._nice)
        self._ready()
        while True:
            job = self._queue.take(_RETRY_S)
            if job is None:
                if self._queue.closed:
                    return
                self._ready()
                continue
            try:
                self._write(job)
            except Exception:
                # one odd clip must not end the writing of all others
                _log.exception("clip %s of %s cannot be written", job.clip_id, job.machine)
                self.dropped(job.clip_id, job.wish.reason, Dropped.IO_ERROR)

    def _write(self, job: ClipJob) -> None:
        self._ready()
        if self._screen is None:  # what cannot be screened is taken for speech
            self.dropped(job.clip_id, job.wish.reason, Dropped.SPEECH)
            return
        prepared = prepare(job, self._screen, self._keep)
        if prepared is None:
            self._count_verdict("speech")
            self.dropped(job.clip_id, job.wish.reason, Dropped.SPEECH)
            return
        self._count_verdict(prepared.sidecar.speech.verdict)
        if self._store is None:
            self.dropped(job.clip_id, job.wish.reason, Dropped.IO_ERROR)
            return
        try:
            sidecar = self._store.put(prepared.sidecar, prepared.payload, prepared.picture)
        except ClipError as error:
            why = Dropped.QUOTA if error.failure is None else Dropped(error.failure.value)
            self.dropped(job.clip_id, job.wish.reason, why)
            self._tell(str(error))
        else:
            self._remember(job.clip_id, None)
            self._tell("")
            self._told_of(sidecar)

    def _told_of(self, sidecar: Sidecar) -> None:
        try:
            self._on_kept(sidecar)
        except Exception:
            # it is on the disk all the same: it must not be counted as dropped
            _log.exception("clip %s of %s is kept, but nobody could be told", sidecar.id, sidecar.machine)

    def _ready(self) -> None:
        """Open what is not open yet; what fails is tried again later."""
        now_s = self._clock_s()
        if (self._store is not None and self._screen is not None) or now_s - self._tried_s < _RETRY_S:
            return
        self._tried_s = now_s
        try:
            if self._screen is None:
                self._screen = self._make_screen()
            if self._store is None:
                self._store = self._opened()
            self._tell("")
        except (ClipError, SpeechError) as error:
            self._tell(str(error))
        except Exception as error:
            # whatever lies there, the thread must live to try again
            _log.exception("clips cannot be kept")
            self._tell(f"{type(error).__name__}: {error}; see the log")

    def _opened(self) -> ClipStore:
        store = self._open_store()
        try:
            store.tidy()
        except BaseException:
            store.close()
            raise
        return store

    def _tell(self, detail: str) -> None:
        if detail == self._state:
            return
        self._state = detail
        if detail:
            _log.warning("clips: %s", detail)
        else:
            _log.info("clips: kept again")
        self._on_state(detail)

    def _count_verdict(self, verdict: str) -> None:
        with self._lock:
            self._verdicts[verdict] += 1

    def _remember(self, clip_id: str, why: Dropped | None) -> None:
        with self._lock:
            self._outcomes[clip_id] = why
            while len(self._outcomes) > _REMEMBERED:
                self._outcomes.popitem(last=False)
