"""What an old board decided stands here without a decider of this house; its words are offered, its boards may merge."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0074"
down_revision: str | None = "0072"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Checks and foreign keys look at the rows that are there in the next step, after this one is committed.
CHECKS = (
    ("decision", "decided_by", "(decided_by IS NULL) = (import_run_id IS NOT NULL)"),
    ("decision", "hears", "num_nonnulls(hears_decided_by, hears_run_id) = num_nonnulls(hears)"),
    ("watched_term", "by", "(by_id IS NULL) = (import_run_id IS NOT NULL)"),
    ("watched_term", "offered", "by_id IS NOT NULL OR NOT is_on"),
    ("moved", "merged", "NOT is_merged OR kind = 'board'"),
)


def upgrade() -> None:
    for table in ("decision", "watched_term"):
        op.add_column(table, sa.Column("import_run_id", sa.Uuid(), nullable=True))
        name = op.f(f"fk_{table}_import_run_id")
        op.create_foreign_key(name, table, "import_run", ["import_run_id"], ["id"], postgresql_not_valid=True)
    op.add_column("decision", sa.Column("hears_run_id", sa.Uuid(), nullable=True))
    op.alter_column("decision", "decided_by", nullable=True)
    op.alter_column("watched_term", "by_id", nullable=True)
    op.add_column("moved", sa.Column("is_merged", sa.Boolean(), server_default=sa.false(), nullable=False))
    # Decisions and terms are few: an index of them is there in a moment.
    op.create_unique_constraint(op.f("uq_decision_id_import_run_id"), "decision", ["id", "import_run_id"])
    op.create_foreign_key(
        op.f("fk_decision_hears_hears_run_id"),
        "decision",
        "decision",
        ["hears", "hears_run_id"],
        ["id", "import_run_id"],
        postgresql_not_valid=True,
    )
    op.create_index(
        "ix_decision_import_run_id",
        "decision",
        ["import_run_id"],
        postgresql_where=sa.text("import_run_id IS NOT NULL"),
    )
    op.create_index(op.f("ix_watched_term_import_run_id"), "watched_term", ["import_run_id"])
    op.drop_constraint(op.f("ck_decision_hears"), "decision", type_="check")
    for table, name, condition in CHECKS:
        op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition, postgresql_not_valid=True)
    op.create_table(
        "past_warning",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("import_run_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_past_warning_member_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["import_run_id"], ["import_run.id"], name=op.f("fk_past_warning_import_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_past_warning")),
    )
    op.create_index(op.f("ix_past_warning_member_id"), "past_warning", ["member_id"])
    op.create_index(op.f("ix_past_warning_import_run_id"), "past_warning", ["import_run_id"])


def downgrade() -> None:
    op.drop_table("past_warning")
    op.execute("DELETE FROM watched_term WHERE by_id IS NULL")
    for table, name, _ in reversed(CHECKS):
        op.drop_constraint(op.f(f"ck_{table}_{name}"), table, type_="check")
    op.drop_column("moved", "is_merged")
    op.drop_index(op.f("ix_watched_term_import_run_id"), "watched_term")
    op.drop_column("watched_term", "import_run_id")
    op.alter_column("watched_term", "by_id", nullable=False)
    # Refused where an old board's decisions came: statements of them are kept.
    op.alter_column("decision", "decided_by", nullable=False)
    op.drop_constraint(op.f("fk_decision_hears_hears_run_id"), "decision", type_="foreignkey")
    op.drop_column("decision", "hears_run_id")
    op.drop_index("ix_decision_import_run_id", "decision")
    op.drop_constraint(op.f("uq_decision_id_import_run_id"), "decision", type_="unique")
    op.drop_column("decision", "import_run_id")
    op.create_check_constraint(op.f("ck_decision_hears"), "decision", "(hears IS NULL) = (hears_decided_by IS NULL)")
