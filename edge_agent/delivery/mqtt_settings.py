"""How to reach the broker."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from edge_agent.delivery.errors import DeliveryError, Failure


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """Certificates of a TLS connection; files are read at every connect, so they may be renewed while running.

    Attributes:
        ca_file: Authorities trusted; None for those of the system.
        cert_file: The gateway's own certificate, for brokers that ask for one.
        key_file: Its key.
    """

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    def context(self) -> ssl.SSLContext:
        """A context that checks the broker's certificate and name, TLS 1.2 or newer.

        Raises:
            DeliveryError: A file is missing or is no certificate or key.
        """
        for path in (self.ca_file, self.cert_file, self.key_file):
            if path is not None:
                _beginning(path)
        try:
            context = ssl.create_default_context(cafile=None if self.ca_file is None else str(self.ca_file))
        except OSError as error:
            raise DeliveryError(Failure.INVALID, f"mqtt.tls.ca_file {self.ca_file} holds no certificate") from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.cert_file is not None:
            try:
                # an empty passphrase: never ask for one on the terminal
                context.load_cert_chain(self.cert_file, self.key_file, password="")
            except OSError as error:
                raise DeliveryError(Failure.INVALID, _flaw(self.cert_file, self.key_file, error)) from error
        return context


def _beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(64 * 1024)
    except OSError as error:
        raise DeliveryError(Failure.INVALID, f"{path} of mqtt.tls cannot be read: {error.strerror}") from error


def _flaw(cert_file: Path, key_file: Path | None, error: OSError) -> str:
    key_file = key_file or cert_file
    if b"ENCRYPTED" in _beginning(key_file):
        return f"mqtt.tls.key_file {key_file} has a passphrase; write it without: openssl pkey -in {key_file} -out ..."
    if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
        return f"mqtt.tls.key_file {key_file} is not the key of {cert_file}"
    return f"mqtt.tls: {cert_file} and {key_file} hold no certificate and its key: {error.strerror or error}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a broker listens."""

    host: str
    port: int

    def __str__(self) -> str:
        """For messages.

        >>> str(Endpoint("broker", 8883)), str(Endpoint("::1", 1883))
        ('broker:8883', '[::1]:1883')
        """
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """From `host:port`; an address of IPv6 stands in brackets.

        >>> Endpoint.parse("[::1]:1883")
        Endpoint(host='::1', port=1883)
        """
        host, _, port = text.rpartition(":")
        return cls(host.removeprefix("[").removesuffix("]"), int(port))


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """How to reach the broker and how fast to send.

    Attributes:
        host: Name or address.
        port: 1883, or 8883 with TLS.
        fallback: Brokers that are tried in order while the first cannot be reached, with the same names and passwords.
        return_after_s: While another broker serves, the first one is looked for this often.
        client_id: Must differ between gateways; empty for `edge-agent-<site>-<gateway>`.
        username: None for none.
        password: Never shown or logged.
        tls: None for a plain connection.
        protocol: `auto` begins with MQTT 5 and falls back to 3.1.1 when the broker does not know it.
        keepalive_s: A dead connection is noticed after at most 1.5 times this.
        connect_timeout_s: For TCP, TLS and the broker's answer, each.
        ack_timeout_s: A broker that acknowledges nothing for this long is reconnected.
        in_flight: Most events sent and not acknowledged; a smaller limit of the broker is kept.
        backlog_rate_per_s: Events per second after an outage, beside those of now.
        result_expiry_s: The broker drops undelivered results after this; alarms and states never (MQTT 5 only).
        will_delay_s: The broker waits this long before it calls the gateway lost (MQTT 5 only).
        backoff_min_s: First wait before connecting again; doubles each time.
        backoff_max_s: Longest wait.
    """

    host: str = "localhost"
    port: int = 1883
    fallback: tuple[Endpoint, ...] = ()
    return_after_s: float = 300.0
    client_id: str = ""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: TlsSettings | None = None
    protocol: Literal["auto", "5", "3.1.1"] = "auto"
    keepalive_s: int = 30
    connect_timeout_s: float = 10.0
    ack_timeout_s: float = 30.0
    in_flight: int = 20
    backlog_rate_per_s: float = 50.0
    result_expiry_s: int = 7 * 86_400
    will_delay_s: int = 10
    backoff_min_s: float = 0.5
    backoff_max_s: float = 60.0

    @property
    def brokers(self) -> tuple[Endpoint, ...]:
        """All brokers, in order."""
        return (Endpoint(self.host, self.port), *self.fallback)

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        positive = {
            "port": self.port,
            "keepalive_s": self.keepalive_s,
            "connect_timeout_s": self.connect_timeout_s,
            "ack_timeout_s": self.ack_timeout_s,
            "in_flight": self.in_flight,
            "backlog_rate_per_s": self.backlog_rate_per_s,
            "result_expiry_s": self.result_expiry_s,
            "return_after_s": self.return_after_s,
            "backoff_min_s": self.backoff_min_s,
        }
        for name, value in positive.items():
            if value <= 0:
                raise DeliveryError(Failure.INVALID, f"mqtt {name} {value} must be above 0")
        if not self.backoff_min_s <= self.backoff_max_s <= 60:
            raise DeliveryError(
                Failure.INVALID, f"mqtt backoff_max_s {self.backoff_max_s} must be between backoff_min_s and 60"
            )
        if self.password is not None and self.username is None:
            raise DeliveryError(Failure.INVALID, "mqtt password is set, but no username")
