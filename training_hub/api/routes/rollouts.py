"""`/rollouts`: a bundle on its way to the gateways: begin, watch, go on, halt, take back."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from edge_agent.delivery.ulid import UlidFactory
from training_hub.api.access import Engineer, Parts, Viewer
from training_hub.api.refusals import address_of, refused
from training_hub.catalogue.tables import Gateway, Rollout, RolloutGateway, RolloutStep
from training_hub.rollout import fleet, orders
from training_hub.rollout.limits import Limits
from training_hub.rollout.machine import Member, covered
from training_hub.rollout.opening import repository_of
from training_hub.rollout.progress import Progress

router = APIRouter(prefix="/rollouts", tags=["rollout"])

_UlidPath = Annotated[str, Field(pattern=r"^[0-9A-HJKMNP-TV-Z]{26}$")]
_Why = Annotated[str, Field(min_length=3, max_length=1000, pattern=r"^[^\x00]*$")]


class RolloutRequest(BaseModel):
    """A rollout to begin.

    Attributes:
        bundle: Id of an approved bundle.
        why: For those who come after.
        shadow_only: No gateway takes it over before somebody lets the rollout go on.
        limits: What it is halted by; the defaults where nothing is said.
    """

    model_config = ConfigDict(extra="forbid")

    bundle: _UlidPath
    why: _Why
    shadow_only: bool = False
    limits: Limits = Limits()


class Reason(BaseModel):
    """Why, for those who come after."""

    model_config = ConfigDict(extra="forbid")

    why: _Why


class RolloutView(BaseModel):
    """A rollout.

    Attributes:
        id, bundle, name, version, sha256: Which, of what.
        stage, percentage, mode: Where it is.
        why: What brought it there.
        created_by, created_at, changed_at: Who began it, and when it came into this stage.
    """

    id: str
    bundle: str
    name: str
    version: str
    sha256: str
    stage: str
    percentage: int
    mode: str
    why: str
    created_by: str
    created_at: AwareDatetime
    changed_at: AwareDatetime


class GatewayView(BaseModel):
    """One gateway in a rollout.

    Attributes:
        site, gateway, ring: Which.
        reached: Whether the rollout has come to it.
        progress: How far it is, from its reports.
        objection: What speaks against the bundle there.
    """

    site: str
    gateway: str
    ring: str
    reached: bool
    progress: Progress
    objection: str | None


class StepView(BaseModel):
    """What happened, when, by whom, why."""

    at: AwareDatetime
    stage: str
    by: str
    why: str


class RolloutDetail(RolloutView):
    """A rollout with its gateways, its limits and its history, the oldest first."""

    limits: Limits
    gateways: list[GatewayView]
    steps: list[StepView]


@router.get("", summary="Rollouts, the newest first")
def list_rollouts(parts: Parts, _person: Viewer, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> list[RolloutView]:
    """At most `limit`."""
    with parts.database.transaction(writes=False) as session:
        found = session.scalars(select(Rollout).order_by(Rollout.id.desc()).limit(limit)).all()
        return [_view(rollout) for rollout in found]


@router.post("", status_code=201, summary="Begin a rollout")
def begin(parts: Parts, person: Engineer, request: Request, body: RolloutRequest) -> RolloutDetail:
    """With the canary gateways."""
    new_id = UlidFactory.of_this_computer()
    with refused(), parts.database.transaction() as session:
        rollout = orders.begin(
            session,
            repository_of(parts),
            body.bundle,
            body.limits,
            _order(person.actor, body.why, request),
            shadow_only=body.shadow_only,
            new_id=new_id,
        )
        session.flush()
        session.refresh(rollout)
        return _detail(session, rollout)


@router.get("/{rollout_id}", summary="One rollout, gateway by gateway")
def show(parts: Parts, _person: Viewer, rollout_id: _UlidPath) -> RolloutDetail:
    """With limits, gateways and history; to be asked again while it is under way."""
    with refused(), parts.database.transaction(writes=False) as session:
        return _detail(session, fleet.find(session, rollout_id, to_change=False))


@router.post("/{rollout_id}/advance", summary="Let it go on")
def advance(parts: Parts, person: Engineer, request: Request, rollout_id: _UlidPath, body: Reason) -> RolloutDetail:
    """From shadow to taking over, or to the next stage."""
    with refused(), parts.database.transaction() as session:
        return _detail(session, orders.advance(session, rollout_id, _order(person.actor, body.why, request)))


@router.post("/{rollout_id}/halt", summary="Give it to nobody new")
def halt(parts: Parts, person: Engineer, request: Request, rollout_id: _UlidPath, body: Reason) -> RolloutDetail:
    """Who runs it goes on."""
    with refused(), parts.database.transaction() as session:
        return _detail(session, orders.halt(session, rollout_id, _order(person.actor, body.why, request)))


@router.post("/{rollout_id}/roll_back", summary="Take it back everywhere")
def roll_back(parts: Parts, person: Engineer, request: Request, rollout_id: _UlidPath, body: Reason) -> RolloutDetail:
    """Every gateway that has it goes back to its last good bundle."""
    with refused(), parts.database.transaction() as session:
        return _detail(session, orders.roll_back(session, rollout_id, _order(person.actor, body.why, request)))


def _order(actor: str, why: str, request: Request) -> orders.Order:
    return orders.Order(by=actor, why=why, now=datetime.now(UTC), address=address_of(request))


def _view(rollout: Rollout) -> RolloutView:
    bundle = rollout.bundle
    return RolloutView(
        id=rollout.id,
        bundle=bundle.id,
        name=bundle.name,
        version=bundle.version,
        sha256=bundle.sha256,
        stage=rollout.stage,
        percentage=rollout.percentage,
        mode=rollout.mode,
        why=rollout.why,
        created_by=rollout.created_by,
        created_at=rollout.created_at,
        changed_at=rollout.changed_at,
    )


def _detail(session: Session, rollout: Rollout) -> RolloutDetail:
    session.flush()
    limits, state = fleet.limits_of(rollout), fleet.state_of(session, rollout, among=())
    known = session.scalars(select(RolloutGateway).where(RolloutGateway.rollout_id == rollout.id))
    rows = {row.gateway_id: row for row in known}
    gateways = []
    for gateway in session.scalars(select(Gateway).order_by(Gateway.site, Gateway.name)):
        progress = fleet.progress_of(rows.get(gateway.id))
        member = Member(gateway.site, gateway.name, gateway.ring == fleet.CANARY_RING, progress)
        gateways.append(
            GatewayView(
                site=gateway.site,
                gateway=gateway.name,
                ring=gateway.ring,
                reached=not gateway.disabled and covered(state, member),
                progress=progress,
                objection=progress.objection(limits),
            )
        )
    steps = session.scalars(select(RolloutStep).where(RolloutStep.rollout_id == rollout.id).order_by(RolloutStep.id))
    return RolloutDetail(
        **_view(rollout).model_dump(),
        limits=limits,
        gateways=gateways,
        steps=[StepView(at=step.at, stage=step.stage, by=step.by, why=step.why) for step in steps],
    )
