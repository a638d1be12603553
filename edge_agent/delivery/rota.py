"""Which broker is next: those of the settings in order, and back to the first once it answers."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from dataclasses import replace

from edge_agent.delivery.dialect import Dialect
from edge_agent.delivery.mqtt_settings import Endpoint, MqttSettings

_log = logging.getLogger(__name__)
_PROBE_TIMEOUT_S = 2.0
_RETURN_MAX_S = 3600.0


def answers(broker: Endpoint) -> bool:
    """Whether somebody listens there; no more can be told without leaving the broker that serves."""
    try:
        with socket.create_connection((broker.host, broker.port), timeout=_PROBE_TIMEOUT_S):
            return True
    except OSError:
        return False


class Rota:
    """Where the publisher stands among the brokers. Its thread uses it; any may read `place` and `failovers`.

    Args:
        settings: The brokers, and the version of MQTT to begin with.
        probe: Whether a broker answers.
    """

    def __init__(self, settings: MqttSettings, probe: Callable[[Endpoint], bool] = answers) -> None:
        self._brokers = settings.brokers
        self._settings = tuple(replace(settings, host=each.host, port=each.port, fallback=()) for each in self._brokers)
        self._dialects = [Dialect(settings.protocol) for _ in self._brokers]
        self._return_after_s = settings.return_after_s
        self._probe = probe
        self._served_by = 0
        self._probed_s: float | None = None
        self.place = 0
        self.failovers = 0
        self.returning = False

    @property
    def broker(self) -> Endpoint:
        """The one whose turn it is."""
        return self._brokers[self.place]

    @property
    def settings(self) -> MqttSettings:
        """How to reach it."""
        return self._settings[self.place]

    @property
    def dialect(self) -> Dialect:
        """Which version of MQTT it is spoken to in."""
        return self._dialects[self.place]

    def reached(self) -> None:
        """The broker accepted a connection."""
        if self.place == 0:
            self._return_after_s = self._settings[0].return_after_s
        self.failovers += self.place != self._served_by
        self._served_by = self.place

    def next(self) -> bool:
        """Go on to the next broker; True when all had their turn, so that it is time to wait."""
        self.place = (self.place + 1) % len(self._brokers)
        return self.place == 0

    def first_is_back(self, now_s: float) -> bool:
        """Whether to leave the broker that serves, for the first one answers again; looked at now and then."""
        if self.place == 0:
            return False
        if self._probed_s is None:
            self._probed_s = now_s
        if now_s - self._probed_s < self._return_after_s:
            return False
        self._probed_s = now_s
        self.returning = self._probe(self._brokers[0])
        return self.returning

    def returned(self) -> None:
        """The broker that served was left for the first one."""
        _log.info("MQTT broker %s answers again, leaving %s", self._brokers[0], self.broker)
        self.place, self.returning, self._probed_s = 0, False, None
        # should it answer and serve not, it is left alone for longer and longer
        self._return_after_s = min(2 * self._return_after_s, max(self._return_after_s, _RETURN_MAX_S))
