"""A real mosquitto on a free port, and a subscriber that keeps what it hears."""

from __future__ import annotations

import json
import secrets
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")

needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")


def free_port() -> int:
    """A port nobody listens on now.

    It is none of those that the kernel gives to outgoing connections: one of them could take it before it is used, or
    while a broker is dead that comes back to it.
    """
    while True:
        port = 10_000 + secrets.randbelow(22_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def wait_until(condition: Callable[[], bool], timeout_s: float = 10.0, what: str = "condition") -> None:
    """Wait for something another thread or process does; fail the test when it does not."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline_s:
            pytest.fail(f"{what} did not come true within {timeout_s:g} s")
        time.sleep(0.01)


class Broker:
    """One mosquitto whose messages survive its own restart."""

    def __init__(self, directory: Path, extra_config: str = "", listener: str | None = None) -> None:
        self.port = free_port()
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "data").mkdir(exist_ok=True)
        config = (
            f"user root\nlistener {self.port} 127.0.0.1\n"
            + (listener if listener is not None else "allow_anonymous true\n")
            + f"persistence true\npersistence_location {directory}/data/\nautosave_on_changes true\n"
            + f"autosave_interval 1\nmax_queued_messages 100000\nlog_dest file {directory}/broker.log\n{extra_config}\n"
        )
        self._config = directory / "mosquitto.conf"
        self._config.write_text(config)

    def __enter__(self) -> Self:
        """Ends with the block, whatever happens in it; `start` is the caller's to call."""
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.stop()

    def start(self) -> None:
        assert MOSQUITTO is not None
        self._process = subprocess.Popen(
            [MOSQUITTO, "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(self._answers, what=f"mosquitto on {self.port}")

    def reload(self) -> None:
        """Read the access list and the passwords again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def suspend(self) -> None:
        """Let it hang: connections stay, nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """End it in order; it saves what it holds."""
        if self._process is not None and self.alive:
            self._process.terminate()
            self._process.wait(10)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(0.2)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@dataclass(frozen=True)
class Heard:
    topic: str
    payload: bytes
    retained: bool
    expiry_s: int | None
    at_s: float = 0.0


class Subscriber:
    """Hears everything under a filter, with a session that outlives the broker's restarts."""

    def __init__(self, port: int, topic_filter: str = "#", client_id: str = "test-subscriber") -> None:
        self.heard: list[Heard] = []
        self._ready = threading.Event()
        self._filter = topic_filter
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=MQTTProtocolVersion.MQTTv5)
        client.on_connect = self._on_connect
        client.on_subscribe = lambda *_: self._ready.set()
        client.on_message = self._on_message
        client.reconnect_delay_set(1, 1)
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves it untyped
        properties.SessionExpiryInterval = 3600
        client.connect_async("127.0.0.1", port, keepalive=5, clean_start=False, properties=properties)
        client.loop_start()
        self._client = client
        assert self._ready.wait(10), "the subscriber found no broker"

    @property
    def connected(self) -> bool:
        """Whether the broker talks to it now."""
        return self._client.is_connected()

    def ids(self) -> set[str]:
        """Ids of all events heard so far."""
        return {json.loads(heard.payload)["id"] for heard in list(self.heard)}

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: paho.Client, *_: object) -> None:
        client.subscribe(self._filter, qos=1)

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        expiry = getattr(message.properties, "MessageExpiryInterval", None)
        self.heard.append(Heard(message.topic, bytes(message.payload), bool(message.retain), expiry, time.monotonic()))
