"""Feeds of boards: which threads stood in one, so that whoever saw them there is told when they go."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0069"
down_revision: str | None = "0068"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "feed_entry",
        sa.Column("board_id", sa.Integer(), nullable=False),
        sa.Column("thread_id", sa.BigInteger(), nullable=False),
        sa.Column("is_gone", sa.Boolean(), nullable=False),
        sa.Column("title_hash", sa.BigInteger(), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["board_id"], ["board.id"], name=op.f("fk_feed_entry_board_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["thread_id"], ["thread.id"], name=op.f("fk_feed_entry_thread_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("board_id", "thread_id", name=op.f("pk_feed_entry")),
    )
    op.create_index("ix_feed_entry_page", "feed_entry", ["board_id", "noted_at", "thread_id"])
    op.create_index("ix_feed_entry_thread_id", "feed_entry", ["thread_id"])


def downgrade() -> None:
    op.drop_table("feed_entry")
