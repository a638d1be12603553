"""Clips are listed by machine and score."""

from alembic import op

revision = "0002"
down_revision = "0001_all_tables"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply it."""
    with op.batch_alter_table("clips", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_clips_machine_heard"))
        batch_op.create_index("ix_clips_machine_listing", ["deleted_at", "machine_id", "heard_at", "id"], unique=False)
        batch_op.create_index("ix_clips_score_listing", ["deleted_at", "score", "id"], unique=False)


def downgrade() -> None:
    """Take it back."""
    with op.batch_alter_table("clips", schema=None) as batch_op:
        batch_op.drop_index("ix_clips_score_listing")
        batch_op.drop_index("ix_clips_machine_listing")
        batch_op.create_index(batch_op.f("ix_clips_machine_heard"), ["machine_id", "heard_at"], unique=False)
