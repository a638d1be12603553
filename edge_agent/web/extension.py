"""What stands behind the routes of the page."""

from __future__ import annotations

from typing import Any, Protocol

from starlette.routing import BaseRoute

from edge_agent.observe.health import HealthReport
from edge_agent.web.views import GatewayView, MachineFacts


class Gateway(Protocol):
    """What the page asks of the agent; from the thread of the server."""

    def view(self) -> GatewayView:
        """The gateway now."""
        ...

    def machines(self) -> tuple[MachineFacts, ...]:
        """What is configured and learnt, in order of name."""
        ...

    def now(self) -> tuple[float, HealthReport]:
        """Wall time, and every part's state."""
        ...


class Extension(Protocol):
    """More routes of the page: alarms, clips, commissioning."""

    def routes(self) -> list[BaseRoute]:
        """Its routes."""
        ...

    def changes(self, seen: dict[str, int]) -> dict[str, Any]:
        """What a watcher that saw these versions has not seen yet; notes in `seen` that it has now."""
        ...
