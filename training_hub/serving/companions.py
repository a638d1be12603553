"""Starts and ends what runs beside the web server."""

import logging
from collections.abc import Sequence

from training_hub.companions import Companion

_log = logging.getLogger(__name__)


class Companions:
    """All of them, in order."""

    def __init__(self, companions: Sequence[Companion] = ()) -> None:
        self._companions = tuple(companions)
        self._started: list[Companion] = []

    def start(self) -> None:
        """Start each; where one fails those before it end again."""
        try:
            for companion in self._companions:
                companion.start()
                self._started.append(companion)
                _log.info("%s runs", companion.name)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End each, the last first; one that fails keeps the others from nothing."""
        while self._started:
            companion = self._started.pop()
            try:
                companion.stop()
            except Exception:
                _log.exception("%s did not end in order", companion.name)

    def dead(self) -> list[str]:
        """Names of those that ended by themselves."""
        return [companion.name for companion in self._started if not companion.alive()]
