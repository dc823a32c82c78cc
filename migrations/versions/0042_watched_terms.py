"""Terms that the charity watches for, and how often what screening finds is right."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0042"
down_revision: str | None = "0041"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

KINDS = ("crisis", "personal_information")


def upgrade() -> None:
    op.create_table(
        "watched_term",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("serial", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("effect", sa.String(), nullable=False),
        sa.Column("help_kind", sa.String(), nullable=True),
        sa.Column("boards", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("in_names", sa.Boolean(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("kind IN ('word', 'phrase', 'pattern')", name=op.f("ck_watched_term_kind")),
        sa.CheckConstraint("effect IN ('help', 'point_out', 'case', 'hold')", name=op.f("ck_watched_term_effect")),
        sa.CheckConstraint("(effect = 'help') = (help_kind IS NOT NULL)", name=op.f("ck_watched_term_help_kind")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_watched_term_version")),
        sa.ForeignKeyConstraint(["by_id"], ["member.id"], name=op.f("fk_watched_term_by_id")),
        sa.PrimaryKeyConstraint("id", "version", name=op.f("pk_watched_term")),
    )
    op.create_index(op.f("ix_watched_term_by_id"), "watched_term", ["by_id"])
    op.create_index(op.f("ix_watched_term_serial"), "watched_term", ["serial"], unique=True)
    op.create_table(
        "finding_tally",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("recogniser", sa.String(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.CheckConstraint("what IN ('found', 'upheld', 'dismissed')", name=op.f("ck_finding_tally_what")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_finding_tally")),
    )
    op.create_index(op.f("ix_finding_tally_day"), "finding_tally", ["day"])
    # A default that is the same for all rows is stored once: no row is written.
    op.add_column("finding", sa.Column("is_tallied", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    set_kinds([*KINDS, "watched_term", "spam"])


def downgrade() -> None:
    op.execute("DELETE FROM finding WHERE kind IN ('watched_term', 'spam')")
    set_kinds(KINDS)
    op.drop_column("finding", "is_tallied")
    op.drop_table("finding_tally")
    op.drop_table("watched_term")


def set_kinds(kinds: Sequence[str]) -> None:
    """Allow these kinds of findings. Whoever writes waits while the rows that are there are looked at once."""
    op.drop_constraint(op.f("ck_finding_kind"), "finding", type_="check")
    condition = f"kind IN ({', '.join(repr(kind) for kind in kinds)})"
    op.create_check_constraint(op.f("ck_finding_kind"), "finding", condition, postgresql_not_valid=True)
    op.execute("ALTER TABLE finding VALIDATE CONSTRAINT ck_finding_kind")
