"""The status events of one gateway: birth, goodbye and will."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from edge_agent.delivery.fields import rfc3339
from edge_agent.delivery.message import MessageFactory
from edge_agent.delivery.result import BundleRef
from edge_agent.delivery.states import StatusData


@dataclass(frozen=True, slots=True)
class GatewayFacts:
    """What a status says beside its state, read anew for each."""

    gateway: str
    agent_version: str
    started_ns: int
    bundle: BundleRef | None
    machines: tuple[str, ...]
    clock_synced: bool


class GatewayStatus:
    """Makes the status payloads (`StatusLetters`).

    Args:
        factory: Gives ids and envelope.
        facts: Read at each call.
        wall_ns: Wall time.
    """

    def __init__(self, factory: MessageFactory, facts: Callable[[], GatewayFacts], wall_ns: Callable[[], int]) -> None:
        self._factory = factory
        self._facts = facts
        self._wall_ns = wall_ns

    def birth(self) -> bytes:
        """The gateway is here."""
        return self._make("online", "connected")

    def goodbye(self) -> bytes:
        """The gateway was stopped in order."""
        return self._make("offline", "stopped")

    def will(self) -> bytes:
        """The gateway is lost."""
        return self._make("offline", "lost")

    def _make(self, state: Literal["online", "offline"], reason: Literal["connected", "stopped", "lost"]) -> bytes:
        facts = self._facts()
        data = StatusData(
            gateway=facts.gateway,
            state=state,
            reason=reason,
            agent_version=facts.agent_version,
            started_at=rfc3339(facts.started_ns),
            bundle=facts.bundle,
            machines=facts.machines,
            clock_synced=facts.clock_synced,
        )
        return self._factory.make(data, occurred_ns=self._wall_ns()).payload
