"""`[server.tls]`: encryption by the hub itself, and certificates of gateways."""

from typing import Self

from pydantic import Field, model_validator

from edge_agent.settings.base import FilePath, InconsistencyError
from edge_agent.settings.tls import CertificateSection


class ServerTlsSection(CertificateSection):
    """Encryption by the hub itself, TLS 1.2 or newer."""

    cert_file: FilePath | None = Field(
        default=None, description="The hub's certificate with its chain, PEM.", examples=["/etc/training-hub/hub.crt"]
    )
    key_file: FilePath | None = Field(
        default=None,
        description="Key of cert_file, without a passphrase; or the name of a systemd credential.",
        examples=["/etc/training-hub/hub.key"],
    )
    client_ca_file: FilePath | None = Field(
        default=None,
        description="Authorities of gateways' certificates, PEM; set, a gateway may come with one in place of a key.",
        examples=["/etc/training-hub/gateways_ca.crt"],
    )

    @model_validator(mode="after")
    def _authorities_need_a_certificate(self) -> Self:
        if self.client_ca_file is not None and self.cert_file is None:
            raise InconsistencyError((("client_ca_file",), "needs cert_file and key_file beside it"))
        return self
