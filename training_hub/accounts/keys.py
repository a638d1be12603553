"""Whose a key is."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from training_hub.accounts.gateways import principal_of
from training_hub.accounts.people import person_of
from training_hub.accounts.principal import GatewayPrincipal, Person
from training_hub.accounts.secrets import GATEWAY_PREFIX, PERSON_PREFIX, digest
from training_hub.catalogue.tables import ApiKey, Gateway
from training_hub.catalogue.types import utc_now


def person_by_key(session: Session, key: str) -> Person | None:
    """The person whose script holds this key."""
    found = _find(session, key) if key.startswith(PERSON_PREFIX) else None
    return None if found is None or found.user is None or found.user.disabled else person_of(found.user)


def gateway_by_key(session: Session, key: str) -> GatewayPrincipal | None:
    """The gateway that holds this key."""
    found = _find(session, key) if key.startswith(GATEWAY_PREFIX) else None
    return None if found is None or found.gateway is None or found.gateway.disabled else principal_of(found.gateway)


def gateway_by_certificate(session: Session, sha256: str) -> GatewayPrincipal | None:
    """The gateway that comes with this certificate."""
    gateway = session.scalar(select(Gateway).where(Gateway.certificate_sha256 == sha256, Gateway.disabled.is_(False)))
    return None if gateway is None else principal_of(gateway)


def _find(session: Session, key: str) -> ApiKey | None:
    found = session.scalar(select(ApiKey).where(ApiKey.sha256 == digest(key)))
    if found is None or found.revoked_at is not None:
        return None
    return None if found.expires_at is not None and found.expires_at <= utc_now() else found
