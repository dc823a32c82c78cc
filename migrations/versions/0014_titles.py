"""Titles: their revisions, edits that wait while the approved words stay, and reports of either."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

MEASURES_BEFORE = (
    "kind IN ('publish', 'edit', 'redact', 'remove', 'retitle', 'lock', 'move', 'warn', 'silence', 'suspend', 'ban', "
    "'dismiss')"
)
MEASURES = MEASURES_BEFORE.replace("'publish', ", "'publish', 'refuse', ")
# A member reports the same words again only as something graver.
REPORTED_BEFORE = ["post_id", "revision", "reporter_id"]
REPORTED = ["post_id", "revision", "title_revision", "reporter_id", "category"]


def check_kind(condition: str) -> None:
    """Replace the check of the kinds of measures, without holding up writers for long."""
    op.drop_constraint(op.f("ck_measure_kind"), "measure", type_="check")
    op.create_check_constraint(op.f("ck_measure_kind"), "measure", condition, postgresql_not_valid=True)
    op.execute("ALTER TABLE measure VALIDATE CONSTRAINT ck_measure_kind")


def upgrade() -> None:
    # The previous release, which runs while this migrates, opens threads without saying which title is theirs.
    op.add_column("thread", sa.Column("title_revision", sa.Integer(), server_default=sa.text("1"), nullable=False))
    op.add_column("thread", sa.Column("titled_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("thread", sa.Column("titled_by", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_thread_titled_by"), "thread", "persona", ["titled_by"], ["id"], postgresql_not_valid=True
    )
    op.create_table(
        "thread_title_revision",
        sa.Column("thread_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("sealed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("written_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["thread_id"], ["thread.id"], name=op.f("fk_thread_title_revision_thread_id")),
        sa.ForeignKeyConstraint(["written_by"], ["persona.id"], name=op.f("fk_thread_title_revision_written_by")),
        sa.PrimaryKeyConstraint("thread_id", "number", name=op.f("pk_thread_title_revision")),
    )
    op.create_table(
        "held_edit",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("post_id", sa.BigInteger(), nullable=False),
        sa.Column("thread_id", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.String(), nullable=True),
        sa.Column("content_warning", sa.String(), nullable=True),
        sa.Column("body_markdown", sa.String(), nullable=True),
        sa.Column("body_html", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("held_because", sa.String(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("written_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint("state IN ('waiting', 'refused', 'dropped')", name=op.f("ck_held_edit_state")),
        sa.CheckConstraint("num_nonnulls(title, body_markdown) = 1", name=op.f("ck_held_edit_words")),
        sa.CheckConstraint("(body_markdown IS NULL) = (body_html IS NULL)", name=op.f("ck_held_edit_html")),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_held_edit_post_id")),
        sa.ForeignKeyConstraint(["thread_id"], ["thread.id"], name=op.f("fk_held_edit_thread_id")),
        sa.ForeignKeyConstraint(["written_by"], ["persona.id"], name=op.f("fk_held_edit_written_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_held_edit")),
    )
    op.create_index(op.f("ix_held_edit_post_id"), "held_edit", ["post_id"])
    op.create_index(
        "uq_held_edit_body",
        "held_edit",
        ["post_id"],
        unique=True,
        postgresql_where=sa.text("state = 'waiting' AND title IS NULL"),
    )
    op.create_index(
        "uq_held_edit_title",
        "held_edit",
        ["thread_id"],
        unique=True,
        postgresql_where=sa.text("state = 'waiting' AND title IS NOT NULL"),
    )
    op.add_column("report", sa.Column("title_revision", sa.Integer(), nullable=True))
    op.create_unique_constraint(
        op.f(f"uq_report_{'_'.join(REPORTED)}"), "report", REPORTED, postgresql_nulls_not_distinct=True
    )
    op.drop_constraint(op.f(f"uq_report_{'_'.join(REPORTED_BEFORE)}"), "report", type_="unique")
    op.add_column("decision", sa.Column("title_revision", sa.Integer(), nullable=True))
    op.add_column("finding", sa.Column("title_revision", sa.Integer(), nullable=True))
    op.add_column("finding", sa.Column("held_edit_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_finding_held_edit_id"),
        "finding",
        "held_edit",
        ["held_edit_id"],
        ["id"],
        ondelete="SET NULL",
        postgresql_not_valid=True,
    )
    op.create_index(op.f("ix_finding_held_edit_id"), "finding", ["held_edit_id"])
    check_kind(MEASURES)
    op.execute("ALTER TABLE thread VALIDATE CONSTRAINT fk_thread_titled_by")
    op.execute("ALTER TABLE finding VALIDATE CONSTRAINT fk_finding_held_edit_id")


def downgrade() -> None:
    check_kind(MEASURES_BEFORE)
    for column in ("title_revision", "held_edit_id"):
        op.drop_column("finding", column)
    op.drop_column("decision", "title_revision")
    op.create_unique_constraint(op.f(f"uq_report_{'_'.join(REPORTED_BEFORE)}"), "report", REPORTED_BEFORE)
    op.drop_column("report", "title_revision")
    op.drop_table("held_edit")
    op.drop_table("thread_title_revision")
    for column in ("title_revision", "titled_at", "titled_by"):
        op.drop_column("thread", column)
