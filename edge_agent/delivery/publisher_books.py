"""What the publisher did: counted, and told to who listens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from edge_agent.delivery.errors import Failure
from edge_agent.delivery.message import Message
from edge_agent.delivery.refusals import Operation, Refusals


@dataclass(frozen=True, slots=True)
class PublisherStats:
    """What the publisher did since it was started.

    Attributes:
        connected: Whether the broker is reached now.
        connects: Connections that the broker accepted.
        published: Events acknowledged.
        replayed: Those of them that came from the backlog.
        failed: Failed attempts to connect or send, by reason, as pairs.
        refused: What the broker said no to, as pairs of operation and reason, with their number.
        broker: Place of the broker in use among those of the settings, 0 for the first.
        failovers: Connections to another broker than the one before.
        in_flight: Events sent and not acknowledged now.
    """

    connected: bool
    connects: int
    published: int
    replayed: int
    failed: tuple[tuple[Failure, int], ...]
    refused: tuple[tuple[tuple[str, str], int], ...]
    broker: int
    failovers: int
    in_flight: int


class PublisherListener(Protocol):
    """Told of what the publisher does, from its thread; must return at once and not raise."""

    def published(self, message: Message, *, replayed: bool) -> None:
        """The broker acknowledged an event."""

    def failed(self, failure: Failure) -> None:
        """An attempt to connect or to send failed; it will be repeated."""

    def connection_changed(self, *, connected: bool) -> None:
        """The broker was reached or lost."""

    def refusals_changed(self, what: str | None) -> None:
        """What is refused now, in one sentence; None once nothing is."""


class PublisherBooks:
    """Counts what sessions tell (`DeliveryListener`) and passes it on. The publisher's thread writes, any may read.

    Args:
        listener: Told of everything; None where nobody is.
    """

    def __init__(self, listener: PublisherListener | None) -> None:
        self._listener = listener
        self._refusals = Refusals(self._refusals_changed)
        self._connects = 0
        self._published = 0
        self._replayed = 0
        self._failed: dict[Failure, int] = {}
        self.connected: bool | None = None
        """Whether the broker is reached; None until that is known."""
        self.in_flight = 0
        """Events sent and not acknowledged now."""

    def stats(self, *, broker: int, failovers: int) -> PublisherStats:
        """What was counted so far."""
        return PublisherStats(
            connected=bool(self.connected),
            connects=self._connects,
            published=self._published,
            replayed=self._replayed,
            failed=tuple(self._failed.copy().items()),
            refused=tuple(self._refusals.counts.copy().items()),
            broker=broker,
            failovers=failovers,
            in_flight=self.in_flight,
        )

    def published(self, message: Message, *, replayed: bool) -> None:
        """Count an event that the broker has."""
        self._published += 1
        self._replayed += replayed
        if self._listener is not None:
            self._listener.published(message, replayed=replayed)

    def failed(self, failure: Failure) -> None:
        """Count an attempt that failed."""
        self._failed[failure] = self._failed.get(failure, 0) + 1
        if self._listener is not None:
            self._listener.failed(failure)

    def refused(self, operation: Operation, reason: str, topic: str = "") -> None:
        """Count what the broker said no to."""
        self._refusals.refused(operation, reason, topic)

    def accepted(self, operation: Operation, topic: str) -> None:
        """The broker said yes."""
        self._refusals.accepted(operation, topic)

    def connection_changed(self, *, connected: bool) -> None:
        """Remember whether the broker is reached."""
        self.connected = connected
        self._connects += connected
        if self._listener is not None:
            self._listener.connection_changed(connected=connected)

    def _refusals_changed(self, what: str | None) -> None:
        if self._listener is not None:
            self._listener.refusals_changed(what)
