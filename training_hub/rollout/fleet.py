"""Rollouts in the catalogue: rows into the terms of the stages, and back; each call within its caller's transaction."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from training_hub.catalogue.audit import record
from training_hub.catalogue.tables import Gateway, Rollout, RolloutGateway, RolloutStep
from training_hub.rollout.errors import MissingError, RolloutError
from training_hub.rollout.limits import Limits
from training_hub.rollout.machine import UNDER_WAY, Member, RolloutState, Stage, Step, decide
from training_hub.rollout.progress import Progress

CANARY_RING = "canary"
SHADOW = "shadow"
HUB = "hub"


def find(session: Session, rollout_id: str, *, to_change: bool = True) -> Rollout:
    """A rollout; locked against other decisions until the transaction ends, where it is to change.

    Raises:
        MissingError: There is none.
    """
    found = session.get(Rollout, rollout_id, with_for_update={"of": Rollout} if to_change else None)
    if found is None:
        raise MissingError(f"there is no rollout {rollout_id}")
    return found


def under_way(session: Session) -> Rollout | None:
    """The rollout that is neither done nor stopped; there is one at most."""
    wanted = select(Rollout).where(Rollout.stage.in_(UNDER_WAY)).order_by(Rollout.id.desc()).limit(1)
    return session.scalars(wanted.with_for_update(of=Rollout)).first()


def limits_of(rollout: Rollout) -> Limits:
    """What it is halted by.

    Raises:
        RolloutError: They are those of another version of the hub.
    """
    try:
        return Limits.model_validate(rollout.limits)
    except ValidationError as error:
        raise RolloutError(f"rollout {rollout.id}: its limits cannot be read; halt it and begin another") from error


def progress_of(row: RolloutGateway | None) -> Progress:
    """How far a gateway is; at the beginning where nothing is known."""
    return Progress() if row is None or row.report is None else Progress.model_validate(row.report)


def keep(session: Session, rollout: Rollout, gateway_id: int, progress: Progress, now: datetime) -> None:
    """Write how far a gateway is."""
    row = session.get(RolloutGateway, (rollout.id, gateway_id))
    if row is None:
        row = RolloutGateway(rollout_id=rollout.id, gateway_id=gateway_id, assigned_at=now)
        session.add(row)
    row.phase, row.report, row.reported_at = progress.phase, progress.model_dump(mode="json"), progress.reported_at


def members(session: Session, rollout: Rollout) -> tuple[Member, ...]:
    """Every gateway that is not disabled, in order of site and name."""
    known = session.scalars(select(RolloutGateway).where(RolloutGateway.rollout_id == rollout.id))
    rows = {row.gateway_id: row for row in known}
    wanted = select(Gateway).where(Gateway.disabled.is_(False)).order_by(Gateway.site, Gateway.name)
    return tuple(
        Member(gateway.site, gateway.name, gateway.ring == CANARY_RING, progress_of(rows.get(gateway.id)))
        for gateway in session.scalars(wanted)
    )


def state_of(session: Session, rollout: Rollout, among: Sequence[Member] | None = None) -> RolloutState:
    """A rollout in the terms of its stages."""
    return RolloutState(
        id=rollout.id,
        stage=Stage(rollout.stage),
        percentage=rollout.percentage,
        shadow_only=rollout.mode == SHADOW,
        entered_at=rollout.changed_at,
        limits=limits_of(rollout),
        members=tuple(members(session, rollout) if among is None else among),
    )


def settle(session: Session, now: datetime) -> Rollout | None:
    """Take the step that is due; returns the rollout that took one."""
    rollout = under_way(session)
    if rollout is None:
        return None
    step = decide(state_of(session, rollout), now)
    if step is None:
        return None
    take(session, rollout, step, by=HUB, now=now)
    return rollout


def take(session: Session, rollout: Rollout, step: Step, *, by: str, now: datetime, address: str | None = None) -> None:
    """Enter a stage, and say so in the rollout's history and in the audit log."""
    former = rollout.stage
    rollout.stage, rollout.percentage, rollout.why = step.stage.value, step.percentage, step.why
    rollout.changed_at = now
    note(session, rollout, by=by, why=step.why, now=now)
    record(
        session,
        by,
        f"rollout.{step.stage.value}",
        f"rollout:{rollout.id}",
        {"from": former, "percentage": step.percentage, "why": step.why},
        address,
    )


def note(session: Session, rollout: Rollout, *, by: str, why: str, now: datetime) -> None:
    """One line of the rollout's history."""
    stage = rollout.stage if rollout.stage != Stage.PERCENTAGE else f"{rollout.percentage} %"
    session.add(RolloutStep(rollout_id=rollout.id, at=now, stage=stage, by=by, why=why))
