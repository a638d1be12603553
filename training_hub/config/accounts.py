"""`[accounts]`: sessions of people, and how often anybody may ask."""

from pydantic import Field

from edge_agent.settings.base import Section
from training_hub.config.oidc import OidcSection


class AccountsSection(Section):
    """Sessions of people, and how often anybody may ask."""

    session_hours: float = Field(default=12.0, ge=0.1, le=720.0, description="A login ends after this.")
    logins_per_minute: int = Field(
        default=30,
        ge=1,
        le=10_000,
        description="Most attempts to log in per minute from one address, at all hubs of the database together.",
    )
    free_attempts: int = Field(
        default=5, ge=1, le=100, description="Wrong passwords for a name before each next attempt must wait longer."
    )
    person_per_minute: int = Field(
        default=3_000,
        ge=10,
        le=1_000_000,
        description="Most requests per minute of one person at one hub; each of several counts for itself.",
    )
    gateway_per_minute: int = Field(
        default=60_000,
        ge=10,
        le=1_000_000,
        description="Most requests per minute of one gateway at one hub; each of several counts for itself.",
    )
    oidc: OidcSection = Field(default=OidcSection.defaults(), description="Login by an identity provider.")
