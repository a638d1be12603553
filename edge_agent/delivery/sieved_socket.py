"""A client of paho whose socket is read through a sieve."""

from __future__ import annotations

import ssl
from typing import Any

import paho.mqtt.client as paho

from edge_agent.delivery.sieve import Sieve, SieveError

_READ_BYTES = 64 * 1024


class SievedSocket:
    """What paho needs of a socket; a broker that breaks the rules looks as one that hung up.

    Args:
        sock: The socket, encrypted or not.
        mqtt5: Which MQTT is spoken.

    Attributes:
        flaw: What the broker did wrong; None while it behaves.
        alert: Why the broker ended the encryption, in the words of TLS; None where it did not say.
    """

    def __init__(self, sock: Any, *, mqtt5: bool) -> None:  # noqa: ANN401  # of a type that is paho's own
        self._sock = sock
        self._sieve = Sieve(mqtt5=mqtt5)
        self._passed = b""
        self._place = 0
        self.flaw: str | None = None
        self.alert: str | None = None

    @property
    def skipping(self) -> bool:
        """See `Sieve`."""
        return self._sieve.skipping

    def recv(self, size: int) -> bytes:
        """At most `size` bytes, none at the end.

        Raises:
            BlockingIOError: Nothing is there yet.
        """
        if self._place == len(self._passed) and not self._fill():
            return b""
        found = self._passed[self._place : self._place + size]
        self._place += len(found)
        return found

    def send(self, data: bytes) -> int:
        """How much of it was sent."""
        return int(self._sock.send(data))

    def pending(self) -> int:
        """Bytes that can be read though the system's socket holds none."""
        encrypted = getattr(self._sock, "pending", None)
        return len(self._passed) - self._place + (int(encrypted()) if encrypted is not None else 0)

    def fileno(self) -> int:
        """The system's number."""
        return int(self._sock.fileno())

    def setblocking(self, flag: bool) -> None:
        """Whether to wait."""
        self._sock.setblocking(flag)

    def close(self) -> None:
        """End it."""
        self._sock.close()

    def _fill(self) -> bool:
        try:
            data = self._sock.recv(_READ_BYTES)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            self.alert = (error.reason or str(error)).lower().replace("_", " ")
            raise
        try:
            self._passed, self._place = self._sieve.feed(data), 0
        except SieveError as error:
            self.flaw = str(error)
            return False
        if data and not self._passed:
            raise BlockingIOError
        return bool(data)


class SievedClient(paho.Client):
    """As paho's, and the network is read through a sieve."""

    def __init__(self, *arguments: Any, mqtt5: bool, **options: Any) -> None:  # noqa: ANN401  # paho's own
        super().__init__(*arguments, **options)
        self._mqtt5 = mqtt5
        self.sieved: SievedSocket | None = None

    def _create_socket(self) -> Any:  # noqa: ANN401  # of a type that is paho's own
        self.sieved = SievedSocket(super()._create_socket(), mqtt5=self._mqtt5)
        return self.sieved
