"""Hears what the agent publishes, as any other program on the network would."""

import queue
import threading
from types import TracebackType
from typing import Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge_agent.delivery.events import Event, parse_event
from edge_agent.delivery.topics import Topics
from edge_agent.demo.errors import DemoError

_CONNECT_S = 10.0


class Subscriber:
    """Subscribes to everything under a gateway's topics.

    Args:
        port: The broker's port on this computer.
        topics: Whose events.

    Raises:
        DemoError: The broker does not take the subscription.
    """

    def __init__(self, port: int, topics: Topics) -> None:
        self._arrived: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._subscribed = threading.Event()
        self._filter = f"{topics.base}/#"
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id="demo-table", protocol=MQTTProtocolVersion.MQTTv5)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.connect_async("127.0.0.1", port, keepalive=30)
        client.loop_start()
        self._client = client
        if not self._subscribed.wait(_CONNECT_S):
            self.close()
            raise DemoError(f"the broker on port {port} took no subscription within {_CONNECT_S:g} s")

    def take(self, timeout_s: float) -> list[Event[Any]]:
        """The events that arrived, waiting for the first of them.

        Raises:
            DeliveryError: A message is no event of this system.
        """
        payloads: list[bytes] = []
        try:
            payloads.append(self._arrived.get(timeout=timeout_s))
            while True:
                payloads.append(self._arrived.get_nowait())
        except queue.Empty:
            return [parse_event(payload) for payload in payloads]

    def close(self) -> None:
        """Leave the broker."""
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _on_connect(self, client: paho.Client, *_: object) -> None:
        client.subscribe(self._filter, qos=1)

    def _on_subscribe(self, *_: object) -> None:
        self._subscribed.set()

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        self._arrived.put(bytes(message.payload))
