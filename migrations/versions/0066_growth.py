"""Indexes of the few rows that are sought among many: titles that can name somebody, posts published late in a thread."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0066"
down_revision: str | None = "0065b"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Writers wait while they are built, a second for a million posts: nearly nothing is in them.
INDEXES = {
    "ix_post_published_in_thread": ("post", ["thread_id", "published_at"], "published_at IS NOT NULL"),
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
