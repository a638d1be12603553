"""The machines of a gateway, made on first sight."""

from collections.abc import Mapping

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from training_hub.accounts.principal import GatewayPrincipal
from training_hub.catalogue.tables import Machine
from training_hub.catalogue.types import utc_now
from training_hub.intake.insert import insert_new

UNKNOWN_TYPE = "unknown"
"""Of a machine that only events told of so far: they do not say its type."""
_BY_NAME = select(Machine.id, Machine.name, Machine.type, Machine.gateway_id).where(
    Machine.site == bindparam("of_site"), Machine.name.in_(bindparam("names", expanding=True))
)


def machines_for(session: Session, gateway: GatewayPrincipal, types: Mapping[str, str | None]) -> dict[str, int]:
    """Ids of the gateway's machines by name, made where they are not there.

    Args:
        session: A writing transaction.
        gateway: Who hears them; a machine belongs to the gateway that heard it last.
        types: Type by name; None where it is not said.
    """
    # columns, no objects: every clip asks
    connection, asked = session.connection(), {"of_site": gateway.site, "names": list(types)}
    found = {row.name: row for row in connection.execute(_BY_NAME, asked)}
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
        found = {row.name: row for row in connection.execute(_BY_NAME, asked)}
    for name, row in found.items():
        said = types[name]
        changes: dict[str, int | str] = {}
        if row.gateway_id != gateway.gateway_id:
            changes["gateway_id"] = gateway.gateway_id
        if said is not None and row.type == UNKNOWN_TYPE:
            changes["type"] = said
        if changes:
            session.execute(update(Machine).where(Machine.id == row.id).values(**changes))
    return {name: row.id for name, row in found.items()}
