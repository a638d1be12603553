"""What people order: begin, go on, halt, take back; each call within its caller's transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from training_hub.catalogue.audit import record
from training_hub.catalogue.tables import Bundle, Gateway, Rollout
from training_hub.rollout import fleet
from training_hub.rollout.errors import MissingError, RolloutError
from training_hub.rollout.limits import Limits
from training_hub.rollout.machine import UNDER_WAY, Stage, Step, following
from training_hub.rollout.repository import TufRepository

ACTIVE = "active"


@dataclass(frozen=True, slots=True)
class Order:
    """Who orders, why, and when.

    Attributes:
        by: The actor.
        why: In their words; never empty, for it is what the next shift reads.
        now: Wall time.
        address: Where the request came from.
    """

    by: str
    why: str
    now: datetime
    address: str | None = None


def begin(
    session: Session,
    repository: TufRepository,
    bundle_id: str,
    limits: Limits,
    order: Order,
    *,
    shadow_only: bool,
    new_id: Callable[[], str],
) -> Rollout:
    """Begin with the canaries.

    Raises:
        RolloutError: Another one is under way, nobody approved the bundle, or there is no canary.
    """
    bundle = session.get(Bundle, bundle_id)
    if bundle is None:
        raise MissingError(f"there is no bundle {bundle_id}")
    if (other := fleet.under_way(session)) is not None:
        raise RolloutError(f"rollout {other.id} is under way ({other.stage}); wait for its end, or halt it")
    if bundle.state == "retired" or repository.offers(bundle.sha256) is None:
        raise RolloutError(
            f"bundle {bundle.name} {bundle.version} ({bundle.state}) is not among the signed targets, or retired; "
            f"an approver runs: training-hub publish approve {bundle.id}"
        )
    canaries = select(Gateway.id).where(Gateway.ring == fleet.CANARY_RING, Gateway.disabled.is_(False)).limit(1)
    if session.scalars(canaries).first() is None:
        raise RolloutError("no gateway is in the ring 'canary'; put the one there that can best bear a bad bundle")
    rollout = Rollout(
        id=new_id(),
        bundle_id=bundle.id,
        stage=Stage.CANARY.value,
        percentage=0,
        mode=fleet.SHADOW if shadow_only else ACTIVE,
        limits=limits.model_dump(mode="json"),
        why=order.why,
        created_by=order.by,
        created_at=order.now,
        changed_at=order.now,
    )
    session.add(rollout)
    session.flush()
    _enter(session, rollout, Step(Stage.CANARY, 0, order.why), order)
    return rollout


def advance(session: Session, rollout_id: str, order: Order) -> Rollout:
    """Go on by hand: from shadow to taking over, or to the next stage.

    Raises:
        RolloutError: It is over, or there is none.
    """
    rollout = fleet.find(session, rollout_id)
    if rollout.mode == fleet.SHADOW and rollout.stage in UNDER_WAY:
        rollout.mode = ACTIVE
        _enter(session, rollout, Step(Stage(rollout.stage), rollout.percentage, order.why), order)
        return rollout
    step = following(fleet.state_of(session, rollout), order.why)
    if step is None:
        raise RolloutError(f"rollout {rollout.id} is {rollout.stage}; it goes no further: begin another")
    _enter(session, rollout, step, order)
    return rollout


def halt(session: Session, rollout_id: str, order: Order) -> Rollout:
    """Give it to nobody new; who runs it goes on.

    Raises:
        RolloutError: It is over, or there is none.
    """
    rollout = fleet.find(session, rollout_id)
    if rollout.stage not in UNDER_WAY:
        raise RolloutError(f"rollout {rollout.id} is {rollout.stage}; there is nothing to halt")
    _enter(session, rollout, Step(Stage.HALTED, rollout.percentage, order.why), order)
    return rollout


def roll_back(session: Session, rollout_id: str, order: Order) -> Rollout:
    """Take it back from every gateway that has it, whatever its stage.

    Raises:
        RolloutError: It was taken back already, or there is none.
    """
    rollout = fleet.find(session, rollout_id)
    if rollout.stage == Stage.ROLLED_BACK:
        raise RolloutError(f"rollout {rollout.id} was rolled back already")
    _enter(session, rollout, Step(Stage.ROLLED_BACK, rollout.percentage, order.why), order)
    return rollout


def _enter(session: Session, rollout: Rollout, step: Step, order: Order) -> None:
    fleet.take(session, rollout, step, by=order.by, now=order.now, address=order.address)


def audit(session: Session, order: Order, action: str, subject: str, **detail: object) -> None:
    """What was done, in the transaction in which it was."""
    told = {"why": order.why, **detail} if order.why else dict(detail)
    record(session, order.by, action, subject, told, order.address)
