"""The sync's own thread: nothing that listens waits for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from edge_agent.clips.errors import ClipError
from edge_agent.sync.errors import StoppedError, SyncError
from edge_agent.sync.pace import TokenBucket
from edge_agent.sync.rounds import SyncRounds

_log = logging.getLogger(__name__)
_AFTER_DEFECT_S = 60.0


class Brake:
    """Keeps to the bandwidth and ends transfers when the agent does.

    Args:
        max_bytes_per_s: The cap; 0: none.
        now_s: Monotonic time.
    """

    def __init__(self, max_bytes_per_s: int, *, now_s: Callable[[], float]) -> None:
        self._bucket = TokenBucket(max_bytes_per_s, now_s=now_s())
        self._now_s = now_s
        self._stopping = threading.Event()

    def __call__(self, size_bytes: int) -> None:
        """Wait until these bytes may go.

        Raises:
            StoppedError: They may not any more.
        """
        if self.wait(self._bucket.take(size_bytes, now_s=self._now_s())):
            raise StoppedError

    def wait(self, wait_s: float) -> bool:
        """Wait, or less where `stop` is called; whether it was."""
        return self._stopping.wait(wait_s) if wait_s > 0 else self._stopping.is_set()

    def stop(self) -> None:
        """End what is under way; from any thread."""
        self._stopping.set()


class SyncThread:
    """Runs rounds until it is stopped.

    Args:
        open_rounds: Makes what is to be done, on the thread; tried again where the disk refuses it.
        brake: Ends it.
        hindered: Told why it cannot begin.
    """

    def __init__(self, open_rounds: Callable[[], SyncRounds], brake: Brake, hindered: Callable[[str], None]) -> None:
        self._open_rounds = open_rounds
        self._rounds: SyncRounds | None = None
        self._hindered = hindered
        self._brake = brake
        self._thread = threading.Thread(target=self._run, name="hub-sync", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> bool:
        """End; what is under way goes on at the next start. Whether the thread has ended."""
        self._brake.stop()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        wait_s = 0.0
        while not self._brake.wait(wait_s):
            try:
                if self._rounds is None:
                    self._rounds = self._open_rounds()
                    self._hindered("")
                wait_s = self._rounds.next()
            except (ClipError, SyncError) as error:
                _log.error("the sync cannot begin: %s; tried again", error)
                self._hindered(str(error))
                wait_s = _AFTER_DEFECT_S
            except StoppedError:
                return
            except Exception:
                # A defect must not end the sync for ever: it is logged whole, and tried again with time between.
                _log.exception("the sync failed in an unexpected way")
                wait_s = _AFTER_DEFECT_S
