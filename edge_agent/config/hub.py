"""`[hub]`: the centre that clips and events go up to, and bundles come down from."""

from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from edge_agent.settings.base import FilePath, InconsistencyError, Section
from edge_agent.settings.secret import SecretFile
from edge_agent.settings.tls import CertificateSection, own_certificate, own_key, trusted_file

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_TIME = "([01][0-9]|2[0-3]):[0-5][0-9]"


class HubTlsSection(CertificateSection):
    """Encryption of the connection to the hub."""

    ca_file: FilePath | None = trusted_file("/etc/edge-agent/hub_ca.pem")
    cert_file: FilePath | None = own_certificate("The gateway's", "/etc/edge-agent/client.pem")
    key_file: FilePath | None = own_key("/etc/edge-agent/client.key")


class HubScheduleSection(Section):
    """When clips may go up; events and reports are small and go at any time."""

    between: str | None = Field(
        default=None,
        pattern=f"^{_TIME}-{_TIME}$",
        description="Local time of day, over midnight where the first is the later one. Unset: at any time.",
        examples=["22:00-05:00"],
    )
    alarms_any_time: bool = Field(default=True, description="Clips of alarms and requests do not wait for it.")


class HubJournalSection(Section):
    """Events that the broker acknowledged, kept until the hub is known to have them, and for some days more."""

    max_bytes: int = Field(default=64 << 20, ge=1 << 20, le=1 << 36, description="Most that they take on disk.")
    keep_days: float = Field(default=7.0, ge=0.1, le=366.0, description="How long results and states are kept.")
    keep_alarms_days: float = Field(default=90.0, ge=0.1, le=3660.0, description="How long alarms are kept.")
    settle_s: float = Field(
        default=120.0, ge=0.0, le=86_400.0, description="Time that the hub is given to hear an event from the broker."
    )


class HubSection(Section):
    """The centre that clips and events go up to, and bundles come down from; the agent works without one."""

    enabled: bool = Field(default=False, description="Send clips, events and reports to a hub; needs the extra `sync`.")
    transport: Literal["network", "stick"] = Field(
        default="network",
        description="How clips and events go: over the network, or by `edge-agent sync export` where none leads there.",
    )
    url: str = Field(
        default="https://127.0.0.1:8400",
        max_length=512,
        pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$",
        description="Where the hub answers; without a name or key in it.",
    )
    key_file: SecretFile | None = Field(
        default=None,
        description="File that holds the gateway's key (mode 0600), or the name of a systemd credential.",
        examples=["/etc/edge-agent/hub_key"],
    )
    allow_http: bool = Field(
        default=False, description="Allow http:// to other machines: key and sound go unencrypted over the network."
    )
    root_file: FilePath | None = Field(
        default=None,
        description="Root of the hub's signed metadata, from `training-hub publish init`: by it bundles are trusted. "
        "Unset: none are taken from the hub.",
        examples=["/etc/edge-agent/hub_root.json"],
    )
    receipt_key: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9+/]{43}=$",
        description="The hub's public key, base64: what it signs receipts of USB sticks with.",
        examples=["A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="],
    )
    connect_timeout_s: float = Field(default=10.0, ge=0.1, le=300.0, description="Longest wait for a connection.")
    answer_timeout_s: float = Field(
        default=60.0, ge=0.1, le=3600.0, description="Longest silence of the hub within a request."
    )
    max_bytes_per_s: int = Field(
        default=0, ge=0, le=1 << 34, description="Most bytes of clips and events a second; 0: no limit."
    )
    report_s: float = Field(
        default=60.0, ge=1.0, le=86_400.0, description="Time between reports, where the hub asks for no other."
    )
    backoff_max_s: float = Field(
        default=300.0, ge=1.0, le=86_400.0, description="Longest wait between attempts while the hub is away."
    )
    labels: Literal["both", "up", "off"] = Field(
        default="both", description="Labels that people give: both ways, only up, or not after a clip was sent."
    )
    tls: HubTlsSection = Field(default=HubTlsSection.defaults(), description="Encryption of the connection to the hub.")
    schedule: HubScheduleSection = Field(default=HubScheduleSection.defaults(), description="When clips may go up.")
    journal: HubJournalSection = Field(
        default=HubJournalSection.defaults(), description="Events kept until the hub has them."
    )

    @model_validator(mode="after")
    def _encrypted_beyond_this_machine(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK and not self.allow_http:
            raise InconsistencyError((("url",), "http:// goes only to this machine; use https://, or set allow_http"))
        try:
            _ = parts.port
        except ValueError:
            raise InconsistencyError((("url",), f"{self.url!r} has no port from 1 to 65535")) from None
        return self

    @model_validator(mode="after")
    def _says_who_it_is(self) -> Self:
        over_network = self.enabled and self.transport == "network"
        if over_network and self.key_file is None and self.tls.cert_file is None:
            raise InconsistencyError((("enabled",), "needs key_file or tls.cert_file: the hub must know who sends"))
        return self
