"""What happens between a broker's welcome and the end of its connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from edge_agent.delivery.connection import Acked, Closed, Connected, Connection, Letter, Refused, Signal
from edge_agent.delivery.dispatch import Dispatch, Outgoing
from edge_agent.delivery.errors import DeliveryError, Failure
from edge_agent.delivery.message import Message, Priority
from edge_agent.delivery.mqtt_settings import MqttSettings
from edge_agent.delivery.outbox import Outbox

_PACKET_OVERHEAD_BYTES = 128
_ACK_BATCH = 64


class DeliveryListener(Protocol):
    """Told of what the publisher does, from its thread; must return at once and not raise."""

    def published(self, message: Message, *, replayed: bool) -> None:
        """The broker acknowledged an event."""

    def failed(self, failure: Failure) -> None:
        """An attempt to connect or to send failed; it will be repeated."""

    def connection_changed(self, *, connected: bool) -> None:
        """The broker was reached or lost."""


class Session:
    """Sends events over one connection and deletes them when the broker has them.

    Args:
        connection: Opened, its answer not read yet.
        outbox: Where events wait.
        settings: Limits.
        birth: Retained at the start.
        listener: Told of every event.
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
    ) -> None:
        self._connection = connection
        self._outbox = outbox
        self._settings = settings
        self._birth = birth
        self._listener = listener
        self._clock = clock
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
        """Publish a retained letter, for example the goodbye; `settled` tells when the broker has it."""
        try:
            self._letters.add(self._connection.publish(letter.topic, letter.payload, retain=True, expires=False))
            self._heard_s = self._clock()
        except DeliveryError as error:
            self.end = self.end or str(error)

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
                message.topic, outgoing.payload, retain=message.retain, expires=message.priority is Priority.RESULT
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
            case Refused(reason, protocol_unsupported):
                self.protocol_unsupported = protocol_unsupported
                self.end = f"refused: {reason}"
                self._listener.failed(Failure.REFUSED)
            case Closed(reason):
                if self.end is None:
                    self._listener.failed(Failure.CONNECT)
                self.end = self.end or reason
            case Acked(mid, refusal):
                self._book_answer(mid, refusal)

    def _book_answer(self, mid: int, refusal: str | None) -> None:
        self._letters.discard(mid)
        outgoing = self._sent.pop(mid, None)
        if outgoing is None or self._dispatch is None:
            return
        self._dispatch.acknowledged(outgoing.row.seq)
        if refusal is None:
            self._deletable.append(outgoing.row.seq)
            self._listener.published(outgoing.row.message, replayed=outgoing.replayed)
        else:
            # Kept, and sent again over the next connection: rights and quotas change.
            self._listener.failed(Failure.REFUSED)

    def _forget_acknowledged(self) -> None:
        try:
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
