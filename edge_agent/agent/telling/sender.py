"""Hands events over to the outbox, and measures how long that takes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from edge_agent.delivery.events import Data
from edge_agent.delivery.intake import Intake
from edge_agent.delivery.message import MessageFactory
from edge_agent.observe.metrics import Metrics


class Sender:
    """The one way for everything that the agent tells.

    Args:
        messages: Makes events.
        intake: Where they go; None where nothing is published.
        metrics: Told how long it took.
    """

    def __init__(self, messages: MessageFactory, intake: Intake | None, metrics: Metrics) -> None:
        self._messages = messages
        self._intake = intake
        self._metrics = metrics

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is told within is written to the disk together."""
        if self._intake is None:
            yield
            return
        with self._intake.gather():
            yield
            waiting, started_s = self._intake.held, time.perf_counter()
        if waiting:
            self._metrics.stage_took("store", time.perf_counter() - started_s)

    @property
    def holds(self) -> bool:
        """Whether something that was sent is not on the disk yet."""
        return self._intake is not None and self._intake.held > 0

    def send(self, data: Data, occurred_ns: int) -> bool:
        """Hand an event over; False where it is not on the disk yet. Without a broker there is nothing to do."""
        if self._intake is None:
            return True
        started_s = time.perf_counter()
        stored = self._intake.submit(self._messages.make(data, occurred_ns=occurred_ns))
        self._metrics.stage_took("store", time.perf_counter() - started_s)
        return stored
