"""Login by an identity provider: OpenID Connect, authorisation code with PKCE."""

import hmac
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
from authlib.common.errors import AuthlibBaseError
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from sqlalchemy import select
from sqlalchemy.orm import Session

from training_hub.accounts.errors import AccountError
from training_hub.accounts.people import add_user, role_of
from training_hub.accounts.principal import Role
from training_hub.accounts.secrets import new_secret
from training_hub.catalogue.audit import record
from training_hub.catalogue.tables import User
from training_hub.config.oidc import OidcSection
from training_hub.config.server import is_loopback

if TYPE_CHECKING:
    from authlib.integrations.httpx_client import OAuth2Client

_TIMEOUT_S = 10.0
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"]
_LEEWAY_S = 60


@dataclass(frozen=True, slots=True)
class Pending:
    """A login that is under way; it waits in a cookie of the browser that began it."""

    state: str
    nonce: str
    verifier: str

    def to_cookie(self) -> str:
        """As the cookie holds it."""
        return f"{self.state}.{self.nonce}.{self.verifier}"


def pending_of(cookie: str | None) -> Pending | None:
    """Back from `Pending.to_cookie`; None for what is none."""
    parts = (cookie or "").split(".")
    return Pending(*parts) if len(parts) == 3 and all(parts) else None


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom the provider vouches for.

    Attributes:
        subject: Issuer and subject: what the account is found by.
        name: For people to read.
        role: By the mapping of the settings.
    """

    subject: str
    name: str
    role: Role


class OidcProvider:
    """One identity provider; what it says of itself is fetched when it is first needed. Any thread.

    Args:
        section: Of the settings, with an issuer.
        environ: The environment, for the secret as a systemd credential.

    Raises:
        AccountError: The issuer is reached in the clear.
        SecretFileError: The secret cannot be read.
    """

    def __init__(self, section: OidcSection, environ: Mapping[str, str]) -> None:
        assert section.issuer is not None
        self._section = section
        self._issuer = section.issuer
        _check_encrypted(section.issuer)
        file = section.client_secret_file
        self._secret = None if file is None else file.read(environ).get_secret_value()
        self._lock = threading.Lock()
        self._about: dict[str, Any] | None = None
        self._keys: KeySet | None = None

    def begin(self, redirect_uri: str) -> tuple[str, Pending]:
        """Where to send the browser, and what it must bring back.

        Raises:
            AccountError: The provider cannot be reached.
        """
        pending = Pending(new_secret(), new_secret(), new_secret())
        with self._client(redirect_uri) as client:
            url, _ = client.create_authorization_url(
                self._told("authorization_endpoint"),
                state=pending.state,
                nonce=pending.nonce,
                code_verifier=pending.verifier,
            )
        return str(url), pending

    def finish(self, code: str, state: str, pending: Pending, redirect_uri: str) -> Identity:
        """Who has logged in there.

        Raises:
            AccountError: It is not the login that was begun, the provider refuses it or cannot be trusted, or the
                person has no role here.
        """
        if not hmac.compare_digest(state.encode(), pending.state.encode()):
            raise AccountError("this is not the login that was begun in this browser; begin again")
        try:
            with self._client(redirect_uri) as client:
                token = client.fetch_token(
                    self._told("token_endpoint"),
                    code=code,
                    code_verifier=pending.verifier,
                    grant_type="authorization_code",
                )
        except (AuthlibBaseError, httpx.HTTPError, ValueError) as error:
            raise AccountError(f"the identity provider refuses the login: {type(error).__name__}") from error
        return self._identity(self._claims(str(token.get("id_token", "")), pending.nonce))

    def _claims(self, id_token: str, nonce: str) -> dict[str, Any]:
        registry = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY_S,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": self._section.client_id or ""},
            exp={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        for fresh in (False, True):  # the provider may have changed its keys since they were fetched
            try:
                token = jwt.decode(id_token, self._key_set(fresh=fresh), algorithms=_ALGORITHMS)
                registry.validate(token.claims)
            except (JoseError, ValueError) as error:
                if fresh:
                    raise AccountError(f"the identity provider's token is not valid: {error}") from error
                continue
            return dict(token.claims)
        raise AssertionError("unreachable")

    def _identity(self, claims: dict[str, Any]) -> Identity:
        name = claims.get(self._section.name_claim)
        if not isinstance(name, str) or not name:
            raise AccountError(
                f"the identity provider tells no {self._section.name_claim}; set accounts.oidc.name_claim"
            )
        said = claims.get(self._section.role_claim)
        values = {said} if isinstance(said, str) else {one for one in said or () if isinstance(one, str)}
        roles = [role_of(mapping.role) for mapping in self._section.roles if mapping.claim in values]
        if not roles and self._section.default_role is not None:
            roles = [role_of(self._section.default_role)]
        if not roles:
            raise AccountError(f"{name} has no role here; map a value of {self._section.role_claim} to one")
        return Identity(f"{self._issuer}#{claims['sub']}"[:255], name, max(roles))

    def _client(self, redirect_uri: str) -> "OAuth2Client":
        # for those who have a provider: it complains of httpx as it is imported
        from authlib.integrations.httpx_client import OAuth2Client  # noqa: PLC0415

        return OAuth2Client(
            client_id=self._section.client_id,
            client_secret=self._secret,
            token_endpoint_auth_method="none" if self._secret is None else "client_secret_basic",
            scope=self._section.scopes,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            timeout=_TIMEOUT_S,
        )

    def _told(self, key: str) -> str:
        with self._lock:
            if self._about is None:
                about = _fetch(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
                if about.get("issuer") != self._issuer:
                    raise AccountError(
                        f"{self._issuer} calls itself {about.get('issuer')!r}; set accounts.oidc.issuer so"
                    )
                self._about = about
            url = self._about.get(key)
        if not isinstance(url, str):
            raise AccountError(f"the identity provider tells no {key}")
        _check_encrypted(url)
        return url

    def _key_set(self, *, fresh: bool) -> KeySet:
        url = self._told("jwks_uri")
        with self._lock:
            if fresh or self._keys is None:
                self._keys = KeySet.import_key_set(_fetch(url))  # type: ignore[arg-type]  # checked by joserfc
            return self._keys


def sign_in(session: Session, identity: Identity, *, address: str) -> User:
    """The account of a person whom the provider vouches for, made at the first login; its role follows the provider.

    Raises:
        AccountError: The account is shut, or a local one has the name.
    """
    user = session.scalar(select(User).where(User.oidc_subject == identity.subject))
    role = identity.role.name.lower()
    if user is None:
        user = add_user(session, identity.name, identity.role, password_hash=None, by="hub")
        user.oidc_subject = identity.subject
    if user.disabled:
        raise AccountError(f"the account {user.name} is shut")
    if user.role != role:
        record(session, "hub", "user.role", f"user:{user.name}", {"from": user.role, "to": role, "by": "oidc"}, address)
        user.role = role
    return user


def _fetch(url: str) -> dict[str, Any]:
    try:
        answer = httpx.get(url, timeout=_TIMEOUT_S, follow_redirects=False)
        answer.raise_for_status()
        found = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise AccountError(f"the identity provider does not answer at {url}: {type(error).__name__}") from error
    if not isinstance(found, dict):
        raise AccountError(f"the identity provider answers at {url} with something else than an object")
    return found


def _check_encrypted(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise AccountError(f"the identity provider {url} is reached in the clear; use https")
