"""Who asks, and what they may."""

from dataclasses import dataclass
from enum import IntEnum


class Role(IntEnum):
    """What a person may do; each includes those before it."""

    VIEWER = 1
    """Look and listen."""
    OPERATOR = 2
    """Label, upload, acknowledge."""
    ENGINEER = 3
    """Train, compare, roll out and halt."""
    ADMIN = 4
    """People, keys, gateways, purging."""


@dataclass(frozen=True, slots=True)
class Person:
    """A person, or a script with a person's key.

    Attributes:
        user_id, name: Who.
        role: What they may.
    """

    user_id: int
    name: str
    role: Role

    @property
    def actor(self) -> str:
        """As the audit log names them."""
        return f"user:{self.name}"


@dataclass(frozen=True, slots=True)
class GatewayPrincipal:
    """A gateway.

    Attributes:
        gateway_id: Its row.
        site, name: Which one: what it sends must be its own.
    """

    gateway_id: int
    site: str
    name: str

    @property
    def actor(self) -> str:
        """As the audit log names it."""
        return f"gateway:{self.site}/{self.name}"
