"""`[mqtt]`: the broker, and the outbox that waits for it."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from edge_agent.config.commands import CommandsSection
from edge_agent.config.home_assistant import HomeAssistantSection
from edge_agent.settings.base import FilePath, InconsistencyError, Section
from edge_agent.settings.secret import SecretFile
from edge_agent.settings.tls import SwitchedTlsSection, own_certificate, own_key, trusted_file

MIB = 1024 * 1024


class TlsSection(SwitchedTlsSection):
    """Encryption of the connection to the broker."""

    enabled: bool = Field(default=False, description="Encrypt, and check the broker's certificate.")
    ca_file: FilePath | None = trusted_file("/etc/edge-agent/ca.pem")
    cert_file: FilePath | None = own_certificate("The agent's", "/etc/edge-agent/client.pem")
    key_file: FilePath | None = own_key("/etc/edge-agent/client.key")


class OutboxSection(Section):
    """Events that wait on disk for the broker."""

    max_bytes: int = Field(
        default=256 * MIB, ge=4 * MIB, le=64 * 1024 * MIB, description="Cap of the outbox on disk, in bytes."
    )
    max_age_s: int = Field(
        default=1_209_600, ge=3600, le=31_536_000, description="Results older than this are dropped, and counted."
    )
    drain_per_s: float = Field(
        default=200.0, ge=1.0, le=10_000.0, description="Most events sent per second once the broker is back."
    )


class MqttSection(Section):
    """The broker that events go to."""

    enabled: bool = Field(default=True, description="Publish events; false keeps the agent silent on the network.")
    host: str = Field(default="127.0.0.1", min_length=1, max_length=253, pattern=r"^\S+$", description="The broker.")
    port: int = Field(default=1883, ge=1, le=65535, description="Its port; 8883 is usual with TLS.")
    fallback: tuple[Annotated[str, Field(max_length=259, pattern=r"^\S+:[0-9]{1,5}$")], ...] = Field(
        default=(),
        strict=False,
        max_length=8,
        description="Other brokers, as host:port, tried in order while the first cannot be reached.",
        examples=[["backup.example:8883"]],
    )
    root_topic: str = Field(
        default="edge_agent",
        max_length=255,
        pattern=r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$",
        description="First levels of every topic: <root_topic>/<site>/<gateway>/...",
    )
    client_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_.-]{1,128}$",
        description="Client identifier. Unset: made of site and gateway.",
        examples=["edge_agent-plant_1-gateway_1"],
    )
    protocol: Literal["auto", "5", "3.1.1"] = Field(
        default="auto", description="Version of MQTT; auto tries 5 and falls back to 3.1.1."
    )
    keepalive_s: int = Field(default=30, ge=5, le=3600, description="Silence after which the connection is probed.")
    username: str | None = Field(
        default=None, min_length=1, max_length=1024, description="User name at the broker.", examples=["edge_agent"]
    )
    password_file: SecretFile | None = Field(
        default=None,
        description="File that holds the password (mode 0600), or the name of a systemd credential.",
        examples=["/etc/edge-agent/mqtt_password"],
    )
    result_expiry_s: int = Field(
        default=3600, ge=1, le=4_294_967_295, description="The broker forgets undelivered results after this time."
    )
    tls: TlsSection = Field(default=TlsSection.defaults(), description="Encryption of the connection to the broker.")
    outbox: OutboxSection = Field(
        default=OutboxSection.defaults(), description="Events that wait on disk for the broker."
    )
    commands: CommandsSection = Field(
        default=CommandsSection.defaults(), description="What may be asked of the gateway over the broker."
    )
    home_assistant: HomeAssistantSection = Field(
        default=HomeAssistantSection.defaults(), description="Devices that Home Assistant finds by itself."
    )

    @model_validator(mode="after")
    def _fallback_ports_exist(self) -> Self:
        for number, broker in enumerate(self.fallback):
            if not 1 <= int(broker.rpartition(":")[2]) <= 65535:
                raise InconsistencyError((("fallback", number), f"{broker!r} has no port from 1 to 65535"))
        return self

    @model_validator(mode="after")
    def _password_has_a_user(self) -> Self:
        if self.password_file is not None and self.username is None:
            raise InconsistencyError((("password_file",), "needs username beside it"))
        return self
