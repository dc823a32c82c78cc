"""What is known of a danger: level and version of a finding, kinds of a case; and words that were not published."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0037"
down_revision: str | None = "0036"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

CATEGORIES = ("risk", "intimate_image", "illegal", "personal_information", "rule", "appeal", "held", "other", "spam")


def upgrade() -> None:
    # Defaults that are the same for all rows are stored once: no row is written.
    op.add_column("finding", sa.Column("version", sa.String(), server_default=sa.text("''"), nullable=False))
    op.add_column("finding", sa.Column("level", sa.String(), nullable=True))
    op.add_column("finding", sa.Column("post_id", sa.BigInteger(), nullable=True))
    op.create_index(op.f("ix_finding_post_id"), "finding", ["post_id"])
    add_check("finding", "level", "level IN ('acute', 'worry')")
    op.create_foreign_key(op.f("fk_finding_post_id"), "finding", "post", ["post_id"], ["id"], postgresql_not_valid=True)
    op.execute("ALTER TABLE finding VALIDATE CONSTRAINT fk_finding_post_id")
    op.add_column(
        "moderation_case",
        sa.Column("dangers", postgresql.ARRAY(sa.String()), server_default=sa.text("'{}'"), nullable=False),
    )
    # What the release before this one opens calls people, as it always did.
    op.add_column("moderation_case", sa.Column("calls", sa.Boolean(), server_default=sa.text("true"), nullable=False))
    op.add_column("moderation_case", sa.Column("danger_at", sa.DateTime(timezone=True), nullable=True))
    set_categories([*CATEGORIES, "encouragement"])
    op.create_table(
        "refused_text",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("persona_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["moderation_case.id"], name=op.f("fk_refused_text_case_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["persona_id"], ["persona.id"], name=op.f("fk_refused_text_persona_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refused_text")),
    )
    op.create_index(op.f("ix_refused_text_case_id"), "refused_text", ["case_id"])
    op.create_index(op.f("ix_refused_text_persona_id"), "refused_text", ["persona_id"])


def downgrade() -> None:
    op.drop_table("refused_text")
    op.execute("UPDATE moderation_case SET category = 'risk' WHERE category = 'encouragement'")
    set_categories(CATEGORIES)
    for name in ("danger_at", "calls", "dangers"):
        op.drop_column("moderation_case", name)
    op.drop_constraint(op.f("fk_finding_post_id"), "finding", type_="foreignkey")
    op.drop_constraint(op.f("ck_finding_level"), "finding", type_="check")
    op.drop_index(op.f("ix_finding_post_id"), "finding")
    for name in ("post_id", "level", "version"):
        op.drop_column("finding", name)


def set_categories(categories: Sequence[str]) -> None:
    op.drop_constraint(op.f("ck_moderation_case_category"), "moderation_case", type_="check")
    add_check("moderation_case", "category", f"category IN ({', '.join(repr(name) for name in categories)})")


def add_check(table: str, name: str, condition: str) -> None:
    """Add a check without a long lock: rows are looked at while others write."""
    op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition, postgresql_not_valid=True)
    op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT ck_{table}_{name}")
