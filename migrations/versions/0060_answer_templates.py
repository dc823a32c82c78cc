"""Templates of an organisation's advisers: answers to begin from."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0060"
down_revision: str | None = "0059"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "answer_template",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint("char_length(title) BETWEEN 1 AND 120", name=op.f("ck_answer_template_title")),
        sa.CheckConstraint("char_length(text) BETWEEN 1 AND 5000", name=op.f("ck_answer_template_text")),
        sa.ForeignKeyConstraint(["changed_by"], ["member.id"], name=op.f("fk_answer_template_changed_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_answer_template")),
    )
    op.create_index("ix_answer_template_shelf", "answer_template", ["organisation", "title", "id"])


def downgrade() -> None:
    op.drop_table("answer_template")
