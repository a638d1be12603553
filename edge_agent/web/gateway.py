"""What the page is told of the agent when it asks."""

from collections.abc import Callable
from dataclasses import dataclass, field

from edge_agent.observe.health import HealthReport
from edge_agent.observe.readings import DeliveryReading, LedgerReading, OutboxReading, SyncReading
from edge_agent.web.views import GatewayView, MachineFacts


@dataclass(frozen=True, slots=True)
class AgentGateway:
    """Asks the agent's parts at each request; they are read from the server's thread.

    Attributes:
        site, gateway, version, started_s: What does not change while the agent runs.
        bundle: Name, version and SHA-256 of the models in use.
        now_s: Wall time.
        clock_synced: Whether it can be trusted.
        health: Every part's state.
        ledgers: Every channel's books.
        outbox, delivery: What waits for the broker; None where nothing is published.
        facts: What is configured and learnt.
        sync: What went to the hub; None where there is none.
    """

    site: str
    gateway: str
    version: str
    bundle: Callable[[], tuple[str, str, str]]
    started_s: float
    now_s: Callable[[], float]
    clock_synced: Callable[[], bool]
    health: Callable[[], HealthReport]
    ledgers: Callable[[], list[LedgerReading]]
    facts: Callable[[], tuple[MachineFacts, ...]]
    outbox: Callable[[], OutboxReading | None] = field(default=lambda: None)
    delivery: Callable[[], DeliveryReading | None] = field(default=lambda: None)
    sync: Callable[[], SyncReading | None] = field(default=lambda: None)

    def view(self) -> GatewayView:
        """The gateway now."""
        return GatewayView(
            site=self.site,
            gateway=self.gateway,
            version=self.version,
            started_s=self.started_s,
            now_s=self.now_s(),
            clock_synced=self.clock_synced(),
            bundle=self.bundle(),
            health=self.health(),
            ledgers=tuple(self.ledgers()),
            outbox=self.outbox(),
            delivery=self.delivery(),
            sync=self.sync(),
        )

    def now(self) -> tuple[float, HealthReport]:
        """Wall time, and every part's state."""
        return self.now_s(), self.health()

    def machines(self) -> tuple[MachineFacts, ...]:
        """What is configured and learnt, in order of name."""
        return self.facts()
