"""What happens between a broker's welcome and the end of its connection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from edge_agent.delivery.connection import Connection
from edge_agent.delivery.dispatch import Dispatch, Outgoing
from edge_agent.delivery.errors import DeliveryError, Failure
from edge_agent.delivery.message import Message, Priority
from edge_agent.delivery.mqtt_settings import MqttSettings
from edge_agent.delivery.outbox import Outbox
from edge_agent.delivery.refusals import Operation
from edge_agent.delivery.retained import Retained
from edge_agent.delivery.signals import Acked, Closed, Connected, Letter, Received, Refused, Signal, Subscribed

_PACKET_OVERHEAD_BYTES = 128
_ACK_BATCH = 64
_RETRY_REFUSED_S = 60.0
_RETRY_REFUSED_MAX_S = 3600.0


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


class Session:
    """Sends events over one connection and deletes them when the broker has them.

    Args:
        connection: Opened, its answer not read yet.
        outbox: Where events wait.
        settings: Limits.
        birth: Retained at the start.
        listener: Told of every event.
        mailbox: Takes what comes; None where nothing is listened to.
        clock: Monotonic time.
    """

    def __init__(
        self,
        connection: Connection,
        outbox: Outbox,
        settings: MqttSettings,
        *,
        birth: Letter,
        listener: DeliveryListener,
        clock: Callable[[], float],
        mailbox: Mailbox | None = None,
    ) -> None:
        self._connection = connection
        self._outbox = outbox
        self._settings = settings
        self._birth = birth
        self._listener = listener
        self._clock = clock
        self._mailbox = mailbox
        self._retained = Retained(outbox)
        self._notes: dict[int, str] = {}
        self._retry_at_s = float("inf")
        self._retry_wait_s = _RETRY_REFUSED_S
        self._refused_s = float("-inf")
        self._dispatch: Dispatch | None = None
        self._max_packet_bytes: int | None = None
        self._sent: dict[int, Outgoing] = {}
        self._letters: set[int] = set()
        self._deletable: list[int] = []
        self._heard_s = clock()
        self.protocol_unsupported = False
        self.end: str | None = None

    @property
    def established(self) -> bool:
        """Whether the broker accepted the connection."""
        return self._dispatch is not None

    @property
    def settled(self) -> bool:
        """Whether the broker acknowledged anything: the connection is worth something."""
        return self.established and not self._letters

    @property
    def in_flight(self) -> int:
        """Events sent and not acknowledged."""
        return len(self._sent)

    def step(self, timeout_s: float) -> None:
        """Send what may be sent, wait for at most `timeout_s`, and book what the broker answered."""
        try:
            self._retry_refused()
            self._send()
        except DeliveryError as error:
            self._listener.failed(error.failure)
            if error.failure is Failure.CONNECT:
                self.end = self.end or str(error)
        for signal in self._connection.poll(self._wait_s(timeout_s)):
            self._handle(signal)
        self._forget_acknowledged()
        if self._clock() - self._heard_s > self._patience_s() and self.end is None:
            self.end = f"no answer for {self._patience_s():g} s"
            self._listener.failed(Failure.TIMEOUT)

    def drained(self) -> bool:
        """Whether nothing but backlog is left to send."""
        try:
            return self._dispatch is not None and not self._letters and self._dispatch.live_is_empty()
        except DeliveryError as error:
            self._listener.failed(error.failure)
            return False

    def say(self, letter: Letter) -> None:
        """Publish a letter before anything else, for example the goodbye; `settled` tells when the broker has it."""
        mid = self._post(letter)
        if mid is not None:
            self._letters.add(mid)
            self._heard_s = self._clock()

    def announce(self) -> None:
        """Publish anew what the mailbox tells at the start of a connection."""
        if self._mailbox is not None and self.established:
            for letter in self._mailbox.opened():
                self._post(letter)

    def _post(self, letter: Letter) -> int | None:
        try:
            mid = self._connection.publish(
                letter.topic, letter.payload, retain=letter.retain, expires=False, correlation=letter.correlation
            )
        except DeliveryError as error:
            self.end = self.end or str(error)
            return None
        self._notes[mid] = letter.topic
        return mid

    def _retry_refused(self) -> None:
        """What was refused is tried again now and then: rights change, quotas are renewed."""
        if self._dispatch is not None and self._clock() >= self._retry_at_s:
            self._retry_at_s = float("inf")
            self._retry_wait_s = min(2 * self._retry_wait_s, _RETRY_REFUSED_MAX_S)
            self._dispatch.rewind()

    def _send(self) -> None:
        if self._dispatch is None or self._letters or self.end is not None:
            return  # the birth comes before every event, and counts against the broker's receive maximum
        for outgoing in self._dispatch.take(self._clock()):
            message = outgoing.row.message
            size = len(outgoing.payload) + len(message.topic) + _PACKET_OVERHEAD_BYTES
            if self._max_packet_bytes is not None and size > self._max_packet_bytes:
                # Stays in the outbox for a broker with a larger limit, until a cap takes it.
                self._dispatch.acknowledged(outgoing.row.seq)
                self._listener.failed(Failure.TOO_LARGE)
                continue
            if not self._sent:
                self._heard_s = self._clock()
            mid = self._connection.publish(
                message.topic,
                outgoing.payload,
                retain=self._retained.may_retain(outgoing.row),
                expires=message.priority is Priority.RESULT,
            )
            self._sent[mid] = outgoing

    def _handle(self, signal: Signal) -> None:
        self._heard_s = self._clock()
        match signal:
            case Connected(receive_maximum, maximum_packet_bytes):
                self._max_packet_bytes = maximum_packet_bytes
                window = min(self._settings.in_flight, receive_maximum or self._settings.in_flight)
                self._dispatch = Dispatch(
                    self._outbox,
                    window=window,
                    backlog_rate_per_s=self._settings.backlog_rate_per_s,
                    now_s=self._clock(),
                )
                self.say(self._birth)
                self._open_mailbox()
            case Refused(reason, word, protocol_unsupported):
                self.protocol_unsupported = protocol_unsupported
                self.end = f"refused: {reason}"
                self._listener.failed(Failure.REFUSED)
                self._listener.refused("connect", word)
            case Closed(reason):
                self._closed(reason)
            case Acked(mid, refusal):
                self._book_answer(mid, refusal)
            case Subscribed(topic_filter, refusal):
                self._book("subscribe", topic_filter, refusal)
            case Received():
                for letter in () if self._mailbox is None else self._mailbox.received(signal):
                    self._post(letter)

    def _closed(self, reason: str) -> None:
        if self.end is not None:
            return
        if self._settings.tls is not None and not self.established:
            # TLS 1.3: a certificate that the broker does not accept shows only here, and without its reason.
            self._listener.failed(Failure.TLS)
            self.end = f"{reason} before the broker answered: it may not accept the gateway's certificate"
            return
        self._listener.failed(Failure.CONNECT)
        self.end = reason

    def _open_mailbox(self) -> None:
        if self._mailbox is None:
            return
        try:
            for topic_filter in self._mailbox.filters:
                self._connection.subscribe(topic_filter)
        except DeliveryError as error:
            self.end = self.end or str(error)
        self.announce()

    def _book_answer(self, mid: int, refusal: str | None) -> None:
        self._letters.discard(mid)
        topic = self._notes.pop(mid, None)
        if topic is not None:
            self._book("publish", topic, refusal)
            if self._mailbox is not None and refusal is None:
                self._mailbox.delivered(topic)
        outgoing = self._sent.pop(mid, None)
        if outgoing is None or self._dispatch is None:
            return
        message = outgoing.row.message
        self._book("publish", message.topic, refusal)
        if refusal is None:
            self._dispatch.acknowledged(outgoing.row.seq)
            self._retained.accepted(outgoing.row)
            self._deletable.append(outgoing.row.seq)
            self._listener.published(message, replayed=outgoing.replayed)
            return
        # Kept, and sent again: rights and quotas change.
        self._dispatch.refused(outgoing.row.seq)
        self._retained.refused(outgoing.row)
        now_s = self._clock()
        if now_s - self._refused_s > self._retry_wait_s:
            self._retry_wait_s = _RETRY_REFUSED_S  # the last refusal is long past: this is another one
        self._refused_s = now_s
        self._retry_at_s = min(self._retry_at_s, now_s + self._retry_wait_s)

    def _book(self, operation: Operation, topic: str, refusal: str | None) -> None:
        if refusal is None:
            self._listener.accepted(operation, topic)
        else:
            self._listener.failed(Failure.REFUSED)
            self._listener.refused(operation, refusal, topic)

    def _forget_acknowledged(self) -> None:
        try:
            self._retained.settle()  # first: once the newer one is forgotten, nothing tells that the older one is old
            while self._deletable:
                self._outbox.delete(self._deletable[:_ACK_BATCH])
                del self._deletable[:_ACK_BATCH]
        except DeliveryError as error:
            self._listener.failed(error.failure)

    def _wait_s(self, timeout_s: float) -> float:
        if self.end is not None:
            return 0.0
        if self._dispatch is not None and len(self._sent) < self._settings.in_flight:
            backlog_wait_s = self._dispatch.backlog_wait_s(self._clock())
            if backlog_wait_s is not None:
                return min(timeout_s, max(backlog_wait_s, 0.001))
        return timeout_s

    def _patience_s(self) -> float:
        if not self.established:
            return self._settings.connect_timeout_s
        return self._settings.ack_timeout_s if self._sent or self._letters else float("inf")
