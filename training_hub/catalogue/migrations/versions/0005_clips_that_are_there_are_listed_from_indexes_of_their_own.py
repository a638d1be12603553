"""Clips that are there are listed from indexes of their own: PostgreSQL sorts by none that begins with `deleted_at`."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_FORMER = {
    "ix_clips_listing": ["deleted_at", "heard_at", "id"],
    "ix_clips_machine_listing": ["deleted_at", "machine_id", "heard_at", "id"],
    "ix_clips_score_listing": ["deleted_at", "score", "id"],
}
_THERE = {
    "ix_clips_there_heard": ["heard_at", "id"],
    "ix_clips_there_machine": ["machine_id", "heard_at", "id"],
    "ix_clips_there_score": ["score", "id"],
}


def upgrade() -> None:
    """Apply it."""
    for name in _FORMER:
        op.drop_index(name, "clips")
    for name, columns in _THERE.items():
        there = sa.text("deleted_at IS NULL")
        op.create_index(name, "clips", columns, sqlite_where=there, postgresql_where=there)
    gone = sa.text("deleted_at IS NOT NULL")
    op.create_index("ix_clips_gone", "clips", ["deleted_at", "id"], sqlite_where=gone, postgresql_where=gone)


def downgrade() -> None:
    """Take it back."""
    for name in ("ix_clips_gone", *_THERE):
        op.drop_index(name, "clips")
    for name, columns in _FORMER.items():
        op.create_index(name, "clips", columns)
