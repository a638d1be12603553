"""Clips that were imported are original data; all others came in since."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply it."""
    op.execute("UPDATE clips SET original = (1 = 1) WHERE origin = 'import'")


def downgrade() -> None:
    """Take it back: it was never set."""
    op.execute("UPDATE clips SET original = (1 = 0) WHERE origin = 'import'")
