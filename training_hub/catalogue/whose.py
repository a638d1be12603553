"""Whose alarms and events are: their gateways and machines, looked up once for a page."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from training_hub.catalogue.tables import Alarm, Event, Gateway, Machine


def owners(session: Session, rows: Sequence[Alarm] | Sequence[Event]) -> tuple[dict[int, Gateway], dict[int, str]]:
    """The gateways, and the names of the machines, of rows, by their numbers."""
    gateways = session.scalars(select(Gateway).where(Gateway.id.in_({row.gateway_id for row in rows}))).all()
    ids = {row.machine_id for row in rows if row.machine_id is not None}
    names = session.execute(select(Machine.id, Machine.name).where(Machine.id.in_(ids)))
    return {gateway.id: gateway for gateway in gateways}, dict(names.all())
