"""Removes files of clips whose record never came, once an hour."""

import logging
import threading
from collections.abc import Mapping

from sqlalchemy.exc import SQLAlchemyError

from training_hub.catalogue.types import utc_now
from training_hub.companions import Companion
from training_hub.errors import HubError
from training_hub.intake.orphans import collect_orphans
from training_hub.parts import HubParts

_log = logging.getLogger(__name__)
_EVERY_S = 3600.0
_FIRST_S = 60.0


class OrphanCollector:
    """Collects in a thread of its own."""

    name = "the collector of orphans"

    def __init__(self, parts: HubParts) -> None:
        self._parts = parts
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="orphans", daemon=True)

    def start(self) -> None:
        """Begin; the first round comes a minute later."""
        self._thread.start()

    def stop(self) -> None:
        """End after the object at hand."""
        self._stop.set()
        self._thread.join()

    def alive(self) -> bool:
        """Whether it goes on."""
        return self._thread.is_alive()

    def _run(self) -> None:
        wait_s = _FIRST_S
        while not self._stop.wait(wait_s):
            wait_s = _EVERY_S
            try:
                collect_orphans(self._parts, utc_now())
            except (HubError, SQLAlchemyError):
                _log.exception("orphans cannot be collected; trying again in an hour")


def make(parts: HubParts, environ: Mapping[str, str]) -> Companion | None:
    """Always."""
    del environ
    return OrphanCollector(parts)
