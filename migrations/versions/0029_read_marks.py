"""Where each member stopped reading; and when a post appeared that had waited for a moderator.

Members of today begin caught up: nobody finds a forum of unread threads.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0029"
down_revision: str | None = "0028"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "read_mark",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("thread_id", sa.BigInteger(), nullable=False),
        sa.Column("read_number", sa.Integer(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("read_number >= 0", name=op.f("ck_read_mark_number")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_read_mark_member_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["thread_id"], ["thread.id"], name=op.f("fk_read_mark_thread_id")),
        sa.PrimaryKeyConstraint("member_id", "thread_id", name=op.f("pk_read_mark")),
        # Marks move again and again: with free room on each page, a change needs no new entry in the index.
        postgresql_with={"fillfactor": 80},
    )
    # A default that is the same for all rows is stored once: no row is written.
    op.add_column(
        "member",
        sa.Column("caught_up_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
    )
    op.add_column("post", sa.Column("published_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_post_published", "post", ["published_at"], postgresql_where=sa.text("published_at IS NOT NULL"))
    # Writers wait for it: less than a second for a million threads.
    op.create_index("ix_thread_newest", "thread", ["last_post_at", "id"])


def downgrade() -> None:
    op.drop_index("ix_thread_newest", "thread")
    op.drop_index("ix_post_published", "post")
    op.drop_column("post", "published_at")
    op.drop_column("member", "caught_up_at")
    op.drop_table("read_mark")
