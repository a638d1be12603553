"""Turns a template and what it needs into an answer."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.responses import HTMLResponse, Response

from training_hub.accounts.cookies import csrf_token
from training_hub.accounts.gate import address_of
from training_hub.accounts.principal import Person, Role
from training_hub.catalogue.labelling import Deed
from training_hub.catalogue.types import utc_now
from training_hub.web import words
from training_hub.web.menu import menu_for

_TEMPLATES = Path(__file__).parent / "templates"


def make_environment(static: str) -> Environment:
    """The templates, with everything that they say values by. `static` is where files are served."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("said", "number", "percent", "size", "span", "utc", "short", "actor"):
        environment.filters[name] = getattr(words, name)
    environment.filters["options"] = lambda found, plain=False: [(w, w if plain else words.said(w)) for w in found]
    environment.filters["bundle_options"] = lambda found: [
        (b.sha256, f"{b.name} {b.version} ({b.state})") for b in found
    ]
    environment.filters["query"] = lambda pairs: urlencode([(k, v) for k, v in pairs if v not in (None, "")])
    environment.globals["static"] = static
    environment.globals["now"] = lambda: datetime.now(UTC)
    return environment


def page(request: Request, name: str, person: Person | None, status: int = 200, /, **context: object) -> HTMLResponse:
    """A page, or a part of one.

    Args:
        request: Asked by whom, from where.
        name: Of the template.
        person: Who looks; None on the page to sign in.
        status: Of HTTP.
        context: What the template needs besides.
    """
    environment: Environment = request.app.state.templates
    role = Role.VIEWER if person is None else person.role
    everywhere = {
        "person": person,
        "may": {"label": role >= Role.OPERATOR, "train": role >= Role.ENGINEER, "admin": role >= Role.ADMIN},
        "role": words.role_name(role),
        "menu": () if person is None else menu_for(role, request.url.path),
        "nonce": getattr(request.state, "nonce", ""),
        "csrf_token": csrf_token(request),
        "path": request.url.path,
    }
    return HTMLResponse(environment.get_template(name).render({**everywhere, **context}), status_code=status)


def is_part(request: Request) -> bool:
    """Whether htmx asks for a part of a page, and not for a page's restoration from its history."""
    return "hx-request" in request.headers and "hx-history-restore-request" not in request.headers


def deed_of(request: Request, person: Person) -> Deed:
    """Who does what was asked, for the audit log."""
    return Deed(person.actor, utc_now(), address_of(request))


def go_to(path: str) -> Response:
    """Sends the browser to a page after htmx changed something."""
    return Response(status_code=204, headers={"HX-Redirect": path})
