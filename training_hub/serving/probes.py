"""`/livez`, `/readyz`, `/metrics`: for the service manager, the load balancer and Prometheus."""

import logging

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response
from prometheus_client.exposition import choose_encoder
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from training_hub.accounts.gate import address_of
from training_hub.api.access import Parts, gate_of
from training_hub.config.server import is_loopback
from training_hub.errors import HubError
from training_hub.parts import HubParts
from training_hub.serving.companions import Companions

_log = logging.getLogger(__name__)

router = APIRouter(include_in_schema=False)


def readiness(parts: HubParts, companions: Companions) -> list[str]:
    """Why the hub cannot serve now; empty where it can."""
    reasons = [f"{name} has ended" for name in companions.dead()]
    try:
        with parts.database.transaction(writes=False) as session:
            session.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        _log.warning("not ready: the database does not answer: %s", error.__class__.__name__)
        reasons.append("the database does not answer")
    try:
        parts.objects.check()
    except HubError as error:
        _log.warning("not ready: %s", error)
        reasons.append("the object store does not answer")
    return reasons


@router.get("/livez")
async def livez() -> PlainTextResponse:
    """The event loop turns."""
    return PlainTextResponse("ok\n")


@router.get("/readyz")
def readyz(request: Request, parts: Parts) -> PlainTextResponse:
    """Database, store and what runs beside answer."""
    reasons = readiness(parts, request.app.state.companions)
    return PlainTextResponse("".join(f"{reason}\n" for reason in reasons) or "ok\n", 503 if reasons else 200)


@router.get("/metrics")
def metrics(request: Request, parts: Parts) -> Response:
    """Metrics, to this computer, and to whoever holds a person's key."""
    if not is_loopback(address_of(request)) and gate_of(request).person_or_none(request) is None:
        # an answer, not an error: those send a browser to the login page, and this is asked by programs
        return PlainTextResponse("metrics are shown to this computer, or with a person's key\n", 401)
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(parts.registry), headers={"Content-Type": content_type})
