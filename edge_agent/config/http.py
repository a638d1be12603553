"""`[http]`: metrics, health and the gateway's page."""

import ipaddress
from typing import Self

from pydantic import Field, model_validator

from edge_agent.settings.base import InconsistencyError, Section
from edge_agent.settings.secret import SecretFile


def is_loopback(host: str) -> bool:
    """Whether only this computer can reach a server that listens on `host`.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class HttpSection(Section):
    """Metrics, health and the gateway's page."""

    enabled: bool = Field(default=True, description="Serve /metrics, /livez, /readyz, /healthz and the page.")
    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        max_length=253,
        pattern=r"^\S+$",
        description="Address to listen on; any but a loopback address needs token_file.",
    )
    port: int = Field(default=9105, ge=1, le=65535, description="Port to listen on.")
    token_file: SecretFile | None = Field(
        default=None,
        description="File that holds the bearer token callers must send (mode 0600), or a systemd credential's name.",
        examples=["/etc/edge-agent/http_token"],
    )

    @model_validator(mode="after")
    def _open_only_with_a_token(self) -> Self:
        if self.enabled and self.token_file is None and not is_loopback(self.host):
            raise InconsistencyError(
                (("host",), f"{self.host!r} can be reached from the network; set token_file, or listen on '127.0.0.1'")
            )
        return self
