"""`[[mqtt]]`: brokers that the hub hears gateways' events by."""

from typing import Self

from pydantic import Field, model_validator

from edge_agent.settings.base import FilePath, InconsistencyError, Section
from edge_agent.settings.secret import SecretFile
from edge_agent.settings.tls import SwitchedTlsSection, own_certificate, own_key, trusted_file


class BrokerTlsSection(SwitchedTlsSection):
    """Encryption of the connection to the broker."""

    enabled: bool = Field(default=False, description="Encrypt, and check the broker's certificate.")
    ca_file: FilePath | None = trusted_file("/etc/training-hub/ca.pem")
    cert_file: FilePath | None = own_certificate("The hub's", "/etc/training-hub/client.pem")
    key_file: FilePath | None = own_key("/etc/training-hub/client.key")


class BrokerSection(Section):
    """A broker that gateways publish at; several hubs with the same group share its messages."""

    host: str = Field(min_length=1, max_length=253, pattern=r"^\S+$", description="The broker.", examples=["127.0.0.1"])
    port: int = Field(default=1883, ge=1, le=65_535, description="Its port; 8883 is usual with TLS.")
    root_topic: str = Field(
        default="edge_agent",
        max_length=255,
        pattern=r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$",
        description="First levels of every topic, as the gateways have it.",
    )
    group: str = Field(
        default="training-hub",
        pattern=r"^[A-Za-z0-9_.-]{1,64}$",
        description="Name of the shared subscription: every message goes to one hub of the group.",
    )
    client_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_.-]{1,128}$",
        description="Client identifier, another one for each hub. Unset: made of the computer's name.",
        examples=["training-hub-1"],
    )
    keepalive_s: int = Field(default=30, ge=5, le=3600, description="Silence after which the connection is probed.")
    session_expiry_s: int = Field(
        default=86_400, ge=0, le=4_294_967_294, description="How long the broker keeps messages for an absent hub."
    )
    username: str | None = Field(
        default=None, min_length=1, max_length=1024, description="User name at the broker.", examples=["training_hub"]
    )
    password_file: SecretFile | None = Field(
        default=None, description="File with the password.", examples=["mqtt_password"]
    )
    tls: BrokerTlsSection = Field(
        default=BrokerTlsSection.defaults(), description="Encryption of the connection to the broker."
    )

    @model_validator(mode="after")
    def _password_has_a_user(self) -> Self:
        if self.password_file is not None and self.username is None:
            raise InconsistencyError((("password_file",), "needs username beside it"))
        return self
