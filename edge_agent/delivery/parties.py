"""Whom a session with a broker tells, and who takes what comes over it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from edge_agent.delivery.errors import Failure
from edge_agent.delivery.message import Message
from edge_agent.delivery.refusals import Operation
from edge_agent.delivery.signals import Letter, Received


class DeliveryListener(Protocol):
    """Told of what the publisher does, from its thread; must return at once and not raise."""

    def published(self, message: Message, *, replayed: bool) -> None:
        """The broker acknowledged an event."""

    def failed(self, failure: Failure) -> None:
        """An attempt to connect or to send failed; it will be repeated."""

    def refused(self, operation: Operation, reason: str, topic: str = "") -> None:
        """The broker answered, and said no."""

    def accepted(self, operation: Operation, topic: str) -> None:
        """The broker answered, and said yes."""


class Mailbox(Protocol):
    """Takes what the gateway subscribed to, in the publisher's thread; must return soon and not raise."""

    @property
    def filters(self) -> Sequence[str]:
        """What to subscribe to."""

    def opened(self) -> Sequence[Letter]:
        """A connection was made: what to publish beside the birth."""

    def received(self, message: Received) -> Sequence[Letter]:
        """A message came: what to answer."""

    def delivered(self, topic: str) -> None:
        """The broker has a letter."""
