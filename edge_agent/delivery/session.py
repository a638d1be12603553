"""What happens between a broker's welcome and the end of its connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from edge_agent.delivery.connection import Connection
from edge_agent.delivery.dispatch import Dispatch, Outgoing
from edge_agent.delivery.ending import Ending, closed, dismissed
from edge_agent.delivery.errors import DeliveryError, Failure
from edge_agent.delivery.letters import Letters
from edge_agent.delivery.message import Priority
from edge_agent.delivery.mqtt_settings import MqttSettings
from edge_agent.delivery.outbox import Outbox
from edge_agent.delivery.parties import DeliveryListener, Mailbox
from edge_agent.delivery.refusals import Operation, reason_of
from edge_agent.delivery.retained import Retained
from edge_agent.delivery.signals import (
    Acked,
    Alive,
    Closed,
    Connected,
    Letter,
    Received,
    Refused,
    Signal,
    Subscribed,
)

_PACKET_OVERHEAD_BYTES = 128
_ACK_BATCH = 64
_RETRY_REFUSED_S = 60.0
_RETRY_REFUSED_MAX_S = 3600.0
_FAILED: Final = 128


class Session:
    """Sends events over one connection and deletes them when the broker has them.

    Args:
        connection: Opened, its answer not read yet.
        outbox: Where events wait.
        settings: Limits.
        birth: Retained at the start.
        trial: Only to see whether the broker answers: nothing is said.
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
        trial: bool = False,
    ) -> None:
        self._connection = connection
        self._outbox = outbox
        self._settings = settings
        self._birth = birth
        self._listener = listener
        self._clock = clock
        self._mailbox = mailbox
        self._retained = Retained(outbox)
        self._trial = trial
        self._window = settings.in_flight
        self._retry_at_s = float("inf")
        self._retry_wait_s = _RETRY_REFUSED_S
        self._refused_s = float("-inf")
        self._dispatch: Dispatch | None = None
        self._max_packet_bytes: int | None = None
        self._sent: dict[int, Outgoing] = {}
        self._letters = Letters(connection)
        self._deletable: list[int] = []
        self._heard_s = clock()
        self.end: Ending | None = None
        self.answered = False
        """Whether a trial found what it looked for."""
        self.progressed = False
        """Whether the broker acknowledged an event."""

    @property
    def established(self) -> bool:
        """Whether the broker accepted the connection."""
        return self._dispatch is not None

    @property
    def settled(self) -> bool:
        """Whether the broker acknowledged anything: the connection is worth something."""
        return self.established and not self._letters.first

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
            if error.failure is Failure.CONNECT:
                self._finish(Ending(error.failure, str(error)))
            else:
                self._listener.failed(error.failure)
        for signal in self._connection.poll(self._wait_s(timeout_s)):
            self._handle(signal)
        self._forget_acknowledged()
        if self._clock() - self._heard_s > self._patience_s() and self.end is None:
            self._finish(Ending(Failure.TIMEOUT, f"no answer for {self._patience_s():g} s"))

    def drained(self) -> bool:
        """Whether nothing but backlog is left to send."""
        try:
            return self._dispatch is not None and not self._letters.first and self._dispatch.live_is_empty()
        except DeliveryError as error:
            self._listener.failed(error.failure)
            return False

    def say(self, letter: Letter) -> None:
        """Publish a letter before any event, for example the goodbye; `settled` tells when the broker has it."""
        self._letters.add(letter, first=True)

    def announce(self) -> None:
        """Publish anew what the mailbox tells at the start of a connection."""
        if self._mailbox is not None and self.established:
            for letter in self._mailbox.opened():
                self._letters.add(letter)

    def _finish(self, ending: Ending) -> None:
        if self.end is None:
            self.end = ending
            self._listener.failed(ending.failure)

    def _retry_refused(self) -> None:
        """What was refused is tried again now and then: rights change, quotas are renewed."""
        if self._dispatch is not None and self._clock() >= self._retry_at_s:
            self._retry_at_s = float("inf")
            self._retry_wait_s = min(2 * self._retry_wait_s, _RETRY_REFUSED_MAX_S)
            self._dispatch.rewind()

    def _send(self) -> None:
        if self._dispatch is None or self.end is not None:
            return
        if not self._sent and not self._letters.under_way:
            self._heard_s = self._clock()
        if not self._letters.first:
            self._send_events(self._dispatch)
        room = self._window - len(self._sent) - self._letters.under_way
        for _ in range(self._letters.send(room, self._max_packet_bytes)):
            self._listener.failed(Failure.TOO_LARGE)

    def _send_events(self, dispatch: Dispatch) -> None:
        for outgoing in dispatch.take(self._clock(), reserved=self._letters.under_way):
            message = outgoing.row.message
            size = len(outgoing.payload) + len(message.topic) + _PACKET_OVERHEAD_BYTES
            if self._max_packet_bytes is not None and size > self._max_packet_bytes:
                # Stays in the outbox for a broker with a larger limit, until a cap takes it.
                dispatch.acknowledged(outgoing.row.seq)
                self._listener.failed(Failure.TOO_LARGE)
                continue
            mid = self._connection.publish(
                message.topic,
                outgoing.payload,
                retain=self._retained.may_retain(outgoing.row),
                expires=message.priority is Priority.RESULT,
            )
            self._sent[mid] = outgoing

    def _handle(self, signal: Signal) -> None:
        if self.established or not isinstance(signal, Alive):
            self._heard_s = self._clock()
        match signal:
            case Connected() if self._trial:
                self.answered = True
            case Connected(receive_maximum, maximum_packet_bytes):
                self._welcomed(receive_maximum, maximum_packet_bytes)
            case Refused(reason, word, protocol_unsupported):
                self._listener.refused("connect", word)
                self._finish(Ending(Failure.REFUSED, f"refused: {reason}", unsupported=protocol_unsupported))
            case Closed(reason, code):
                self._closed(reason, code)
            case Acked(mid, refusal):
                self._book_answer(mid, refusal)
            case Subscribed(topic_filter, refusal):
                self._book("subscribe", topic_filter, refusal)
            case Received():
                for letter in () if self._mailbox is None else self._mailbox.received(signal):
                    self._letters.add(letter)
            case Alive():
                pass

    def _welcomed(self, receive_maximum: int | None, maximum_packet_bytes: int | None) -> None:
        if self._dispatch is not None:
            return  # a broker that welcomes twice
        self._max_packet_bytes = maximum_packet_bytes
        self._window = min(self._settings.in_flight, receive_maximum or self._settings.in_flight)
        self._dispatch = Dispatch(
            self._outbox,
            window=self._window,
            backlog_rate_per_s=self._settings.backlog_rate_per_s,
            now_s=self._clock(),
        )
        self.say(self._birth)
        self._open_mailbox()

    def _closed(self, reason: str, code: int | None) -> None:
        if code is None:
            tls = self._settings.tls is not None
            self._finish(closed(reason, tls=tls, established=self.established))
            return
        if code >= _FAILED:
            self._listener.refused("disconnect", reason_of(code))
        self._finish(dismissed(reason, code, self._connection.client_id))

    def _open_mailbox(self) -> None:
        if self._mailbox is None:
            return
        try:
            for topic_filter in self._mailbox.filters:
                self._connection.subscribe(topic_filter)
        except DeliveryError as error:
            self._finish(Ending(error.failure, str(error)))
        self.announce()

    def _book_answer(self, mid: int, refusal: str | None) -> None:
        letter = self._letters.acknowledged(mid)
        if letter is not None and not letter.answer:
            self._book("publish", letter.topic, refusal)
            if self._mailbox is not None and refusal is None:
                self._mailbox.delivered(letter.topic)
        elif letter is not None and refusal is not None:
            self._listener.refused("answer", refusal, letter.topic)
        outgoing = self._sent.pop(mid, None)
        if outgoing is None or self._dispatch is None:
            return
        message = outgoing.row.message
        self._book("publish", message.topic, refusal)
        if refusal is None:
            self.progressed = True
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
        if self._dispatch is not None and len(self._sent) + self._letters.under_way < self._window:
            backlog_wait_s = self._dispatch.backlog_wait_s(self._clock())
            if backlog_wait_s is not None:
                return min(timeout_s, max(backlog_wait_s, 0.001))
        return timeout_s

    def _patience_s(self) -> float:
        if not self.established:
            return self._settings.connect_timeout_s
        return self._settings.ack_timeout_s if self._sent or self._letters.under_way else float("inf")
