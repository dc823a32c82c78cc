"""Administrators add phrases of danger, and switch ours off."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0040"
down_revision: str | None = "0039"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

KINDS = "'attempt', 'child_in_danger', 'danger', 'encouragement', 'carer', 'disclosure', 'suicide', 'self_harm'"


def upgrade() -> None:
    op.create_table(
        "crisis_phrase",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("is_ours", sa.Boolean(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("is_off", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint(f"kind IN ({KINDS})", name=op.f("ck_crisis_phrase_kind")),
        sa.CheckConstraint("level IN ('acute', 'worry')", name=op.f("ck_crisis_phrase_level")),
        sa.CheckConstraint("length(text) BETWEEN 1 AND 300 OR is_ours", name=op.f("ck_crisis_phrase_text")),
        sa.ForeignKeyConstraint(["changed_by"], ["member.id"], name=op.f("fk_crisis_phrase_changed_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crisis_phrase")),
    )


def downgrade() -> None:
    op.drop_table("crisis_phrase")
