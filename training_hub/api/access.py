"""What a route declares to be given the hub's parts and to know who asks.

@router.get("/clips")
def list_clips(parts: Parts, person: Viewer) -> ...
"""

from typing import Annotated

from fastapi import Depends, Request

from training_hub.accounts.principal import GatewayPrincipal, Person
from training_hub.parts import HubParts


def parts_of(request: Request) -> HubParts:
    """The hub's parts, from the app."""
    parts = request.app.state.parts
    assert isinstance(parts, HubParts)
    return parts


Parts = Annotated[HubParts, Depends(parts_of)]


# Placeholders of the contract: who asks is found out in `training_hub.accounts` (session cookie with CSRF token, key,
# client certificate); a lower role is answered 403, nobody 401.
def _nobody(request: Request) -> Person:
    raise NotImplementedError


def _no_gateway(request: Request) -> GatewayPrincipal:
    raise NotImplementedError


Viewer = Annotated[Person, Depends(_nobody)]
Operator = Annotated[Person, Depends(_nobody)]
Engineer = Annotated[Person, Depends(_nobody)]
Admin = Annotated[Person, Depends(_nobody)]
SendingGateway = Annotated[GatewayPrincipal, Depends(_no_gateway)]
