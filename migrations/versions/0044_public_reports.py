"""Reports by people without an account, trusted flaggers, and complaints about the service."""

import re
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0044"
down_revision: str | None = "0043"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

ROLES = ("trusted_flagger",)
NOTICES = ("public_report_waiting", "public_report_urgent", "service_complaint_waiting", "service_complaint_answered")
MAILS = ("receipt", "answer_ready")
KINDS = (
    ("notification", "kind", NOTICES),
    ("mail", "kind", MAILS),
    ("mailed_link", "kind", MAILS),
    ("role_grant", "role", ROLES),
    ("invitation", "role", ROLES),
)
ONCE = ("public_report_waiting", "public_report_urgent", "service_complaint_waiting")
CAPACITIES = "'named', 'parent_or_carer', 'helping_an_adult', 'group', 'other'"
CATEGORIES = "'illegal', 'personal_information', 'court_restriction', 'intimate_image', 'suicide_or_self_harm', 'rule'"
ILLEGAL_KINDS = (
    "'terrorism', 'child_abuse', 'hate', 'harassment', 'coercion', 'sexual_exploitation', 'suicide', 'fraud', "
    "'drugs_or_weapons', 'other'"
)
ABOUT = "'not_dealt_with', 'duties', 'own_content', 'screening'"
OUTCOMES = "'upheld', 'dismissed'"


