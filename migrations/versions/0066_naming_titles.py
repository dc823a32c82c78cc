"""Titles and reasons of locks in which somebody can be named, so that a handle that goes is not sought in all others."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0066"
down_revision: str | None = "0065b"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Writers wait while they are built, less than a second for a million threads: nearly nothing is in them.
INDEXES = {
    "ix_thread_title_naming": ("thread", ["id"], "title LIKE '%@%'"),
    "ix_thread_lock_reason_naming": ("thread", ["id"], "lock_reason LIKE '%@%'"),
    "ix_thread_title_revision_naming": ("thread_title_revision", ["thread_id", "number"], "title LIKE '%@%'"),
}


def upgrade() -> None:
    for name, (table, columns, condition) in INDEXES.items():
        op.create_index(name, table, columns, postgresql_where=sa.text(condition))


def downgrade() -> None:
    for name, (table, _, _) in INDEXES.items():
        op.drop_index(name, table_name=table)
