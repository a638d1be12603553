"""Secrets that the hub makes up: sessions, keys. It keeps their SHA-256, for 256 random bits need no slow hash."""

import hashlib
import secrets
from dataclasses import dataclass

PERSON_PREFIX = "thk_"
GATEWAY_PREFIX = "thg_"
_SHOWN_LETTERS = 12


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key at the one moment that it is known.

    Attributes:
        text: The key itself.
        sha256, prefix: What the hub keeps.
    """

    text: str
    sha256: str
    prefix: str

    def __repr__(self) -> str:
        """Without the secret: it must not get into a log."""
        return f"NewKey({self.prefix}...)"


def new_secret() -> str:
    """256 random bits."""
    return secrets.token_urlsafe(32)


def new_key(prefix: str) -> NewKey:
    """A key that says whose it is: `thk_...` a person's, `thg_...` a gateway's."""
    text = prefix + new_secret()
    return NewKey(text, digest(text), text[:_SHOWN_LETTERS])


def digest(secret: str) -> str:
    """What stands in the tables for a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
