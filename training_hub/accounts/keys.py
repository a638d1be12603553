"""Whose a key is. Asked with every request: columns are read, no objects made."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from training_hub.accounts.gateways import principal_of
from training_hub.accounts.people import role_of
from training_hub.accounts.principal import GatewayPrincipal, Person
from training_hub.accounts.secrets import GATEWAY_PREFIX, PERSON_PREFIX, digest
from training_hub.catalogue.tables import ApiKey, Gateway, User
from training_hub.catalogue.types import utc_now


def person_by_key(session: Session, key: str) -> Person | None:
    """The person whose script holds this key."""
    if not key.startswith(PERSON_PREFIX):
        return None
    wanted = select(User.id, User.name, User.role, ApiKey.revoked_at, ApiKey.expires_at).where(
        ApiKey.sha256 == digest(key), User.id == ApiKey.user_id, User.disabled.is_(False)
    )
    found = session.execute(wanted).one_or_none()
    if found is None or not _holds(found.revoked_at, found.expires_at):
        return None
    return Person(found.id, found.name, role_of(found.role))


def gateway_by_key(session: Session, key: str) -> GatewayPrincipal | None:
    """The gateway that holds this key."""
    if not key.startswith(GATEWAY_PREFIX):
        return None
    wanted = select(Gateway.id, Gateway.site, Gateway.name, ApiKey.revoked_at, ApiKey.expires_at).where(
        ApiKey.sha256 == digest(key), Gateway.id == ApiKey.gateway_id, Gateway.disabled.is_(False)
    )
    found = session.execute(wanted).one_or_none()
    if found is None or not _holds(found.revoked_at, found.expires_at):
        return None
    return GatewayPrincipal(found.id, found.site, found.name)


def gateway_by_certificate(session: Session, sha256: str) -> GatewayPrincipal | None:
    """The gateway that comes with this certificate."""
    gateway = session.scalar(select(Gateway).where(Gateway.certificate_sha256 == sha256, Gateway.disabled.is_(False)))
    return None if gateway is None else principal_of(gateway)


def _holds(revoked_at: datetime | None, expires_at: datetime | None) -> bool:
    return revoked_at is None and (expires_at is None or expires_at > utc_now())
