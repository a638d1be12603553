"""Whose a key is. Asked with every request: statements are made once, columns are read, no objects made."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from training_hub.accounts.people import role_of
from training_hub.accounts.principal import GatewayPrincipal, Person
from training_hub.accounts.secrets import GATEWAY_PREFIX, PERSON_PREFIX, digest
from training_hub.catalogue.tables import ApiKey, Gateway, User
from training_hub.catalogue.types import utc_now

_PERSON = select(User.id, User.name, User.role, ApiKey.revoked_at, ApiKey.expires_at).where(
    ApiKey.sha256 == bindparam("key"), User.id == ApiKey.user_id, User.disabled.is_(False)
)
_GATEWAY = select(Gateway.id, Gateway.site, Gateway.name, ApiKey.revoked_at, ApiKey.expires_at).where(
    ApiKey.sha256 == bindparam("key"), Gateway.id == ApiKey.gateway_id, Gateway.disabled.is_(False)
)
_CERTIFIED = select(Gateway.id, Gateway.site, Gateway.name).where(
    Gateway.certificate_sha256 == bindparam("certificate"), Gateway.disabled.is_(False)
)


def person_by_key(connection: Connection, key: str) -> Person | None:
    """The person whose script holds this key."""
    if not key.startswith(PERSON_PREFIX):
        return None
    found = connection.execute(_PERSON, {"key": digest(key)}).one_or_none()
    if found is None or not _holds(found.revoked_at, found.expires_at):
        return None
    return Person(found.id, found.name, role_of(found.role))


def gateway_by_key(connection: Connection, key: str) -> GatewayPrincipal | None:
    """The gateway that holds this key."""
    if not key.startswith(GATEWAY_PREFIX):
        return None
    found = connection.execute(_GATEWAY, {"key": digest(key)}).one_or_none()
    if found is None or not _holds(found.revoked_at, found.expires_at):
        return None
    return GatewayPrincipal(found.id, found.site, found.name)


def gateway_by_certificate(connection: Connection, sha256: str) -> GatewayPrincipal | None:
    """The gateway that comes with this certificate."""
    found = connection.execute(_CERTIFIED, {"certificate": sha256}).one_or_none()
    return None if found is None else GatewayPrincipal(found.id, found.site, found.name)


def _holds(revoked_at: datetime | None, expires_at: datetime | None) -> bool:
    return revoked_at is None and (expires_at is None or expires_at > utc_now())
