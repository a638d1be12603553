"""The way to the broker: events wait on disk, and one publisher sends them."""

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from edge_agent.agent.asking.mailbox import Mailbox
from edge_agent.agent.hearing.sources import timely_machines
from edge_agent.agent.telling.readings import delivery_reading, outbox_reading
from edge_agent.agent.wiring import mqtt_settings, outbox_limits
from edge_agent.capture.clock import NS_PER_S, SystemClock
from edge_agent.config.settings import AgentSettings
from edge_agent.config.source import AUTO
from edge_agent.delivery.errors import Failure
from edge_agent.delivery.intake import Intake
from edge_agent.delivery.message import Message, MessageFactory
from edge_agent.delivery.mqtt import Publisher
from edge_agent.delivery.mqtt_settings import MqttSettings
from edge_agent.delivery.spill_outbox import SpillOutbox
from edge_agent.delivery.sqlite_outbox import SqliteOutbox
from edge_agent.delivery.status import GatewayFacts, GatewayStatus
from edge_agent.delivery.topics import Topics
from edge_agent.observe.health import Health, Kind
from edge_agent.observe.metrics import Metrics
from edge_agent.observe.readings import DeliveryReading, IntakeReading, OutboxReading

_RECONNECT_DRAIN_S = 1.0
SINK = "mqtt"


class Acknowledgements(Protocol):
    """Keeps events that the broker acknowledged; on the publisher's thread, which must not wait long."""

    def acknowledged(self, message: Message) -> None:
        """The broker acknowledged an event."""

    def before_forgotten(self) -> None:
        """The outbox is about to forget what was acknowledged."""


class NoAcknowledgements:
    """What the broker has is forgotten."""

    def acknowledged(self, message: Message) -> None:
        """Nobody keeps it."""

    def before_forgotten(self) -> None:
        """Nothing is kept."""


class Uplink:
    """Outbox, intake and publisher of one agent.

    Args:
        settings: The settings; `mqtt.enabled` is true.
        environ: The environment, for the password.
        state_dir: Where the outbox lies.
        topics: Where events go.
        messages: Makes the status events.
        facts: What the status tells, asked at each connection.
        clock: Time.
        metrics: Watches all of it.
        health: Told whether the broker is reached.
        kept: Keeps what the broker acknowledged.

    Raises:
        DeliveryError: The outbox cannot be opened.
        SecretFileError: The password cannot be read.
    """

    def __init__(
        self,
        settings: AgentSettings,
        environ: Mapping[str, str],
        *,
        state_dir: Path,
        topics: Topics,
        messages: MessageFactory,
        facts: Callable[[], GatewayFacts],
        clock: SystemClock,
        metrics: Metrics,
        health: Health,
        kept: Acknowledgements | None = None,
    ) -> None:
        kept = kept or NoAcknowledgements()
        self._topics = topics
        self._clock = clock
        self._mqtt = mqtt_settings(settings, environ)
        self._status = GatewayStatus(messages, facts, clock.wall_ns)
        self._watch = DeliveryWatch(
            metrics, health, clock, timely=self._timely_topics(settings), acknowledged=kept.acknowledged
        )
        self._mailbox: Mailbox | None = None
        self._outbox = SpillOutbox(
            SqliteOutbox(state_dir / "outbox.db", outbox_limits(settings), patient=True),
            before_delete=kept.before_forgotten,
        )
        self._publisher = self._make_publisher()
        self.intake = Intake(self._outbox, self._new_event)
        health.register(SINK, Kind.SINK, now_s=clock.monotonic_ns() / NS_PER_S)
        metrics.watch_outbox(self.outbox_reading)
        metrics.watch_delivery(self.delivery_reading)
        metrics.watch_intake(lambda: IntakeReading(held=self.held, given_up=self.intake.given_up))

    @property
    def held(self) -> int:
        """Events that the disk refused, in memory."""
        return self.intake.held + self._outbox.held

    def outbox_reading(self) -> OutboxReading:
        """What waits now."""
        return outbox_reading(self._outbox.stats(), self._clock.wall_ns())

    def delivery_reading(self) -> DeliveryReading:
        """What the publisher did so far."""
        return delivery_reading(self._publisher.stats())

    def follow(self, settings: AgentSettings) -> None:
        """Other sources are heard from now on."""
        self._watch.timely = self._timely_topics(settings)

    def _timely_topics(self, settings: AgentSettings) -> frozenset[str]:
        return frozenset(self._topics.machine_result(machine) for machine in timely_machines(settings) - {AUTO})

    def listen(self, mailbox: Mailbox) -> None:
        """Take what is published to the gateway, from the next connection on."""
        self._mailbox = mailbox
        self._publisher = self._make_publisher()

    def start(self) -> None:
        """Begin to connect and send."""
        self._publisher.start()

    def look_after(self) -> None:
        """Try again what the disk refused, and tell that a broker with nothing to send to is reached all the same."""
        self.intake.retry()
        self._outbox.retry()
        if self._publisher.stats().connected:
            self._watch.beat()

    def announce(self) -> None:
        """What is told at the start of a connection has changed."""
        self._publisher.announce()

    def reconnect(self, mqtt: MqttSettings) -> None:
        """Reach the broker by other settings; may take seconds. Nothing happens when they are the same."""
        if mqtt == self._mqtt:
            return
        self._mqtt = mqtt
        self._publisher.stop(_RECONNECT_DRAIN_S)
        self._publisher = self._make_publisher()
        self._publisher.start()

    def stop(self) -> None:
        """Send what is new, say goodbye; what was not sent stays on the disk."""
        self._publisher.stop()
        self._outbox.close()

    def _new_event(self) -> None:
        self._publisher.notify()  # the publisher of this moment: `reconnect` makes another

    def _make_publisher(self) -> Publisher:
        return Publisher(
            self._mqtt,
            self._topics,
            self._outbox,
            self._status,
            jitter=random.random,
            wall_ns=lambda: self._clock.wall_ns() if self._clock.is_synced() else None,
            listener=self._watch,
            mailbox=self._mailbox,
        )


