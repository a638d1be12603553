"""The publisher: one thread that owns the connection to the broker and empties the outbox into it."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from typing import Protocol

from edge_agent.delivery.backoff import Backoff
from edge_agent.delivery.connection import Connection, drain
from edge_agent.delivery.connection_log import STEADY_S, ConnectionLog
from edge_agent.delivery.ending import Ending
from edge_agent.delivery.errors import DeliveryError, Failure
from edge_agent.delivery.mqtt_settings import MqttSettings, TlsSettings
from edge_agent.delivery.outbox import Outbox
from edge_agent.delivery.parties import Mailbox
from edge_agent.delivery.publisher_books import PublisherBooks, PublisherListener, PublisherStats
from edge_agent.delivery.rota import Rota
from edge_agent.delivery.session import Session
from edge_agent.delivery.signals import CLOUD_EVENT, Letter
from edge_agent.delivery.topics import Topics

__all__ = ["MqttSettings", "Publisher", "PublisherListener", "PublisherStats", "StatusLetters", "TlsSettings"]

_log = logging.getLogger(__name__)
_POLL_S = 0.5
_MAINTAIN_EVERY_S = 60.0
_GOODBYE_TIMEOUT_S = 2.0
_UNSTEADY_WAIT_S = 3.0
_MOST_DEFECTS_TOLD = 3


class StatusLetters(Protocol):
    """Makes the payloads of the status topic, each a whole `status` event with its own id."""

    def birth(self) -> bytes:
        """The gateway is here."""

    def goodbye(self) -> bytes:
        """The gateway was stopped in order."""

    def will(self) -> bytes:
        """The gateway is lost; made at connect, said by the broker."""


class Publisher:
    """Sends every event of an outbox with QoS 1 and deletes it when the broker has it.

    The broker may be absent at the start, vanish and come back: it is tried again for ever, after waits that double
    from `backoff_min_s` to `backoff_max_s` with jitter, and the log gets one line per change. Events are delivered at
    least once; a repeat carries the same id.

    Args:
        settings: How to reach the broker.
        topics: Where the status goes, and who this is.
        outbox: What to send.
        letters: Makes the status payloads.
        jitter: Random number in [0, 1) for each wait.
        wall_ns: Wall time while the clock is synchronised, else None; for the outbox's age limit.
        listener: Told of every event, for metrics.
        mailbox: Takes what is published to the gateway; None where nothing is listened to.
        clock: Monotonic time in seconds.
    """

    def __init__(
        self,
        settings: MqttSettings,
        topics: Topics,
        outbox: Outbox,
        letters: StatusLetters,
        *,
        jitter: Callable[[], float],
        wall_ns: Callable[[], int | None],
        listener: PublisherListener | None = None,
        mailbox: Mailbox | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._topics = topics
        self._outbox = outbox
        self._letters = letters
        self._wall_ns = wall_ns
        self._mailbox = mailbox
        self._books = PublisherBooks(listener)
        self._backoff = Backoff(min_s=settings.backoff_min_s, max_s=settings.backoff_max_s, jitter=jitter)
        self._client_id = settings.client_id or f"edge-agent-{topics.site}-{topics.gateway}"
        self._rota = Rota(settings)
        self._log = ConnectionLog(self._client_id)
        self._defects = 0
        self._clock = clock
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._to_announce = threading.Event()
        self._drain_until_s = 0.0
        self._maintained_s = clock()

    def start(self) -> None:
        """Start the owner thread."""
        self._thread = threading.Thread(target=self._run, name="mqtt-publisher", daemon=True)
        self._thread.start()

    def notify(self) -> None:
        """Say that the outbox has something new; from any thread."""
        try:
            self._wake_writer.send(b"\0")
        except BlockingIOError:
            pass  # full: it will wake up anyway
        except OSError:
            pass  # closed: it has stopped

    def announce(self) -> None:
        """Have what the mailbox tells at the start of a connection told anew; from any thread."""
        self._to_announce.set()
        self.notify()

    def stop(self, drain_timeout_s: float = 5.0) -> bool:
        """Send what is new for at most `drain_timeout_s`, say goodbye, and end the thread.

        Returns:
            Whether the thread has ended. What was not sent stays in the outbox.
        """
        self._drain_until_s = self._clock() + drain_timeout_s
        self._stopping.set()
        self.notify()
        if self._thread is None:
            return True
        self._thread.join(drain_timeout_s + _GOODBYE_TIMEOUT_S + self._settings.connect_timeout_s)
        ended = not self._thread.is_alive()
        if ended:
            self._wake_reader.close()
            self._wake_writer.close()
        return ended

    @property
    def alive(self) -> bool:
        """Whether the owner thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def stats(self) -> PublisherStats:
        """What was done so far; from any thread."""
        return self._books.stats(broker=self._rota.place, failovers=self._rota.failovers)

    # Everything below runs in the owner thread.

    def _run(self) -> None:
        while not self._stopping.is_set():
            ending = self._attempt()
            if self._stopping.is_set():
                break
            if self._rota.returning:
                self._rota.returned()  # on purpose, and to a broker that answers
                continue
            if self._other_version(ending):
                continue
            self._log.lost(self._clock(), self._rota.broker, ending.failure, ending.text)
            if self._books.connected is not False:
                self._books.connection_changed(connected=False)
            if self._rota.next():
                self._wait_before_retry()
        self._books.in_flight = 0
        if self._books.connected:
            self._books.connection_changed(connected=False)
        _log.info("MQTT publisher stopped")

    def _attempt(self) -> Ending:
        """One connection, or none, to its end."""
        try:
            return self._connect_and_serve()
        except DeliveryError as error:
            self._books.failed(error.failure)
            return Ending(error.failure, str(error))
        except Exception as error:
            # A defect must not end delivery for ever: it is logged whole, counted, and the connection made anew.
            if self._defects < _MOST_DEFECTS_TOLD:
                _log.exception("the MQTT connection failed in an unexpected way")
            self._defects += 1
            self._books.failed(Failure.CONNECT)
            return Ending(Failure.CONNECT, f"a defect of the agent, {type(error).__name__}: see above")

    def _connect_and_serve(self) -> Ending:
        settings, dialect = self._rota.settings, self._rota.dialect
        connection = Connection(
            settings,
            client_id=self._client_id,
            mqtt5=dialect.mqtt5,
            will=Letter(self._topics.status, self._letters.will()),
            wake=self._wake_reader,
        )
        try:
            connection.open()
            session = Session(
                connection,
                self._outbox,
                settings,
                mailbox=self._mailbox,
                birth=Letter(self._topics.status, self._letters.birth(), content_type=CLOUD_EVENT),
                listener=self._books,
                clock=self._clock,
                trial=dialect.trial,
            )
            self._serve(session)
            if session.end is None:
                self._say_goodbye(session)
                connection.close()
        finally:
            connection.abort()
            self._books.in_flight = 0
        if session.answered:
            dialect.answered()
            return Ending(Failure.CONNECT, "tried", answered=True)
        return session.end or Ending(Failure.CONNECT, "stopped")

    def _serve(self, session: Session) -> None:
        reached_s: float | None = None
        while session.end is None and not session.answered:
            session.step(_POLL_S)
            self._books.in_flight = session.in_flight
            now_s = self._clock()
            if session.established and reached_s is None:
                reached_s = now_s
                self._to_announce.clear()  # it was told with the connection
                self._reached()
            if session.established:
                self._log.holds(now_s, self._rota.broker)
            if session.established and self._to_announce.is_set():
                self._to_announce.clear()
                session.announce()
            self._maintain()
            if session.settled and self._rota.first_is_back(now_s):
                break
            if self._stopping.is_set() and (session.drained() or now_s >= self._drain_until_s):
                break
        if reached_s is not None:
            self._served(session, self._clock() - reached_s)

    def _served(self, session: Session, lasted_s: float) -> None:
        """Whether the connection was worth anything decides how soon the next one is tried."""
        self._rota.dialect.served()
        sent_away = session.end is not None and session.end.sent_away
        if lasted_s >= STEADY_S or (session.progressed and not sent_away):
            self._backoff.reset()

    def _say_goodbye(self, session: Session) -> None:
        deadline_s = self._clock() + _GOODBYE_TIMEOUT_S
        if not session.established:
            return
        session.say(Letter(self._topics.status, self._letters.goodbye(), content_type=CLOUD_EVENT))
        while not session.settled and session.end is None and self._clock() < deadline_s:
            session.step(0.1)

    def _other_version(self, ending: Ending) -> bool:
        """Whether the same broker is to be tried at once in another version: some refuse MQTT 5, others hang up."""
        dialect = self._rota.dialect
        if ending.unsupported:
            return dialect.refused()
        if ending.hung_up:
            return dialect.hung_up()
        return ending.answered

    def _reached(self) -> None:
        self._rota.reached()
        self._books.connection_changed(connected=True)
        version = "5" if self._rota.dialect.mqtt5 else "3.1.1"
        self._log.reached(self._clock(), self._rota.broker, version)

    def _wait_before_retry(self) -> None:
        wait_s = self._backoff.next_s(at_least_s=_UNSTEADY_WAIT_S if self._log.unsteady else 0.0)
        until_s = self._clock() + wait_s
        while not self._stopping.is_set() and (left_s := until_s - self._clock()) > 0:
            self._stopping.wait(min(left_s, _MAINTAIN_EVERY_S))
            self._maintain()
        drain(self._wake_reader)

    def _maintain(self) -> None:
        if self._clock() - self._maintained_s < _MAINTAIN_EVERY_S:
            return
        self._maintained_s = self._clock()
        try:
            self._outbox.maintain(self._wall_ns())
        except DeliveryError as error:
            self._books.failed(error.failure)
