"""Categories of cases that a moderator leaves to others."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0051"
down_revision: str | None = "0050"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

CATEGORIES = (
    *("'risk'", "'encouragement'", "'intimate_image'", "'illegal'", "'personal_information'", "'rule'", "'appeal'"),
    *("'held'", "'other'", "'spam'"),
)


def upgrade() -> None:
    op.create_table(
        "left_out_category",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.CheckConstraint(f"category IN ({', '.join(CATEGORIES)})", name=op.f("ck_left_out_category_category")),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_left_out_category_member_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("member_id", "category", name=op.f("pk_left_out_category")),
    )


def downgrade() -> None:
    op.drop_table("left_out_category")
