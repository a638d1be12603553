"""`/session`: log in, who am I, log out."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Request, Response, status
from pydantic import BaseModel, ConfigDict, Field

from training_hub.accounts.cookies import clear_session, session_secret, set_session
from training_hub.accounts.desk import TooOftenError
from training_hub.accounts.errors import AccountError
from training_hub.accounts.principal import Person
from training_hub.accounts.visits import close_visit, find_visit
from training_hub.api.access import Address, Parts, Viewer, gate_of
from training_hub.catalogue.audit import record

router = APIRouter(prefix="/session", tags=["session"])


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


def _view(person: Person, csrf_token: str | None) -> SessionView:
    return SessionView(name=person.name, role=person.role.name.lower(), csrf_token=csrf_token)
