"""The rollout board: where bundles are on their way to the gateways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, Response

from edge_agent.delivery.ulid import UlidFactory
from training_hub.accounts.gate import address_of
from training_hub.accounts.principal import Person
from training_hub.api.access import Engineer, Parts, Viewer
from training_hub.catalogue.tables import Bundle, Gateway, Rollout, RolloutGateway, RolloutStep
from training_hub.catalogue.types import utc_now
from training_hub.rollout import fleet, orders
from training_hub.rollout.errors import RolloutError
from training_hub.rollout.limits import Limits
from training_hub.rollout.machine import UNDER_WAY, Member, covered
from training_hub.rollout.opening import repository_of
from training_hub.rollout.progress import Progress
from training_hub.web.render import go_to, is_part, page

router = APIRouter(include_in_schema=False)

STAGES = ("canary", "percentage", "all", "done")
_MOST = 30
Why = Annotated[str, Form(min_length=3, max_length=1000)]
_new_id = UlidFactory.of_this_computer()


@dataclass(frozen=True, slots=True)
class GatewayLine:
    """A gateway in a rollout: whether it is reached, how far it is, and what speaks against the bundle there."""

    site: str
    name: str
    ring: str
    reached: bool
    progress: Progress
    objection: str | None


@dataclass(frozen=True, slots=True)
class Board:
    """A rollout with all that is known of it; `unreadable` says why its limits cannot be read."""

    rollout: Rollout
    limits: Limits | None
    gateways: list[GatewayLine]
    steps: list[RolloutStep]
    unreadable: str

    @property
    def is_under_way(self) -> bool:
        """Whether it may be let go on or halted."""
        return self.rollout.stage in UNDER_WAY


def board_of(session: Session, rollout: Rollout) -> Board:
    """Everything that the board shows of a rollout."""
    steps = session.scalars(select(RolloutStep).where(RolloutStep.rollout_id == rollout.id).order_by(RolloutStep.id))
    try:
        limits, state = fleet.limits_of(rollout), fleet.state_of(session, rollout, among=())
    except RolloutError as error:
        return Board(rollout, None, [], list(steps), str(error))
    known = session.scalars(select(RolloutGateway).where(RolloutGateway.rollout_id == rollout.id))
    rows = {row.gateway_id: row for row in known}
    lines = []
    for gateway in session.scalars(select(Gateway).order_by(Gateway.site, Gateway.name)):
        progress = fleet.progress_of(rows.get(gateway.id))
        member = Member(gateway.site, gateway.name, gateway.ring == fleet.CANARY_RING, progress)
        reached = not gateway.disabled and covered(state, member)
        lines.append(
            GatewayLine(gateway.site, gateway.name, gateway.ring, reached, progress, progress.objection(limits))
        )
    return Board(rollout, limits, lines, list(steps), "")


@router.get("/rollouts")
def rollouts(request: Request, parts: Parts, person: Viewer) -> HTMLResponse:
    """The one under way in full, the past ones as a list."""
    with parts.database.transaction(writes=False) as session:
        found = list(session.scalars(select(Rollout).order_by(Rollout.id.desc()).limit(_MOST)))
        current = next((one for one in found if one.stage in UNDER_WAY), None)
        board = None if current is None else board_of(session, current)
        approved = list(session.scalars(select(Bundle).where(Bundle.state == "approved").order_by(Bundle.id.desc())))
        canaries = session.scalars(select(Gateway.name).where(Gateway.ring == fleet.CANARY_RING)).all()
    template = "rollouts/board.html" if is_part(request) else "rollouts/page.html"
    context = {"board": board, "rollouts": found, "approved": approved, "canaries": canaries, "stages": STAGES}
    return page(request, template, person, **context)


@router.get("/rollouts/{rollout_id}")
def one_rollout(request: Request, parts: Parts, person: Viewer, rollout_id: str) -> HTMLResponse:
    """One rollout, past or under way."""
    with parts.database.transaction(writes=False) as session:
        board = board_of(session, fleet.find(session, rollout_id, to_change=False))
    return page(request, "rollouts/one.html", person, board=board, stages=STAGES)


@router.post("/rollouts")
def begin(
    request: Request,
    parts: Parts,
    person: Engineer,
    *,
    bundle: Annotated[str, Form(max_length=26)],
    why: Why,
    shadow_only: Annotated[bool, Form()] = False,
) -> Response:
    """Begin with the canary gateways."""
    with parts.database.transaction() as session:
        rollout = orders.begin(
            session,
            repository_of(parts),
            bundle,
            Limits(),
            _order(request, person, why),
            shadow_only=shadow_only,
            new_id=_new_id,
        )
        rollout_id = rollout.id
    return go_to(f"/rollouts/{rollout_id}")


@router.post("/rollouts/{rollout_id}/{deed}")
def steer(
    request: Request,
    parts: Parts,
    person: Engineer,
    rollout_id: str,
    deed: Literal["advance", "halt", "roll_back"],
    *,
    why: Why,
) -> Response:
    """Let a rollout go on, halt it, or take it back."""
    act = {"advance": orders.advance, "halt": orders.halt, "roll_back": orders.roll_back}[deed]
    with parts.database.transaction() as session:
        act(session, rollout_id, _order(request, person, why))
    return go_to(f"/rollouts/{rollout_id}")


def _order(request: Request, person: Person, why: str) -> orders.Order:
    return orders.Order(by=person.actor, why=why.strip(), now=utc_now(), address=address_of(request))
