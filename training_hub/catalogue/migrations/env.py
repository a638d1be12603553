"""Run by Alembic: migrates the connection it was handed; it opens none of its own."""

from typing import Any, Literal

import sqlalchemy as sa
from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection

from training_hub.catalogue.tables import Base
from training_hub.catalogue.types import UtcTime


def render_item(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:  # noqa: ANN401  # Alembic's
    """Migrations name plain types: the hub's own may move, what was migrated stays."""
    if kind == "type" and isinstance(item, UtcTime):
        return "sa.DateTime(timezone=True)"
    return False


def compare_type(
    _context: object, _inspected: object, _column: object, inspected_type: object, metadata_type: object
) -> bool | None:
    """`UtcTime` is kept as a plain time; all else as Alembic compares it."""
    return False if isinstance(metadata_type, UtcTime) and isinstance(inspected_type, sa.DateTime) else None


connection = context.config.attributes["connection"]
assert isinstance(connection, Connection)
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    render_item=render_item,
    compare_type=compare_type,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
