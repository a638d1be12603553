"""Hears gateways' events at a broker, and acknowledges each message once its event is on the hub's disk."""

import logging
import queue
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from training_hub.accounts.gateways import principal_of
from training_hub.catalogue.tables import Gateway
from training_hub.config.mqtt import BrokerSection
from training_hub.errors import HubError
from training_hub.intake.events import check_events, take_events
from training_hub.parts import HubParts

_log = logging.getLogger(__name__)

_IN_FLIGHT = 200
"""Most messages that the broker sends ahead of their acknowledgement."""
_MAX_BYTES = 256 * 1024
_RETRY_S = 2.0
_LONGEST_RETRY_S = 60
_POLL_S = 0.2


class BrokerError(HubError):
    """A broker's TLS files or secrets cannot be used."""


@dataclass(frozen=True, slots=True)
class _Message:
    """One message, and the connection that it came by: an acknowledgement is worth nothing on another."""

    connection: int
    mid: int
    site: str
    gateway: str
    payload: bytes


class BrokerListener:
    """Hears one broker: a shared subscription, so that several hubs of a group take each message once.

    paho's thread only puts messages into a queue; one thread of ours commits and acknowledges them, many at a time.
    What was not acknowledged the broker sends again, here or to another hub; an event that comes twice is one row.

    Args:
        parts: The hub's.
        broker: Which broker, and how.
        environ: The environment, for the password as a systemd credential.
        role: Tells several on one computer apart, in the client identifier.

    Raises:
        BrokerError: Its TLS files cannot be used.
        SecretFileError: Its password cannot be read.
    """

    def __init__(self, parts: HubParts, broker: BrokerSection, environ: Mapping[str, str], *, role: str) -> None:
        self.name = f"the listener at {broker.host}:{broker.port}"
        self._parts = parts
        self._broker = broker
        self._levels = broker.root_topic.count("/") + 1
        self._queue: queue.Queue[_Message] = queue.Queue()
        self._stop = threading.Event()
        self._connection = 0
        self._gauge = parts.metrics.broker_connected.labels(f"{broker.host}:{broker.port}")
        self._gauge.set(0)
        self._thread = threading.Thread(target=self._work, name="mqtt-intake", daemon=True)
        self._client = self._make_client(environ, role)

    def start(self) -> None:
        """Connect, now or as soon as the broker is there."""
        properties = _properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = self._broker.session_expiry_s
        properties.ReceiveMaximum = _IN_FLIGHT
        self._client.connect_async(
            self._broker.host,
            self._broker.port,
            keepalive=self._broker.keepalive_s,
            clean_start=False,
            properties=properties,
        )
        self._thread.start()
        self._client.loop_start()

    def stop(self) -> None:
        """Acknowledge what is committed, and leave; the broker keeps the rest."""
        self._stop.set()
        self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()

    def alive(self) -> bool:
        """Whether messages are worked off; a broker that is away is no reason to restart the hub."""
        return self._thread.is_alive()

    def _make_client(self, environ: Mapping[str, str], role: str) -> paho.Client:
        broker = self._broker
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=broker.client_id or f"training-hub-{role}-{socket.gethostname()}"[:128],
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=True,
        )
        client.reconnect_delay_set(1, _LONGEST_RETRY_S)
        if broker.username is not None:
            secret = None if broker.password_file is None else broker.password_file.read(environ).get_secret_value()
            client.username_pw_set(broker.username, secret)
        if broker.tls.enabled:
            client.tls_set_context(_context(broker))
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    # --- paho's thread: nothing here may raise, or it ends ---------------------------------------------------------

    def _on_connect(
        self, client: paho.Client, _data: object, _flags: object, code: ReasonCode, _properties: Properties | None
    ) -> None:
        if code.is_failure:
            _log.error("%s: refused: %s", self.name, code)
            return
        self._connection += 1
        self._gauge.set(1)
        _log.info("%s: connected", self.name)
        client.subscribe(f"$share/{self._broker.group}/{self._broker.root_topic}/#", qos=1)

    def _on_disconnect(
        self, _client: paho.Client, _data: object, _flags: object, code: ReasonCode, _properties: Properties | None
    ) -> None:
        self._connection += 1
        self._gauge.set(0)
        if not self._stop.is_set():
            _log.warning("%s: connection lost: %s", self.name, code)

    def _on_subscribe(
        self, _client: paho.Client, _data: object, _mid: int, codes: list[ReasonCode], _properties: Properties | None
    ) -> None:
        for code in codes:
            if code.is_failure:
                _log.error("%s: the subscription is refused: %s; allow it in the broker's access list", self.name, code)

    def _on_message(self, client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        try:
            levels = message.topic.split("/")[self._levels :]
        except UnicodeDecodeError:
            levels = []
        if len(levels) < 3 or levels[2] == "cmd" or not message.payload:
            client.ack(message.mid, message.qos)  # commands, and retained messages that are taken back
            return
        self._queue.put(
            _Message(self._connection, message.mid, levels[0], levels[1], bytes(message.payload[: _MAX_BYTES + 1]))
        )

    # --- our thread ------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while not self._stop.is_set():
            batch = self._next_batch()
            while batch and not self._stop.is_set():
                try:
                    self._take(batch)
                except (SQLAlchemyError, HubError) as error:
                    # nothing is acknowledged, so the broker sends no more than the window; it is tried again
                    _log.error("%s: events cannot be stored: %s; trying again", self.name, type(error).__name__)
                    self._stop.wait(_RETRY_S)
                    continue
                for message in batch:
                    if message.connection == self._connection:
                        self._client.ack(message.mid, 1)
                break

    def _next_batch(self) -> list[_Message]:
        batch: list[_Message] = []
        try:
            batch.append(self._queue.get(timeout=_POLL_S))
            while len(batch) < _IN_FLIGHT:
                batch.append(self._queue.get_nowait())
        except queue.Empty:
            pass
        return batch

    def _take(self, batch: list[_Message]) -> None:
        by_gateway: dict[tuple[str, str], list[bytes]] = {}
        for message in batch:
            by_gateway.setdefault((message.site, message.gateway), []).append(message.payload)
        for (site, name), payloads in sorted(by_gateway.items()):
            self._take_of(site, name, payloads)

    def _take_of(self, site: str, name: str, payloads: list[bytes]) -> None:
        counted = self._parts.metrics.events
        with self._parts.database.transaction(writes=False) as session:
            wanted = select(Gateway).where(Gateway.site == site, Gateway.name == name, Gateway.disabled.is_(False))
            row = session.scalar(wanted)
            gateway = None if row is None else principal_of(row)
        if gateway is None:
            counted.labels("mqtt", "unknown_gateway").inc(len(payloads))
            _log.debug("%s: %d events of %s/%s, which is not known", self.name, len(payloads), site, name)
            return
        small = [payload for payload in payloads if len(payload) <= _MAX_BYTES]
        known, refused = check_events(gateway, small)
        taken = self._parts.writes.run(lambda session: take_events(session, gateway, known, refused, via="mqtt"))
        taken.count(self._parts.metrics, "mqtt")
        counted.labels("mqtt", "refused").inc(len(payloads) - len(small))
        for flaw in taken.receipt.refused[:1]:
            _log.warning("%s: event %s of %s is refused: %s", self.name, flaw.id, gateway.actor, flaw.why)


def _context(broker: BrokerSection) -> ssl.SSLContext:
    tls = broker.tls
    try:
        context = ssl.create_default_context(cafile=None if tls.ca_file is None else str(tls.ca_file))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if tls.cert_file is not None:
            context.load_cert_chain(tls.cert_file, tls.key_file, password="")  # never ask on the terminal
    except (OSError, ssl.SSLError) as error:
        raise BrokerError(f"the TLS files of broker {broker.host}:{broker.port} cannot be used: {error}") from error
    return context


def _properties(packet_type: int) -> Properties:
    return Properties(packet_type)  # type: ignore[no-untyped-call]  # paho leaves it untyped
