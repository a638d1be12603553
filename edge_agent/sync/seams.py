"""Where other parts join the conversation with the hub."""

from typing import Protocol

from edge_agent.sync.wire import Instructions, UpdateReport


class Updates(Protocol):
    """Bundles that come down. Both methods are called on the sync's thread, which waits for them: return soon."""

    def report(self) -> UpdateReport | None:
        """How far the gateway is with what it was told to run; asked before every report."""

    def instructed(self, instructions: Instructions) -> None:
        """The hub's answer to a report; must not raise."""


class NoUpdates:
    """Bundles stay as they are."""

    def report(self) -> UpdateReport | None:
        """Nothing is under way."""
        return None

    def instructed(self, instructions: Instructions) -> None:
        """Nothing to do."""
