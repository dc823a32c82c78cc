"""Whom a member ignores."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0033"
down_revision: str | None = "0032"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "ignored",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("persona_id", sa.Uuid(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_ignored_member_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["persona_id"], ["persona.id"], name=op.f("fk_ignored_persona_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("member_id", "persona_id", name=op.f("pk_ignored")),
    )
    op.create_index(op.f("ix_ignored_persona_id"), "ignored", ["persona_id"])


def downgrade() -> None:
    op.drop_table("ignored")
