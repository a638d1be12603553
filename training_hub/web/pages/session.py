"""Signing in and out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from edge_agent.sync.wire import API_PREFIX
from training_hub.accounts.cookies import clear_session, session_secret, set_session
from training_hub.accounts.desk import TooOftenError
from training_hub.accounts.errors import AccountError
from training_hub.accounts.visits import close_visit
from training_hub.api.access import Address, Parts, Viewer, gate_of
from training_hub.catalogue.audit import record
from training_hub.parts import HubParts
from training_hub.web.render import go_to, page

router = APIRouter(include_in_schema=False)


def own_path(to: str) -> str:
    """Where to go after signing in: a path of this hub, or the first page.

    >>> own_path("/alarms?site=a"), own_path("//elsewhere.example"), own_path("https://elsewhere.example")
    ('/alarms?site=a', '/clips', '/clips')
    """
    plain = to.startswith("/") and not to.startswith("//") and "\\" not in to and to.isprintable()
    return to if plain and not to.startswith("/sign-") else "/clips"


def _provider(parts: HubParts) -> str:
    """Where signing in by the organisation's account begins; empty where there is none."""
    return f"{API_PREFIX}/session/oidc" if parts.settings.accounts.oidc.issuer else ""


@router.get("/sign-in")
def sign_in_page(request: Request, parts: Parts, to: Annotated[str, Query(max_length=2048)] = "/clips") -> HTMLResponse:
    """The form."""
    return page(request, "sign_in.html", None, to=own_path(to), name="", reason="", oidc=_provider(parts))


@router.post("/sign-in")
def sign_in(
    request: Request,
    parts: Parts,
    address: Address,
    *,
    name: Annotated[str, Form(max_length=64)],
    password: Annotated[str, Form(max_length=256)],
    to: Annotated[str, Form(max_length=2048)] = "/clips",
) -> Response:
    """Begin a visit. Only a form of this hub may ask for it: else another site could sign somebody in as itself."""
    gate = gate_of(request)
    gate.check_origin(request)
    try:
        _, visit = gate.desk.log_in(name, password, address=address, old_secret=session_secret(request))
    except AccountError as error:
        status = 429 if isinstance(error, TooOftenError) else 401
        reason = str(error)[:1].upper() + str(error)[1:] + "."
        return page(
            request, "sign_in.html", None, status, to=own_path(to), name=name, reason=reason, oidc=_provider(parts)
        )
    answer = RedirectResponse(own_path(to), status_code=303)
    set_session(request, answer, visit)
    return answer


@router.post("/sign-out")
def sign_out(request: Request, parts: Parts, person: Viewer, address: Address) -> Response:
    """End the visit."""
    secret = session_secret(request)
    if secret is not None:
        with parts.database.transaction() as session:
            close_visit(session, secret)
            record(session, person.actor, "session.close", f"user:{person.name}", address=address)
    answer = go_to("/sign-in")
    clear_session(request, answer)
    return answer
