"""People and gateways: what admins do."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from sqlalchemy import select
from starlette.responses import HTMLResponse, Response

from training_hub.accounts import gateways, people
from training_hub.accounts.passwords import Passwords
from training_hub.accounts.principal import Role
from training_hub.api.access import Admin, Parts
from training_hub.catalogue.tables import ApiKey, User
from training_hub.catalogue.types import utc_now
from training_hub.web.errors import WebError
from training_hub.web.queries.fleet import list_gateways
from training_hub.web.render import go_to, page

router = APIRouter(include_in_schema=False)

_LEAST_PASSWORD = 12
Name = Annotated[str, Form(min_length=1, max_length=64)]
ROLES = tuple(role.name.lower() for role in Role)
RoleWord = Annotated[Literal["viewer", "operator", "engineer", "admin"], Form()]


@router.get("/people")
def show_people(request: Request, parts: Parts, person: Admin) -> HTMLResponse:
    """Everybody with an account."""
    with parts.database.transaction(writes=False) as session:
        users = list(session.scalars(select(User).order_by(User.disabled, User.name)))
        keys: dict[int, list[str]] = {}
        valid = select(ApiKey.user_id, ApiKey.prefix).where(ApiKey.revoked_at.is_(None), ApiKey.user_id.is_not(None))
        for user_id, prefix in session.execute(valid.order_by(ApiKey.id)):
            keys.setdefault(user_id or 0, []).append(prefix)
    return page(request, "hub/people.html", person, users=users, keys=keys, roles=ROLES, least=_LEAST_PASSWORD)


@router.post("/people")
def add_person(
    parts: Parts,
    person: Admin,
    *,
    name: Name,
    role: RoleWord,
    password: Annotated[str, Form(min_length=_LEAST_PASSWORD, max_length=256)],
) -> Response:
    """Make an account."""
    password_hash = Passwords().hash(password)
    with parts.database.transaction() as session:
        people.add_user(session, name, people.role_of(role), password_hash=password_hash, by=person.actor)
    return go_to("/people")


@router.post("/people/{name}/role")
def change_role(parts: Parts, person: Admin, name: str, role: RoleWord) -> Response:
    """Give another role."""
    if name == person.name:
        raise WebError("your own role is another admin's to change: else nobody may be left who can")
    with parts.database.transaction() as session:
        people.set_role(session, name, people.role_of(role), by=person.actor)
    return go_to("/people")


@router.post("/people/{name}/password")
def change_password(
    parts: Parts,
    person: Admin,
    name: str,
    password: Annotated[str, Form(min_length=_LEAST_PASSWORD, max_length=256)],
) -> Response:
    """Set another password; whoever is signed in with the old one is signed out."""
    password_hash = Passwords().hash(password)
    with parts.database.transaction() as session:
        people.set_password(session, name, password_hash, by=person.actor)
    return go_to("/people")


@router.post("/people/{name}/{deed}")
def shut_or_open(parts: Parts, person: Admin, name: str, deed: Literal["disable", "enable"]) -> Response:
    """Shut an account, or open it again."""
    if name == person.name:
        raise WebError("your own account is another admin's to shut")
    with parts.database.transaction() as session:
        people.set_disabled(session, name, deed == "disable", by=person.actor)
    return go_to("/people")


@router.post("/people/{name}/keys/new")
def new_person_key(request: Request, parts: Parts, person: Admin, name: str) -> HTMLResponse:
    """A key for a person's scripts, shown this once."""
    with parts.database.transaction() as session:
        key = people.add_key(session, name, by=person.actor)
    return page(request, "hub/key.html", person, whose=name, key=key.text)


@router.post("/people/{name}/keys/revoke")
def revoke_person_keys(parts: Parts, person: Admin, name: str) -> Response:
    """End all keys of a person."""
    with parts.database.transaction() as session:
        people.revoke_keys(session, name, prefix=None, by=person.actor)
    return go_to("/people")


@router.get("/gateways")
def show_gateways(request: Request, parts: Parts, person: Admin) -> HTMLResponse:
    """Every gateway that may send."""
    with parts.database.transaction(writes=False) as session:
        rows = list_gateways(session, utc_now())
    rows.sort(key=lambda row: (row.gateway.site, row.gateway.name))
    return page(request, "hub/gateways.html", person, rows=rows)


@router.post("/gateways")
def add_gateway(
    request: Request,
    parts: Parts,
    person: Admin,
    *,
    site: Name,
    name: Name,
    ring: Annotated[Literal["main", "canary"], Form()] = "main",
) -> HTMLResponse:
    """Make a gateway known, with a key that is shown this once."""
    with parts.database.transaction() as session:
        gateways.add_gateway(session, site, name, ring=ring, by=person.actor)
        key = gateways.new_gateway_key(session, site, name, by=person.actor)
    return page(request, "hub/key.html", person, whose=f"{site}/{name}", key=key.text)


@router.post("/gateways/{site}/{name}/key")
def new_gateway_key(request: Request, parts: Parts, person: Admin, site: str, name: str) -> HTMLResponse:
    """Another key; those before it end."""
    with parts.database.transaction() as session:
        key = gateways.new_gateway_key(session, site, name, by=person.actor)
    return page(request, "hub/key.html", person, whose=f"{site}/{name}", key=key.text)


@router.post("/gateways/{site}/{name}/ring")
def change_ring(
    parts: Parts, person: Admin, site: str, name: str, ring: Annotated[Literal["main", "canary"], Form()]
) -> Response:
    """Put a gateway into another ring."""
    with parts.database.transaction() as session:
        gateways.set_ring(session, site, name, ring, by=person.actor)
    return go_to("/gateways")


@router.post("/gateways/{site}/{name}/{deed}")
def refuse_or_admit(parts: Parts, person: Admin, site: str, name: str, deed: Literal["disable", "enable"]) -> Response:
    """Refuse a gateway, or let it send again."""
    with parts.database.transaction() as session:
        gateways.set_gateway_disabled(session, site, name, deed == "disable", by=person.actor)
    return go_to("/gateways")