class DeliveryWatch:
    """What the publisher tells, into metrics and health; on the publisher's thread.

    Args:
        metrics: What is counted.
        health: Told whether the broker is reached.
        clock: For delays.
        timely: Topics of results whose delay means something: of machines that are heard at the pace of time.
        acknowledged: Told of every event that the broker has.
    """

    def __init__(
        self,
        metrics: Metrics,
        health: Health,
        clock: SystemClock,
        *,
        timely: frozenset[str],
        acknowledged: Callable[[Message], None] = lambda _: None,
    ) -> None:
        self.timely = timely
        self._acknowledged = acknowledged
        self._metrics = metrics
        self._health = health
        self._clock = clock
        self._refused: str | None = None

    def published(self, message: Message, *, replayed: bool) -> None:
        """An event was acknowledged; how late a result is counts where it is new and was heard in real time."""
        self._acknowledged(message)
        now_ns = self._clock.wall_ns()
        if not replayed and message.topic in self.timely:
            self._metrics.published((now_ns - message.occurred_ns) / NS_PER_S)
        self.beat()

    def failed(self, failure: Failure) -> None:
        """An attempt failed."""
        if failure is not Failure.REFUSED or self._refused is None:
            self._health.down(SINK, failure.value)

    def refusals_changed(self, what: str | None) -> None:
        """The broker began to refuse something, or takes everything again."""
        self._refused = what
        if what is None:
            self._health.recovered(SINK)
        self.beat()

    def connection_changed(self, *, connected: bool) -> None:
        """The broker was reached or lost."""
        if connected:
            self.beat()
        else:
            self._health.down(SINK, "no connection to the broker")

    def beat(self) -> None:
        """The broker is reached."""
        self._health.beat(SINK, now_s=self._clock.monotonic_ns() / NS_PER_S)
        if self._refused is not None:
            self._health.degraded(SINK, self._refused)
