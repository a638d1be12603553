"""What a route declares to be given the hub's parts and to know who asks.

@router.get("/clips")
def list_clips(parts: Parts, person: Viewer) -> ...
"""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, HTTPException, Request, Security, status
from fastapi.security import APIKeyCookie, HTTPBearer

from training_hub.accounts.gate import Gate, address_of
from training_hub.accounts.principal import GatewayPrincipal, Person, Role
from training_hub.parts import HubParts


async def parts_of(request: Request) -> HubParts:
    """The hub's parts, from the app; async, for a plain function would cost a thread's turn."""
    parts = request.app.state.parts
    assert isinstance(parts, HubParts)
    return parts


def gate_of(request: Request) -> Gate:
    """What tells who asks, from the app."""
    gate = request.app.state.gate
    assert isinstance(gate, Gate)
    return gate


# These two only describe in OpenAPI how a request says whose it is; the gate reads it.
_KEY = Security(HTTPBearer(auto_error=False, scheme_name="key", description="thk_... a person's, thg_... a gateway's"))
_COOKIE = Security(
    APIKeyCookie(
        name="training_hub_session",
        auto_error=False,
        scheme_name="session",
        description="From POST /api/v1/session; with X-CSRF-Token on what changes something",
    )
)


def _person_with(role: Role) -> Callable[..., Person]:
    def person(request: Request, _key: Annotated[object, _KEY], _cookie: Annotated[object, _COOKIE]) -> Person:
        found = gate_of(request).person(request)
        if found.role < role:
            raise HTTPException(
                status.HTTP_403_FORBIDDEN,
                f"{found.name} is {found.role.name.lower()}; this takes {role.name.lower()}",
            )
        return found

    return person


def _person_or_none(request: Request) -> Person | None:
    return gate_of(request).person_or_none(request)


def _gateway(request: Request, _key: Annotated[object, _KEY]) -> GatewayPrincipal:
    return gate_of(request).gateway(request)


async def _address(request: Request) -> str:
    return address_of(request)


Parts = Annotated[HubParts, Depends(parts_of)]
Viewer = Annotated[Person, Depends(_person_with(Role.VIEWER))]
Operator = Annotated[Person, Depends(_person_with(Role.OPERATOR))]
Engineer = Annotated[Person, Depends(_person_with(Role.ENGINEER))]
Admin = Annotated[Person, Depends(_person_with(Role.ADMIN))]
MaybePerson = Annotated[Person | None, Depends(_person_or_none)]
"""Whoever asks, or None: for pages that send nobody to the login."""
SendingGateway = Annotated[GatewayPrincipal, Depends(_gateway)]
Address = Annotated[str, Depends(_address)]
"""Where the request came from, for the audit log."""
