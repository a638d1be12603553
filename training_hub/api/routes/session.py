"""`/session`: log in, who am I, log out."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response, status
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from edge_agent.sync.wire import API_PREFIX
from training_hub.accounts.cookies import clear_session, cookie_name, is_secure, session_secret, set_session
from training_hub.accounts.desk import TooOftenError
from training_hub.accounts.errors import AccountError
from training_hub.accounts.oidc import OidcProvider, pending_of, sign_in
from training_hub.accounts.principal import Person
from training_hub.accounts.visits import close_visit, find_visit, open_visit
from training_hub.api.access import Address, Parts, Viewer, gate_of
from training_hub.catalogue.audit import record

router = APIRouter(prefix="/session", tags=["session"])

_PENDING = "training_hub_oidc"
_PENDING_S = 600


class Credentials(BaseModel):
    """A name and its password."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=64)]
    password: Annotated[str, Field(min_length=1, max_length=256)]


class SessionView(BaseModel):
    """Who is logged in.

    Attributes:
        name, role: Who, and what they may.
        csrf_token: To be sent as X-CSRF-Token with every request that changes something; None with a key.
    """

    name: str
    role: str
    csrf_token: str | None = None


@router.post("", summary="Log in")
def log_in(credentials: Credentials, request: Request, response: Response, address: Address) -> SessionView:
    """Begin a session: the answer sets its cookies. 401 wrong, 429 too often."""
    gate = gate_of(request)
    gate.check_origin(request)
    try:
        person, visit = gate.desk.log_in(
            credentials.name, credentials.password, address=address, old_secret=session_secret(request)
        )
    except TooOftenError as error:
        raise HTTPException(
            status.HTTP_429_TOO_MANY_REQUESTS, str(error), headers={"Retry-After": str(error.wait_s)}
        ) from error
    except AccountError as error:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, str(error)) from error
    set_session(request, response, visit)
    return _view(person, visit.csrf_token)


@router.get("", summary="Who am I")
def who_am_i(request: Request, parts: Parts, person: Viewer) -> SessionView:
    """The person of the session or key."""
    secret = session_secret(request)
    token = None
    if secret is not None and "authorization" not in request.headers:
        with parts.database.transaction(writes=False) as session:
            visit = find_visit(session, secret)
            token = None if visit is None else visit.csrf_token
    return _view(person, token)


@router.delete("", status_code=status.HTTP_204_NO_CONTENT, summary="Log out")
def log_out(request: Request, response: Response, parts: Parts, person: Viewer, address: Address) -> None:
    """End the session; its cookies are taken back."""
    secret = session_secret(request)
    if secret is not None:
        with parts.database.transaction() as session:
            close_visit(session, secret)
            record(session, person.actor, "session.close", f"user:{person.name}", address=address)
    clear_session(request, response)


@router.get("/oidc", summary="Log in by the identity provider", response_class=RedirectResponse, status_code=302)
def begin_oidc(request: Request) -> RedirectResponse:
    """Send the browser to the identity provider; 404 where none is set."""
    provider = _provider_of(request)
    try:
        url, pending = provider.begin(_callback(request))
    except AccountError as error:
        raise HTTPException(status.HTTP_502_BAD_GATEWAY, str(error)) from error
    response = RedirectResponse(url, status.HTTP_302_FOUND)
    response.set_cookie(
        cookie_name(request, _PENDING),
        pending.to_cookie(),
        max_age=_PENDING_S,
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="lax",
    )
    return response


@router.get("/oidc/callback", summary="Back from the identity provider", status_code=303)
def finish_oidc(  # noqa: PLR0917  # FastAPI's
    request: Request,
    parts: Parts,
    address: Address,
    code: Annotated[str, Query(max_length=4096)] = "",
    state: Annotated[str, Query(max_length=512)] = "",
    error: Annotated[str, Query(max_length=256)] = "",
) -> RedirectResponse:
    """Begin a session for whom the provider vouches for, and go to the first page; 403 where it does not."""
    provider = _provider_of(request)
    pending = pending_of(request.cookies.get(cookie_name(request, _PENDING)))
    if pending is None or error or not code:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "the identity provider did not log you in; begin again")
    try:
        identity = provider.finish(code, state, pending, _callback(request))
        with parts.database.transaction() as session:
            user = sign_in(session, identity, address=address)
            if (old_secret := session_secret(request)) is not None:
                close_visit(session, old_secret)
            visit = open_visit(session, user, parts.settings.accounts.session_hours)
            record(session, f"user:{user.name}", "session.open", f"user:{user.name}", {"by": "oidc"}, address)
    except AccountError as refusal:
        raise HTTPException(status.HTTP_403_FORBIDDEN, str(refusal)) from refusal
    response = RedirectResponse("/", status.HTTP_303_SEE_OTHER)
    set_session(request, response, visit)
    response.delete_cookie(cookie_name(request, _PENDING), path="/", secure=is_secure(request), samesite="lax")
    return response


def _provider_of(request: Request) -> OidcProvider:
    provider = request.app.state.oidc
    if provider is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "no identity provider is set (accounts.oidc)")
    assert isinstance(provider, OidcProvider)
    return provider


def _callback(request: Request) -> str:
    base = request.app.state.parts.settings.server.public_url or str(request.base_url).rstrip("/")
    return f"{base}{API_PREFIX}/session/oidc/callback"


def _view(person: Person, csrf_token: str | None) -> SessionView:
    return SessionView(name=person.name, role=person.role.name.lower(), csrf_token=csrf_token)
