"""One MQTT connection from CONNECT to its end, driven by one thread."""

from __future__ import annotations

import select
import socket
import ssl
from collections import deque
from typing import Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge_agent.delivery.errors import DeliveryError, Failure
from edge_agent.delivery.mqtt_settings import MqttSettings
from edge_agent.delivery.refusals import reason_of, said
from edge_agent.delivery.sieved_socket import SievedClient, SievedSocket
from edge_agent.delivery.signals import (
    CLOUD_EVENT,
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

_UNSUPPORTED_PROTOCOL: Final = 132
_MAX_PACKET_BYTES: Final = 16 * 1024 * 1024
"""Larger messages stay with the broker. Those up to here are refused, counted and answered, whatever the line costs."""
_UNSPECIFIED: Final = 128


class Connection:
    """Wraps one paho client, used once, without paho's thread: its callbacks only append to a queue.

    What is published waits until `poll` has read what the broker said: a broker that ends a connection says why.

    With its own thread paho would run callbacks beside the owner, die silently of an exception in one, and keep
    messages of its own to repeat; here the outbox alone decides what is repeated.

    Args:
        settings: Where to.
        client_id: Who.
        mqtt5: MQTT 5, or 3.1.1.
        will: What the broker says when the connection is lost.
        wake: Socket that becomes readable when `poll` should return early; drained here.
    """

    def __init__(
        self, settings: MqttSettings, *, client_id: str, mqtt5: bool, will: Letter, wake: socket.socket
    ) -> None:
        self.client_id = client_id
        self._settings = settings
        self._mqtt5 = mqtt5
        self._wake = wake
        self._signals: deque[Signal] = deque()
        client = SievedClient(
            CallbackAPIVersion.VERSION2,
            mqtt5=mqtt5,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5 if mqtt5 else MQTTProtocolVersion.MQTTv311,
            clean_session=None if mqtt5 else True,
            reconnect_on_failure=False,
        )
        client.connect_timeout = settings.connect_timeout_s
        client.max_inflight_messages_set(settings.in_flight + 2)  # birth and goodbye beside the events
        if settings.username is not None:
            client.username_pw_set(settings.username, settings.password)
        if settings.tls is not None:
            client.tls_set_context(settings.tls.context())
        properties = None
        if mqtt5:
            properties = _properties(PacketTypes.WILLMESSAGE)
            properties.WillDelayInterval = settings.will_delay_s
        client.will_set(will.topic, will.payload, qos=1, retain=True, properties=properties)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_socket_register_write = lambda *_: None  # writing is ours, after reading
        self._filters: dict[int, str] = {}
        self._client = client

    def open(self) -> None:
        """Connect and send CONNECT; the answer comes from `poll`.

        Raises:
            DeliveryError: The broker cannot be reached.
        """
        properties = None
        if self._mqtt5:
            # A will is due when its delay or the session ends, whichever comes first (MQTT 5, 3.1.3.2.2): the
            # session must last as long as the delay, and be taken up again, or the delay does nothing.
            properties = _properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = self._settings.will_delay_s
            properties.MaximumPacketSize = _MAX_PACKET_BYTES
        try:
            self._client.connect(
                self._settings.host,
                self._settings.port,
                keepalive=self._settings.keepalive_s,
                clean_start=False if self._mqtt5 else paho.MQTT_CLEAN_START_FIRST_ONLY,
                properties=properties,
            )
        except ssl.SSLError as error:
            raise self._distrust(error) from error
        except (OSError, ValueError) as error:
            where = self._settings.brokers[0]
            raise DeliveryError(Failure.CONNECT, f"MQTT broker {where} cannot be reached: {error}") from error

    def poll(self, timeout_s: float) -> list[Signal]:
        """Serve the socket for at most `timeout_s` and return what happened, in order."""
        sock = self._client.sieved
        if sock is not None and self._client.socket() is not None and not self._signals:
            self._serve(sock, timeout_s)
        if self._client.socket() is None and not any(isinstance(s, Closed | Refused) for s in self._signals):
            self._signals.append(Closed("connection lost"))
        signals = list(self._signals)
        self._signals.clear()
        return signals

    def _serve(self, sock: SievedSocket, timeout_s: float) -> None:
        if sock.pending():
            timeout_s = 0.0  # the sieve, or TLS, holds more than was read: it would not be seen
        waiting = select.poll()  # unlike select.select it knows no highest descriptor
        waiting.register(sock.fileno(), select.POLLIN | (select.POLLOUT if self._client.want_write() else 0))
        waiting.register(self._wake.fileno(), select.POLLIN)
        ready = dict(waiting.poll(max(0.0, timeout_s) * 1000.0))
        if self._wake.fileno() in ready:
            drain(self._wake)
        readable = ready.get(sock.fileno(), 0) & ~select.POLLOUT or sock.pending()
        if readable:
            self._client.loop_read()
            if sock.skipping:
                self._signals.append(Alive())
        if self._client.want_write():
            self._client.loop_write()
        self._client.loop_misc()

    def subscribe(self, topic_filter: str) -> None:
        """Ask for messages; the answer comes as `Subscribed`.

        Raises:
            DeliveryError: The connection is gone.
        """
        if self._mqtt5:  # what this gateway publishes itself it knows; 3.1.1 sends it all the same
            code, mid = self._client.subscribe(topic_filter, options=SubscribeOptions(qos=1, noLocal=True))
        else:
            code, mid = self._client.subscribe(topic_filter, qos=1)
        if code != paho.MQTT_ERR_SUCCESS or mid is None:
            raise DeliveryError(Failure.CONNECT, f"cannot subscribe to {topic_filter}: {paho.error_string(code)}")
        self._filters[mid] = topic_filter

    def publish_letter(self, letter: Letter) -> int:
        """Send a letter; as `publish`."""
        return self.publish(
            letter.topic,
            letter.payload,
            retain=letter.retain,
            expires=False,
            content_type=letter.content_type,
            correlation=letter.correlation,
        )

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool,
        expires: bool,
        content_type: str = CLOUD_EVENT,
        correlation: bytes | None = None,
    ) -> int:
        """Send with QoS 1 and return the id that `Acked` will carry.

        Raises:
            DeliveryError: The connection is gone.
        """
        properties = None
        if self._mqtt5:
            properties = _properties(PacketTypes.PUBLISH)
            properties.ContentType = content_type
            properties.PayloadFormatIndicator = 1
            if expires:
                properties.MessageExpiryInterval = self._settings.result_expiry_s
            if correlation is not None:
                properties.CorrelationData = correlation
        info = self._client.publish(topic, payload, qos=1, retain=retain, properties=properties)
        if info.rc != paho.MQTT_ERR_SUCCESS:
            raise DeliveryError(Failure.CONNECT, f"cannot send to {topic}: {paho.error_string(info.rc)}")
        return info.mid

    def close(self) -> None:
        """Say goodbye if that is possible, and free the socket. The broker then keeps the will to itself."""
        try:
            self._client.disconnect()
            if self._client.want_write():
                self._client.loop_write()
        finally:
            self.abort()

    def abort(self) -> None:
        """Drop the socket without a word; the will follows."""
        sock = self._client.socket()
        if sock is not None:
            sock.close()

    def _on_connect(
        self, _client: paho.Client, _data: object, _flags: object, code: ReasonCode, properties: Properties | None
    ) -> None:
        if code.is_failure:
            reason, word = f"{code}{said(properties)}", reason_of(code.value)
            self._signals.append(Refused(reason, word, code.value == _UNSUPPORTED_PROTOCOL))
            return
        self._signals.append(
            Connected(
                getattr(properties, "ReceiveMaximum", None),
                getattr(properties, "MaximumPacketSize", None),
            )
        )

    def _on_disconnect(
        self,
        _client: paho.Client,
        _data: object,
        flags: paho.DisconnectFlags,
        code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        sieved = self._client.sieved
        if flags.is_disconnect_packet_from_server:
            self._signals.append(Closed(f"{code}{said(properties)}", code.value))
        elif sieved is not None and sieved.flaw is not None:
            self._signals.append(Closed(f"it sends {sieved.flaw}"))
        elif sieved is not None and sieved.alert is not None:
            self._signals.append(Closed(sieved.alert))
        elif code.value == _UNSPECIFIED:
            self._signals.append(Closed("connection lost"))  # paho's word would be: unspecified error
        else:
            self._signals.append(Closed(str(code)))

    def _on_publish(
        self, _client: paho.Client, _data: object, mid: int, code: ReasonCode, _properties: Properties
    ) -> None:
        self._signals.append(Acked(mid, reason_of(code.value) if code.is_failure else None))

    def _on_subscribe(
        self, _client: paho.Client, _data: object, mid: int, codes: list[ReasonCode], _properties: Properties | None
    ) -> None:
        refusals = [reason_of(code.value) for code in codes if code.is_failure]
        self._signals.append(Subscribed(self._filters.pop(mid, ""), refusals[0] if refusals else None))

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""  # no topic of ours, whatever the broker lets through
        properties = message.properties
        named = dict(getattr(properties, "UserProperty", ()))
        self._signals.append(
            Received(
                topic=topic,
                payload=bytes(message.payload),
                retained=message.retain,
                response_topic=getattr(properties, "ResponseTopic", None),
                correlation=getattr(properties, "CorrelationData", None),
                sender=str(named.get("client_id") or named.get("user") or "")[:128],
            )
        )

    def _distrust(self, error: ssl.SSLError) -> DeliveryError:
        where = self._settings.brokers[0]
        if isinstance(error, ssl.SSLCertVerificationError):
            text = f"the certificate of MQTT broker {where} cannot be trusted: {error.verify_message}"
        else:
            text = f"no TLS with MQTT broker {where}: {error.reason or error}"
        return DeliveryError(Failure.TLS, text)


def _properties(packet_type: int) -> Properties:
    return Properties(packet_type)  # type: ignore[no-untyped-call]  # paho leaves it untyped


def drain(wake: socket.socket) -> None:
    """Empty a non-blocking wake-up socket."""
    try:
        while wake.recv(4096):
            pass
    except BlockingIOError:
        pass
