"""The machines of a gateway, made on first sight."""

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from training_hub.accounts.principal import GatewayPrincipal
from training_hub.catalogue.tables import Machine
from training_hub.catalogue.types import utc_now
from training_hub.intake.insert import insert_new

UNKNOWN_TYPE = "unknown"
"""Of a machine that only events told of so far: they do not say its type."""


def machines_for(session: Session, gateway: GatewayPrincipal, types: Mapping[str, str | None]) -> dict[str, Machine]:
    """The gateway's machines by name, made where they are not there.

    Args:
        session: A writing transaction.
        gateway: Who hears them; a machine belongs to the gateway that heard it last.
        types: Type by name; None where it is not said.
    """
    wanted = select(Machine).where(Machine.site == gateway.site, Machine.name.in_(list(types)))
    found = {machine.name: machine for machine in session.scalars(wanted)}
    missing = [name for name in types if name not in found]
    if missing:
        rows = [
            {
                "site": gateway.site,
                "name": name,
                "type": types[name] or UNKNOWN_TYPE,
                "gateway_id": gateway.gateway_id,
                "created_at": utc_now(),
            }
            for name in missing
        ]
        insert_new(session, Machine, rows, "name")
        found = {machine.name: machine for machine in session.scalars(wanted)}
    for name, machine in found.items():
        if machine.gateway_id != gateway.gateway_id:
            machine.gateway_id = gateway.gateway_id
        said = types[name]
        if said is not None and machine.type == UNKNOWN_TYPE:
            machine.type = said
    return found
