"""Finds out who asks: a session's cookie, a key, a client certificate."""

import hmac
import time
from urllib.parse import urlsplit

from fastapi import HTTPException, Request, status

from training_hub.accounts.certificate import STATE_KEY
from training_hub.accounts.cookies import session_secret
from training_hub.accounts.desk import LoginDesk
from training_hub.accounts.keys import gateway_by_certificate, gateway_by_key, person_by_key
from training_hub.accounts.people import person_of
from training_hub.accounts.principal import GatewayPrincipal, Person
from training_hub.accounts.rates import Rates
from training_hub.accounts.secrets import digest
from training_hub.accounts.visits import find_visit
from training_hub.catalogue.database import Database
from training_hub.config.settings import HubSettings

CSRF_HEADER = "X-CSRF-Token"
_REMEMBERED_S = 10.0
_MOST_REMEMBERED = 4096
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class Gate:
    """Tells requests' principals; a request that is nobody's is answered 401, one too many 429.

    Args:
        database: With accounts, keys and sessions.
        settings: The hub's.
    """

    def __init__(self, database: Database, settings: HubSettings) -> None:
        self._database = database
        self._public_url = settings.server.public_url
        self._rates = Rates(settings.accounts)
        self._good: dict[str, float] = {}
        self.desk = LoginDesk(database, settings.accounts, self._rates)

    def person(self, request: Request) -> Person:
        """The person who asks.

        Raises:
            HTTPException: 401 nobody, 403 a change without its token or from another site, 429 too often.
        """
        person = self.person_or_none(request)
        if person is None:
            raise _nobody("log in, or send a person's key: Authorization: Bearer thk_...")
        return person

    def person_or_none(self, request: Request) -> Person | None:
        """The person who asks; None for nobody.

        Raises:
            HTTPException: 403 a change without its token or from another site, 429 too often.
        """
        key = _bearer(request)
        secret = session_secret(request)
        if key is None and secret is None:
            return None
        if key is not None:
            with self._database.reading() as connection:
                person = person_by_key(connection, key)
        else:
            assert secret is not None
            with self._database.transaction(writes=False) as session:
                visit = find_visit(session, secret)
                person = None if visit is None else person_of(visit.user)
                if visit is not None and request.method not in _SAFE_METHODS:
                    self.check_origin(request)
                    _check_token(request, visit.csrf_token)
        if person is not None:
            _within_bounds(self._rates.person(person.user_id))
        return person

    def gateway(self, request: Request) -> GatewayPrincipal:
        """The gateway that asks.

        Raises:
            HTTPException: 401 none, 429 too often.
        """
        key = _bearer(request)
        certificate = getattr(request.state, STATE_KEY, None)
        gateway = None
        if key is not None or certificate is not None:
            with self._database.reading() as connection:
                if key is not None:
                    gateway = gateway_by_key(connection, key)
                elif certificate is not None:
                    gateway = gateway_by_certificate(connection, certificate)
        if key is not None:
            self._remember(key, is_good=gateway is not None)
        if gateway is None:
            raise _nobody("send the gateway's key (Authorization: Bearer thg_...) or come with its certificate")
        _within_bounds(self._rates.gateway(gateway.gateway_id))
        return gateway

    def knew(self, request: Request) -> bool:
        """Whether the request's key was a gateway's a moment ago: enough to receive what is asked for again later."""
        key = _bearer(request)
        return key is not None and self._good.get(digest(key), 0.0) > time.monotonic()

    def _remember(self, key: str, *, is_good: bool) -> None:
        sha256 = digest(key)
        if not is_good:
            self._good.pop(sha256, None)
            return
        if len(self._good) >= _MOST_REMEMBERED:
            self._good.clear()
        self._good[sha256] = time.monotonic() + _REMEMBERED_S

    def check_origin(self, request: Request) -> None:
        """Refuse what another site's page had the browser send.

        Raises:
            HTTPException: 403.
        """
        own = {f"{request.url.scheme}://{request.headers.get('host', '')}", self._public_url}
        origin = request.headers.get("origin")
        if origin is None and (referer := request.headers.get("referer")) is not None:
            parts = urlsplit(referer)
            origin = f"{parts.scheme}://{parts.netloc}"
        if (origin is not None and origin not in own) or request.headers.get("sec-fetch-site") == "cross-site":
            raise HTTPException(status.HTTP_403_FORBIDDEN, "the request comes from a page of another site")


def address_of(request: Request) -> str:
    """Where a request came from, for the audit log and the counting of attempts."""
    return request.client.host[:64] if request.client is not None else "unknown"


def _check_token(request: Request, expected: str) -> None:
    sent = request.headers.get(CSRF_HEADER, "")
    if not hmac.compare_digest(sent.encode(), expected.encode()):
        raise HTTPException(
            status.HTTP_403_FORBIDDEN, f"{CSRF_HEADER} is missing or not this session's; GET /api/v1/session has it"
        )


def _bearer(request: Request) -> str | None:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else None


def _nobody(mend: str) -> HTTPException:
    return HTTPException(status.HTTP_401_UNAUTHORIZED, mend, headers={"WWW-Authenticate": "Bearer"})


def _within_bounds(wait_s: int) -> None:
    if wait_s:
        raise HTTPException(
            status.HTTP_429_TOO_MANY_REQUESTS,
            f"too many requests; go on in {wait_s} s",
            headers={"Retry-After": str(wait_s)},
        )
