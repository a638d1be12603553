"""Looks after what happens by time alone: signatures that age, stages that have lasted long enough."""

import logging
import threading
from datetime import UTC, datetime

from sqlalchemy.exc import OperationalError

from training_hub.errors import HubError
from training_hub.parts import HubParts
from training_hub.rollout import fleet
from training_hub.rollout.opening import repository_of

_log = logging.getLogger(__name__)


class RolloutWatch:
    """A thread of its own; several hubs on one database may have one each.

    Args:
        parts: The hub's parts.
    """

    name = "rollouts"

    def __init__(self, parts: HubParts) -> None:
        self._parts = parts
        self._stop = threading.Event()
        self._failing = False
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        self._thread.join(10.0)

    def alive(self) -> bool:
        """Whether it goes on looking, and its last look was good."""
        return self._thread.is_alive() and not self._failing

    def look(self, now: datetime) -> None:
        """Sign anew what ages, and take the step that is due.

        Raises:
            HubError: The metadata cannot be read or written.
            OperationalError: The database does not answer.
        """
        if repository_of(self._parts).refresh():
            _log.info("timestamp signed anew")
        with self._parts.database.transaction() as session:
            moved = fleet.settle(session, now)
            if moved is not None:
                _log.info("rollout %s is %s: %s", moved.id, moved.stage, moved.why)

    def _run(self) -> None:
        while not self._stop.wait(self._parts.settings.rollout.look_after_s):
            try:
                self.look(datetime.now(UTC))
            except (HubError, OperationalError) as error:
                if not self._failing:
                    _log.error("rollouts cannot be looked after: %s", error)
                self._failing = True
            else:
                self._failing = False
