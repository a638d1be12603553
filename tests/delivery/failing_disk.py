"""A real outbox on a real file, whose disk can be made to fail."""

from collections.abc import Callable

from edge_agent.delivery.errors import DeliveryError, Failure
from edge_agent.delivery.sqlite_outbox import SqliteOutbox


class FailingDisk(SqliteOutbox):
    """Fails at every operation but the opening while `failing` says how."""

    failing: Failure | None = None

    def _attempt(self, what: str, operation: Callable[..., object]) -> object:  # type: ignore[override]  # any result
        if self.failing is not None and what != "open":
            raise DeliveryError(self.failing, f"cannot {what}")
        return super()._attempt(what, operation)
