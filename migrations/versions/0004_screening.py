"""What screening found in a post: of which kind, where, and what recognised it; never the words."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "finding",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("recogniser", sa.String(), nullable=False),
        sa.Column("part", sa.String(), nullable=False),
        sa.Column("starts", sa.Integer(), nullable=False),
        sa.Column("ends", sa.Integer(), nullable=False),
        sa.CheckConstraint("kind IN ('crisis', 'personal_information')", name=op.f("ck_finding_kind")),
        sa.CheckConstraint("part IN ('title', 'body', 'warning')", name=op.f("ck_finding_part")),
        sa.CheckConstraint("0 <= starts AND starts < ends", name=op.f("ck_finding_span")),
        sa.ForeignKeyConstraint(
            ["case_id"], ["moderation_case.id"], name=op.f("fk_finding_case_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_finding")),
    )
    op.create_index(op.f("ix_finding_case_id"), "finding", ["case_id"], unique=False)
    # A constant default is no rewrite: the rows that are there are left alone.
    op.add_column("moderation_case", sa.Column("findings", sa.Integer(), server_default=sa.text("0"), nullable=False))


def downgrade() -> None:
    op.drop_column("moderation_case", "findings")
    op.drop_table("finding")
