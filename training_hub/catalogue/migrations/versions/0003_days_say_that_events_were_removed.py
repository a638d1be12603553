"""Days of machines say that events of theirs were removed for their age."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply it."""
    with op.batch_alter_table("machine_days", schema=None) as batch_op:
        batch_op.add_column(sa.Column("events_removed", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    """Take it back."""
    with op.batch_alter_table("machine_days", schema=None) as batch_op:
        batch_op.drop_column("events_removed")
