"""What a gateway's report changes, and what the gateway is told; within its caller's transaction."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from edge_agent.clips.sidecar import BundleName
from edge_agent.sync.wire import Assignment, GatewayReport
from training_hub.catalogue.tables import Gateway, Rollout, RolloutGateway
from training_hub.rollout import fleet
from training_hub.rollout.machine import GIVES_OUT, Member, RolloutState, Stage, covered
from training_hub.rollout.progress import LEFT
from training_hub.rollout.repository import TufRepository

_MOST_WITHDRAWN = 100


@dataclass(frozen=True, slots=True)
class Orders:
    """The part of `Instructions` that rollouts have a say in."""

    assignment: Assignment | None
    withdrawn: tuple[str, ...]


def take_report(
    session: Session, repository: TufRepository, gateway_id: int, report: GatewayReport, now: datetime
) -> Orders:
    """Take note of a report, take the step that follows from it, and say what the gateway is to run."""
    for rollout in _concerned(session, gateway_id, report):
        row = session.get(RolloutGateway, (rollout.id, gateway_id))
        before = fleet.progress_of(row)
        after = before.told(report, rollout.id, rollout.bundle.sha256, fleet.limits_of(rollout), now)
        if after != before:
            fleet.keep(session, rollout, gateway_id, after, now)
    session.flush()
    fleet.settle(session, now)
    session.flush()
    return Orders(_assignment(session, repository, gateway_id, report), _withdrawn(session, gateway_id))


def _concerned(session: Session, gateway_id: int, report: GatewayReport) -> list[Rollout]:
    """The rollout that gives out, those of which the gateway has something, and the one that it speaks of."""
    named = [] if report.update is None else [report.update.rollout]
    has = select(RolloutGateway.rollout_id).where(
        RolloutGateway.gateway_id == gateway_id, RolloutGateway.phase.not_in([*LEFT, "assigned"])
    )
    current = _giving_out(session)
    wanted = select(Rollout).where(Rollout.id.in_(has) | Rollout.id.in_(named)).order_by(Rollout.id)
    found = {rollout.id: rollout for rollout in session.scalars(wanted.with_for_update(of=Rollout))}
    if current is not None:
        found.setdefault(current.id, current)
    return list(found.values())


def _giving_out(session: Session) -> Rollout | None:
    """The newest rollout whose bundle gateways are to have."""
    wanted = select(Rollout).where(Rollout.stage.in_(GIVES_OUT)).order_by(Rollout.id.desc()).limit(1)
    return session.scalars(wanted.with_for_update(of=Rollout)).first()


def _assignment(
    session: Session, repository: TufRepository, gateway_id: int, report: GatewayReport
) -> Assignment | None:
    rollout, gateway = _giving_out(session), session.get(Gateway, gateway_id)
    if rollout is None or gateway is None or gateway.disabled or report.bundle.sha256 == rollout.bundle.sha256:
        return None
    progress = fleet.progress_of(session.get(RolloutGateway, (rollout.id, gateway_id)))
    member = Member(gateway.site, gateway.name, gateway.ring == fleet.CANARY_RING, progress)
    state: RolloutState = fleet.state_of(session, rollout, among=[member])
    target = repository.offers(rollout.bundle.sha256)
    if target is None or progress.phase in LEFT or not covered(state, member):
        return None
    may_take_over = not state.shadow_only and progress.compared(state.limits)
    return Assignment(
        rollout=rollout.id,
        target=target,
        bundle=BundleName(name=rollout.bundle.name, version=rollout.bundle.version, sha256=rollout.bundle.sha256),
        mode="active" if may_take_over else "shadow",
        shadow_windows=state.limits.shadow_windows,
    )


def _withdrawn(session: Session, gateway_id: int) -> tuple[str, ...]:
    """Rollouts that were taken back and of which the gateway has something still."""
    wanted = (
        select(Rollout.id)
        .join(RolloutGateway, RolloutGateway.rollout_id == Rollout.id)
        .where(
            Rollout.stage == Stage.ROLLED_BACK.value,
            RolloutGateway.gateway_id == gateway_id,
            RolloutGateway.phase.not_in([*LEFT, "assigned"]),
        )
        .order_by(Rollout.id.desc())
        .limit(_MOST_WITHDRAWN)
    )
    return tuple(session.scalars(wanted))
