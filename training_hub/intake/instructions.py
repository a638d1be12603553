"""A gateway's report, and what it is told in return: what to run, which labels people gave its clips."""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from edge_agent.delivery.fields import rfc3339
from edge_agent.sync.wire import MAX_EVENTS, GatewayReport, Instructions, SharedLabel
from training_hub.accounts.principal import GatewayPrincipal
from training_hub.catalogue.tables import Clip, Gateway
from training_hub.intake.errors import IntakeError, Refused
from training_hub.intake.machines import machines_for
from training_hub.rollout.answer import take_report as follow_rollouts
from training_hub.rollout.repository import TufRepository

_OVERLAP = timedelta(minutes=10)
"""Labels are told again for so long: an answer may get lost, and a label told twice changes nothing."""


def take_report(
    session: Session, repository: TufRepository, gateway: GatewayPrincipal, report: GatewayReport, now: datetime
) -> Instructions:
    """Keep a report, and say what the gateway is to do.

    Args:
        session: A writing transaction.
        repository: The signed metadata, for what gateways are told to run.
        gateway: Who sends it.
        report: What it says.
        now: The hub's clock.

    Raises:
        IntakeError: The report is of another gateway.
    """
    if (report.site, report.gateway) != (gateway.site, gateway.name):
        raise IntakeError(
            Refused.FORBIDDEN,
            f"the report is of {report.site}/{report.gateway}, its sender is {gateway.site}/{gateway.name}",
        )
    machines_for(session, gateway, {machine.id: machine.type for machine in report.machines})
    row = session.scalars(select(Gateway).where(Gateway.id == gateway.gateway_id).with_for_update()).one()
    labels = labels_since(session, gateway, row.last_seen_at)
    row.last_seen_at = now
    row.report = report.model_dump(mode="json")
    orders = follow_rollouts(session, repository, gateway.gateway_id, report, now)
    return Instructions(assignment=orders.assignment, withdrawn=orders.withdrawn, labels=labels)


def labels_since(session: Session, gateway: GatewayPrincipal, last_seen_at: datetime | None) -> tuple[SharedLabel, ...]:
    """Labels that people gave the gateway's clips at the hub since it was last told, the oldest first."""
    wanted = (
        select(Clip.id, Clip.label, Clip.labelled_by, Clip.labelled_at)
        .where(
            Clip.gateway_id == gateway.gateway_id,
            Clip.labelled_at.is_not(None),
            Clip.labelled_by.startswith("user:"),
            Clip.deleted_at.is_(None),
        )
        .order_by(Clip.labelled_at, Clip.id)
        .limit(MAX_EVENTS)
    )
    if last_seen_at is not None:
        wanted = wanted.where(Clip.labelled_at >= last_seen_at - _OVERLAP)
    return tuple(
        SharedLabel(clip=clip, label=label, operator=by.removeprefix("user:")[:128], at=_written(at))
        for clip, label, by, at in session.execute(wanted)
        if label is not None and by is not None and at is not None
    )


def _written(at: datetime) -> str:
    return rfc3339(round(at.timestamp() * 1e6) * 1000)
