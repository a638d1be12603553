"""Gateways' accounts: a key or a certificate each."""

import re

from sqlalchemy import select
from sqlalchemy.orm import Session

from edge_agent.settings.base import ID_PATTERN
from training_hub.accounts.errors import AccountError
from training_hub.accounts.principal import GatewayPrincipal
from training_hub.accounts.secrets import GATEWAY_PREFIX, NewKey, new_key
from training_hub.catalogue.audit import record
from training_hub.catalogue.tables import ApiKey, Gateway
from training_hub.catalogue.types import utc_now

_ID = re.compile(ID_PATTERN.strip("^$"))
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PUBLIC_KEY = re.compile(r"[A-Za-z0-9+/]{43}=")


def principal_of(gateway: Gateway) -> GatewayPrincipal:
    """The principal of a gateway."""
    return GatewayPrincipal(gateway.id, gateway.site, gateway.name)


def find_gateway(session: Session, site: str, name: str) -> Gateway:
    """A gateway by its site and name.

    Raises:
        AccountError: There is none.
    """
    gateway = session.scalar(select(Gateway).where(Gateway.site == site, Gateway.name == name))
    if gateway is None:
        raise AccountError(f"there is no gateway {site}/{name}; training-hub gateways list shows them")
    return gateway


def all_gateways(session: Session) -> list[Gateway]:
    """Every gateway, by site and name."""
    return list(session.scalars(select(Gateway).order_by(Gateway.site, Gateway.name)))


def add_gateway(session: Session, site: str, name: str, *, ring: str = "main", by: str) -> Gateway:
    """Make a gateway known; it may send once it has a key or a certificate.

    Raises:
        AccountError: It is known already, or site, name or ring is no id.
    """
    for kind, value in (("site", site), ("gateway", name), ("ring", ring)):
        if not _ID.fullmatch(value):
            raise AccountError(
                f"{kind} {value!r}: 1 to 64 letters, digits, '_', '.' or '-', the first a letter or digit"
            )
    if session.scalar(select(Gateway.id).where(Gateway.site == site, Gateway.name == name)) is not None:
        raise AccountError(f"there is a gateway {site}/{name} already; new-key gives it another key")
    gateway = Gateway(site=site, name=name, ring=ring)
    session.add(gateway)
    session.flush()
    record(session, by, "gateway.add", f"gateway:{site}/{name}", {"ring": ring})
    return gateway


def new_gateway_key(session: Session, site: str, name: str, *, keep_old: bool = False, by: str) -> NewKey:
    """Another key; those before it end, unless they are to be kept while the gateway changes over."""
    gateway = find_gateway(session, site, name)
    if not keep_old:
        old = select(ApiKey).where(ApiKey.gateway_id == gateway.id, ApiKey.revoked_at.is_(None))
        for key in session.scalars(old):
            key.revoked_at = utc_now()
    made = new_key(GATEWAY_PREFIX)
    session.add(ApiKey(sha256=made.sha256, prefix=made.prefix, gateway_id=gateway.id))
    record(session, by, "gateway.key", f"gateway:{site}/{name}", {"prefix": made.prefix})
    return made


def set_certificate(session: Session, site: str, name: str, sha256: str | None, *, by: str) -> None:
    """Let a gateway come with a certificate.

    Raises:
        AccountError: No SHA-256, or another gateway's.
    """
    gateway = find_gateway(session, site, name)
    if sha256 is not None:
        sha256 = sha256.replace(":", "").lower()
        if not _SHA256.fullmatch(sha256):
            raise AccountError(f"{sha256!r} is no SHA-256 of a certificate; openssl x509 -fingerprint -sha256 shows it")
        other = session.scalar(select(Gateway).where(Gateway.certificate_sha256 == sha256, Gateway.id != gateway.id))
        if other is not None:
            raise AccountError(f"certificate {sha256} is that of {other.site}/{other.name}; each gateway has its own")
    gateway.certificate_sha256 = sha256
    record(session, by, "gateway.certificate", f"gateway:{site}/{name}", {"sha256": sha256})


def set_gateway_disabled(session: Session, site: str, name: str, disabled: bool, *, by: str) -> None:
    """Refuse a gateway, or let it send again."""
    find_gateway(session, site, name).disabled = disabled
    record(session, by, "gateway.disable" if disabled else "gateway.enable", f"gateway:{site}/{name}")


def set_ring(session: Session, site: str, name: str, ring: str, *, by: str) -> None:
    """Say in which ring a gateway gets new bundles."""
    gateway = find_gateway(session, site, name)
    if not _ID.fullmatch(ring):
        raise AccountError(f"ring {ring!r}: 1 to 64 letters, digits, '_', '.' or '-'")
    before, gateway.ring = gateway.ring, ring
    record(session, by, "gateway.ring", f"gateway:{site}/{name}", {"from": before, "to": ring})


def set_export_key(session: Session, site: str, name: str, key: str | None, *, by: str) -> None:
    """Say by which public key a gateway signs what it exports on a USB stick.

    Raises:
        AccountError: No Ed25519 public key.
    """
    gateway = find_gateway(session, site, name)
    if key is not None and not _PUBLIC_KEY.fullmatch(key):
        raise AccountError(
            f"{key!r} is no public key (32 bytes, base64); `edge-agent sync key` at the gateway shows it"
        )
    gateway.export_key = key
    record(session, by, "gateway.export_key", f"gateway:{site}/{name}", {"key": key})
