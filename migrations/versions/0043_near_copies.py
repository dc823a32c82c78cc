"""Which posts say the same as one that waits."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0043"
down_revision: str | None = "0042"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "near_copy",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("post_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["moderation_case.id"], name=op.f("fk_near_copy_case_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_near_copy_post_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("case_id", "post_id", name=op.f("pk_near_copy")),
    )
    op.create_index(op.f("ix_near_copy_post_id"), "near_copy", ["post_id"])


def downgrade() -> None:
    op.drop_table("near_copy")
