"""Posts that moved from an old board, in which something may show who somebody is: a list for moderators."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision: str = "0074d"
down_revision: str | None = "0074c"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "swept_post",
        sa.Column("post_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("kinds", ARRAY(sa.Text()), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("cardinality(kinds) > 0", name=op.f("ck_swept_post_kinds")),
        sa.CheckConstraint("(settled_at IS NULL) = (settled_by IS NULL)", name=op.f("ck_swept_post_settled")),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_swept_post_post_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["settled_by"], ["member.id"], name=op.f("fk_swept_post_settled_by")),
        sa.PrimaryKeyConstraint("post_id", name=op.f("pk_swept_post")),
    )
    op.create_index(
        "ix_swept_post_open", "swept_post", ["post_id"], unique=False, postgresql_where=sa.text("settled_at IS NULL")
    )


def downgrade() -> None:
    op.drop_table("swept_post")
