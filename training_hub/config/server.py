"""`[server]`: where the hub listens."""

import ipaddress
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from edge_agent.settings.base import FilePath, InconsistencyError, Section
from training_hub.config.tls import ServerTlsSection

_Address = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[0-9A-Fa-f.:/]+$")]


class ServerSection(Section):
    """Where the hub listens, and where it keeps what it keeps by itself."""

    host: str = Field(
        default="127.0.0.1", description="Address to listen on; off the loopback only with tls or behind_proxy."
    )
    port: int = Field(default=8400, ge=0, le=65_535, description="Port to listen on; 0 for any free one.")
    state_dir: FilePath = Field(
        default=Path("/var/lib/training-hub"),
        description="Database, objects and scratch, where nothing else is set. Unset: systemd's STATE_DIRECTORY, else "
        "training-hub in the user's state directory.",
    )
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/\s?#@]+$",
        description="How browsers and gateways reach the hub, where that is not its own address.",
        examples=["https://hub.example.org"],
    )
    behind_proxy: bool = Field(
        default=False, description="A reverse proxy on this computer or network ends TLS and forwards to the hub."
    )
    trusted_proxies: tuple[_Address, ...] = Field(
        default=("127.0.0.1", "::1"),
        strict=False,
        max_length=32,
        description="Addresses or networks of the proxies whose X-Forwarded-* headers are believed.",
    )
    client_certificate_header: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$",
        description="Header in which a trusted proxy passes a gateway's certificate (its SHA-256 in hex, PEM "
        "escaped for URLs, or as RFC 9440 has it); the proxy must remove it from what it is sent.",
        examples=["X-Client-Cert"],
    )
    max_body_mib: int = Field(default=256, ge=16, le=4096, description="Largest body of any request, in MiB.")
    tls: ServerTlsSection = Field(default=ServerTlsSection.defaults(), description="Encryption by the hub itself.")

    @model_validator(mode="after")
    def _not_in_the_clear(self) -> Self:
        if not (is_loopback(self.host) or self.tls.cert_file is not None or self.behind_proxy):
            raise InconsistencyError(
                (("host",), f"{self.host} is off the loopback: set tls.cert_file and tls.key_file, or behind_proxy")
            )
        if self.client_certificate_header is not None and not self.behind_proxy:
            raise InconsistencyError((("client_certificate_header",), "is believed of proxies only: set behind_proxy"))
        for number, proxy in enumerate(self.trusted_proxies):
            try:
                ipaddress.ip_network(proxy)
            except ValueError as error:
                raise InconsistencyError((("trusted_proxies", number), str(error))) from error
        return self

    @property
    def is_encrypted(self) -> bool:
        """Whether browsers reach the hub by https, as far as the settings tell."""
        return self.tls.cert_file is not None or (self.public_url or "").startswith("https:")


def is_loopback(host: str) -> bool:
    """Whether nobody beyond this computer can reach an address.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
