"""The log of one publisher's connection: a line for each change, and few for one that comes and goes."""

from __future__ import annotations

import logging
from typing import Final

from edge_agent.delivery.errors import Failure
from edge_agent.delivery.mqtt_settings import Endpoint

_log = logging.getLogger("edge_agent.delivery.mqtt")

STEADY_S: Final = 30.0
"""A connection that lasts so long holds."""

UNSTEADY_LOSSES: Final = 5
"""So many that did not hold, one after the other, are told as one thing."""


class ConnectionLog:
    """Tells what becomes of the connection. Pure but for the log: time is handed in, in monotonic seconds.

    Every cause of an outage is told once for each broker, however often it is tried.

    Args:
        client_id: Who connects; not every broker says that another client took it.
    """

    def __init__(self, client_id: str) -> None:
        self._client_id = client_id
        self._reached_s: float | None = None
        self._outage = False
        self._told: set[tuple[Endpoint, Failure]] = set()
        self._losses = 0
        self._muted = False

    @property
    def unsteady(self) -> bool:
        """Whether connections are made, and do not hold."""
        return self._losses >= UNSTEADY_LOSSES

    def reached(self, now_s: float, broker: Endpoint, version: str) -> None:
        """The broker accepted a connection."""
        self._reached_s, self._outage = now_s, False
        if not self._muted:
            self._told.clear()
            _log.info("connected to MQTT broker %s, version %s", broker, version)

    def holds(self, now_s: float, broker: Endpoint) -> None:
        """The connection is there; to be said now and then."""
        if self._losses and self._reached_s is not None and now_s - self._reached_s >= STEADY_S:
            self._losses = 0
            if self._muted:
                self._muted = False
                self._told.clear()
                _log.info("the connection to MQTT broker %s holds again", broker)

    def lost(self, now_s: float, broker: Endpoint, failure: Failure, cause: str) -> None:
        """The connection ended, or could not be made."""
        if self._reached_s is not None:
            self._losses = self._losses + 1 if now_s - self._reached_s < STEADY_S else 0
            self._reached_s = None
        if self.unsteady and not self._muted:
            self._muted = self._outage = True
            self._told.add((broker, failure))
            doubt = f"; does another client use the client id {self._client_id}?"
            _log.warning(
                "the connection to MQTT broker %s is lost again and again (%s%s); events wait in the outbox, and no "
                "more is told until it holds for %g s",
                broker,
                cause,
                doubt if failure is Failure.CONNECT else "",
                STEADY_S,
            )
            return
        if (broker, failure) in self._told:
            return
        self._told.add((broker, failure))
        if self._outage or self._muted:
            _log.warning("MQTT broker %s: %s", broker, cause)
        else:
            _log.warning("no connection to MQTT broker %s (%s); events wait in the outbox", broker, cause)
        self._outage = True
