"""Something that is done from time to time, beside the web server."""

import logging
import threading
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from training_hub.errors import HubError

_log = logging.getLogger(__name__)


class Periodic:
    """A companion that does it in a thread of its own.

    Args:
        name: For the log and `/readyz`.
        work: Is given an event that is set when the hub ends; a failure of database or store is logged.
        first_s: When it is done first, seconds after the start.
        every_s: And from then on.
        again_s: After a failure.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[threading.Event], object],
        *,
        first_s: float,
        every_s: float,
        again_s: float = 3600.0,
    ) -> None:
        self.name = name
        self._work = work
        self._first_s, self._every_s, self._again_s = first_s, every_s, again_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to wait."""
        self._thread.start()

    def stop(self) -> None:
        """End, after what is at hand."""
        self._stop.set()
        self._thread.join()

    def alive(self) -> bool:
        """Whether it goes on."""
        return self._thread.is_alive()

    def _run(self) -> None:
        wait_s = self._first_s
        while not self._stop.wait(wait_s):
            wait_s = self._every_s
            try:
                self._work(self._stop)
            except (HubError, SQLAlchemyError):
                wait_s = self._again_s
                _log.exception("%s failed; trying again in %.0f s", self.name, wait_s)