def upgrade() -> None:
    for table, column, kinds in KINDS:
        _check_kinds(table, column, [*_kinds(table, column), *kinds])
    _check("mail", "somebody", "member_id IS NULL OR email IS NOT NULL")
    op.create_index(
        "uq_notification_report",
        "notification",
        ["member_id", "kind"],
        unique=True,
        postgresql_where=sa.text(f"kind IN ({_listed(ONCE)}) AND read_at IS NULL"),
    )
    op.add_column(
        "moderation_case", sa.Column("is_flagged", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.alter_column("report", "reporter_id", nullable=True)
    op.add_column("report", sa.Column("capacity", sa.String(), nullable=True))
    op.add_column("report", sa.Column("illegal_kind", sa.String(), nullable=True))
    _check("report", "capacity", f"capacity IN ({CAPACITIES})")
    _check("report", "illegal_kind", f"illegal_kind IN ({ILLEGAL_KINDS})")
    _check("report", "reporter", "(reporter_id IS NULL) = (capacity IS NOT NULL)")
    _check("report", "rules", "category <> 'rule' OR capacity IS NOT NULL OR cardinality(rules) > 0")
    _index_reports(" AND reporter_id IS NOT NULL")
    op.create_table(
        "public_report",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("token_digest", sa.LargeBinary(), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(), nullable=False),
        sa.Column("report_id", sa.Uuid(), nullable=True),
        sa.Column("post", sa.String(), nullable=False),
        sa.Column("capacity", sa.String(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("illegal_kind", sa.String(), nullable=True),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("is_urgent", sa.Boolean(), nullable=False),
        sa.Column("is_flagged", sa.Boolean(), nullable=False),
        sa.Column("is_waiting", sa.Boolean(), nullable=False),
        sa.Column("filed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("answer", sa.String(), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(f"capacity IN ({CAPACITIES})", name=op.f("ck_public_report_capacity")),
        sa.CheckConstraint(f"category IN ({CATEGORIES})", name=op.f("ck_public_report_category")),
        sa.CheckConstraint(f"illegal_kind IN ({ILLEGAL_KINDS})", name=op.f("ck_public_report_illegal_kind")),
        sa.CheckConstraint(f"outcome IN ({OUTCOMES})", name=op.f("ck_public_report_outcome")),
        sa.CheckConstraint("(outcome IS NULL) = (settled_at IS NULL)", name=op.f("ck_public_report_settled")),
        sa.CheckConstraint("num_nulls(answer, settled_by) IN (0, 2)", name=op.f("ck_public_report_answered")),
        sa.ForeignKeyConstraint(["report_id"], ["report.id"], name=op.f("fk_public_report_report_id")),
        sa.ForeignKeyConstraint(["settled_by"], ["member.id"], name=op.f("fk_public_report_settled_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_public_report")),
        sa.UniqueConstraint("token_digest", name=op.f("uq_public_report_token_digest")),
    )
    op.create_index(op.f("ix_public_report_report_id"), "public_report", ["report_id"])
    op.create_index(
        "ix_public_report_waiting", "public_report", ["due_at", "id"], postgresql_where=sa.text("is_waiting")
    )
    op.create_table(
        "service_complaint",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("token_digest", sa.LargeBinary(), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=True),
        sa.Column("report_id", sa.Uuid(), nullable=True),
        sa.Column("public_report_id", sa.Uuid(), nullable=True),
        sa.Column("about", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("is_urgent", sa.Boolean(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("answer", sa.String(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(f"about IN ({ABOUT})", name=op.f("ck_service_complaint_about")),
        sa.CheckConstraint(f"outcome IN ({OUTCOMES})", name=op.f("ck_service_complaint_outcome")),
        sa.CheckConstraint(
            "num_nulls(outcome, answer, answered_at, answered_by) IN (0, 4)",
            name=op.f("ck_service_complaint_answered"),
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_service_complaint_member_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["report_id"], ["report.id"], name=op.f("fk_service_complaint_report_id")),
        sa.ForeignKeyConstraint(
            ["public_report_id"],
            ["public_report.id"],
            name=op.f("fk_service_complaint_public_report_id"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(["answered_by"], ["member.id"], name=op.f("fk_service_complaint_answered_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_complaint")),
        sa.UniqueConstraint("token_digest", name=op.f("uq_service_complaint_token_digest")),
    )
    op.create_index(op.f("ix_service_complaint_member_id"), "service_complaint", ["member_id"])
    op.create_index(
        "ix_service_complaint_waiting",
        "service_complaint",
        ["due_at", "id"],
        postgresql_where=sa.text("answered_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("service_complaint")
    op.drop_table("public_report")
    op.execute("DELETE FROM report WHERE reporter_id IS NULL")
    _index_reports("")
    _check("report", "rules", "category <> 'rule' OR cardinality(rules) > 0")
    for name in ("reporter", "illegal_kind", "capacity"):
        op.execute(f"ALTER TABLE report DROP CONSTRAINT ck_report_{name}")
    op.drop_column("report", "illegal_kind")
    op.drop_column("report", "capacity")
    op.alter_column("report", "reporter_id", nullable=False)
    op.drop_column("moderation_case", "is_flagged")
    op.drop_index("uq_notification_report", "notification")
    op.execute("DELETE FROM mail WHERE member_id IS NULL")
    _check("mail", "somebody", "(member_id IS NULL) = (email IS NULL)")
    for table, column, kinds in reversed(KINDS):
        op.execute(f"DELETE FROM {table} WHERE {column} IN ({_listed(kinds)})")  # noqa: S608
        _check_kinds(table, column, [kind for kind in _kinds(table, column) if kind not in kinds])


def _index_reports(also: str) -> None:
    """Let members report the same words once, but any number of people without an account."""
    op.drop_index("uq_report_of_post", "report")
    op.create_index(
        "uq_report_of_post",
        "report",
        ["post_id", "revision", "title_revision", "reporter_id", "category"],
        unique=True,
        postgresql_where=sa.text(f"post_id IS NOT NULL{also}"),
        postgresql_nulls_not_distinct=True,
    )


def _kinds(table: str, column: str) -> list[str]:
    """Return the kinds that a table may have at this moment."""
    asked = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name"
    found = op.get_bind().execute(sa.text(asked), {"name": f"ck_{table}_{column}"}).scalar_one()
    return re.findall(r"'(\w+)'", found)


def _check_kinds(table: str, column: str, kinds: Sequence[str]) -> None:
    _check(table, column, f"{column} IN ({_listed(kinds)})")


def _check(table: str, name: str, condition: str) -> None:
    """Give a table this check instead of the one of the same name. Whoever writes waits while its rows are looked at once."""
    op.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS ck_{table}_{name}")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_{name} CHECK ({condition}) NOT VALID")
    op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT ck_{table}_{name}")


def _listed(kinds: Sequence[str]) -> str:
    return ", ".join(repr(kind) for kind in kinds)
