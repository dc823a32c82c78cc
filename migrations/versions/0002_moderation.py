"""Cases, claims, reports, decisions, measures, statements and appeals; sanctions, notices and notifications."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLES = (
    "sanction",
    "moderation_case",
    "notification",
    "case_claim",
    "case_note",
    "case_recusal",
    "decision",
    "report",
    "decision_rule",
    "measure",
    "statement",
    "appeal",
    "reason_template",
)

# What somebody was told of a decision about them never changes; `refuse_change` came with the audit record.
KEEP_STATEMENTS = (
    """
    CREATE TRIGGER statement_keeps_rows BEFORE UPDATE OR DELETE ON statement
    FOR EACH ROW EXECUTE FUNCTION refuse_change()
    """,
    """
    CREATE TRIGGER statement_keeps_all BEFORE TRUNCATE ON statement
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
)


def upgrade() -> None:
    op.create_table(
        "sanction",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("standing", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("standing IN ('silenced', 'suspended', 'banned')", name=op.f("ck_sanction_standing")),
        sa.CheckConstraint("until > since", name=op.f("ck_sanction_until")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_sanction_member_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sanction")),
    )
    op.create_index(op.f("ix_sanction_member_id"), "sanction", ["member_id"], unique=False)
    op.create_table(
        "moderation_case",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("post_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("reports", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_revision", sa.Integer(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("(state = 'decided') = (decided_at IS NOT NULL)", name=op.f("ck_moderation_case_decided")),
        sa.CheckConstraint(
            "category IN ('risk', 'intimate_image', 'illegal', 'personal_information', 'rule', 'appeal', 'held', 'other', 'spam')",
            name=op.f("ck_moderation_case_category"),
        ),
        sa.CheckConstraint("kind IN ('post', 'appeal')", name=op.f("ck_moderation_case_kind")),
        sa.CheckConstraint("state IN ('open', 'decided')", name=op.f("ck_moderation_case_state")),
        sa.ForeignKeyConstraint(["changed_by"], ["member.id"], name=op.f("fk_moderation_case_changed_by")),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_moderation_case_post_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_moderation_case")),
    )
    op.create_index(op.f("ix_moderation_case_post_id"), "moderation_case", ["post_id"], unique=False)
    op.create_index(
        "ix_moderation_case_queue",
        "moderation_case",
        ["priority", "due_at", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_index(
        "uq_moderation_case_post",
        "moderation_case",
        ["post_id"],
        unique=True,
        postgresql_where=sa.text("kind = 'post'"),
    )
    op.create_table(
        "notification",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("post_id", sa.BigInteger(), nullable=True),
        sa.Column("subject_id", sa.Uuid(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('post_held', 'post_published', 'post_edited', 'post_removed', 'statement_issued', 'appeal_heard', 'report_received', 'report_settled', 'standing_ended')",
            name=op.f("ck_notification_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_notification_member_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_notification_post_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification")),
    )
    op.create_index("ix_notification_page", "notification", ["member_id", "id"], unique=False)
    op.create_index(
        "ix_notification_unread",
        "notification",
        ["member_id"],
        unique=False,
        postgresql_where=sa.text("read_at IS NULL"),
    )
    op.create_index(
        "uq_notification_standing_ended",
        "notification",
        ["subject_id"],
        unique=True,
        postgresql_where=sa.text("kind = 'standing_ended'"),
    )
    op.create_table(
        "case_claim",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("moderator_id", sa.Uuid(), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["moderation_case.id"], name=op.f("fk_case_claim_case_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["moderator_id"], ["member.id"], name=op.f("fk_case_claim_moderator_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_case_claim")),
    )
    op.create_index(op.f("ix_case_claim_moderator_id"), "case_claim", ["moderator_id"], unique=False)
    op.create_index(op.f("ix_case_claim_until"), "case_claim", ["until"], unique=False)
    op.create_table(
        "case_note",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["member.id"], name=op.f("fk_case_note_author_id")),
        sa.ForeignKeyConstraint(
            ["case_id"], ["moderation_case.id"], name=op.f("fk_case_note_case_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_note")),
    )
    op.create_index(op.f("ix_case_note_case_id"), "case_note", ["case_id"], unique=False)
    op.create_table(
        "case_recusal",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("moderator_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["moderation_case.id"], name=op.f("fk_case_recusal_case_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["moderator_id"], ["member.id"], name=op.f("fk_case_recusal_moderator_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("case_id", "moderator_id", name=op.f("pk_case_recusal")),
    )
    op.create_table(
        "decision",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("case_version", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("hears", sa.Uuid(), nullable=True),
        sa.Column("hears_decided_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("(hears IS NULL) = (hears_decided_by IS NULL)", name=op.f("ck_decision_hears")),
        sa.CheckConstraint("hears_decided_by <> decided_by", name=op.f("ck_decision_heard_by_another")),
        sa.ForeignKeyConstraint(["case_id"], ["moderation_case.id"], name=op.f("fk_decision_case_id")),
        sa.ForeignKeyConstraint(["decided_by"], ["member.id"], name=op.f("fk_decision_decided_by")),
        sa.ForeignKeyConstraint(
            ["hears", "hears_decided_by"],
            ["decision.id", "decision.decided_by"],
            name=op.f("fk_decision_hears_hears_decided_by"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision")),
        sa.UniqueConstraint("id", "decided_by", name=op.f("uq_decision_id_decided_by")),
    )
    op.create_index(op.f("ix_decision_case_id"), "decision", ["case_id"], unique=False)
    op.create_index(op.f("ix_decision_decided_by"), "decision", ["decided_by"], unique=False)
    op.create_table(
        "report",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("post_id", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("reporter_id", sa.Uuid(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("rules", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("filed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("category <> 'rule' OR cardinality(rules) > 0", name=op.f("ck_report_rules")),
        sa.CheckConstraint(
            "category IN ('rule', 'personal_information', 'risk', 'illegal', 'intimate_image', 'spam', 'other')",
            name=op.f("ck_report_category"),
        ),
        sa.CheckConstraint("outcome IN ('upheld', 'dismissed')", name=op.f("ck_report_outcome")),
        sa.CheckConstraint("(outcome IS NULL) = (settled_at IS NULL)", name=op.f("ck_report_settled")),
        sa.ForeignKeyConstraint(["case_id"], ["moderation_case.id"], name=op.f("fk_report_case_id")),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_report_post_id")),
        sa.ForeignKeyConstraint(["reporter_id"], ["member.id"], name=op.f("fk_report_reporter_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report")),
        sa.UniqueConstraint("post_id", "revision", "reporter_id", name=op.f("uq_report_post_id_revision_reporter_id")),
    )
    op.create_index(op.f("ix_report_case_id"), "report", ["case_id"], unique=False)
    op.create_index(op.f("ix_report_reporter_id"), "report", ["reporter_id"], unique=False)
    op.create_table(
        "decision_rule",
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["decision_id"], ["decision.id"], name=op.f("fk_decision_rule_decision_id")),
        sa.ForeignKeyConstraint(
            ["number", "version"], ["rule.number", "rule.version"], name=op.f("fk_decision_rule_number_version")
        ),
        sa.PrimaryKeyConstraint("decision_id", "number", name=op.f("pk_decision_rule")),
    )
    op.create_table(
        "measure",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("post_id", sa.BigInteger(), nullable=False),
        sa.Column("thread_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("memory", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("notice", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('publish', 'edit', 'redact', 'remove', 'retitle', 'lock', 'move', 'warn', 'silence', 'suspend', 'ban', 'dismiss')",
            name=op.f("ck_measure_kind"),
        ),
        sa.CheckConstraint("(undone_at IS NULL) = (undone_by IS NULL)", name=op.f("ck_measure_undone")),
        sa.ForeignKeyConstraint(["decision_id"], ["decision.id"], name=op.f("fk_measure_decision_id")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_measure_member_id")),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_measure_post_id")),
        sa.ForeignKeyConstraint(["thread_id"], ["thread.id"], name=op.f("fk_measure_thread_id")),
        sa.ForeignKeyConstraint(["undone_by"], ["decision.id"], name=op.f("fk_measure_undone_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_measure")),
    )
    op.create_index(op.f("ix_measure_decision_id"), "measure", ["decision_id"], unique=False)
    op.create_index(op.f("ix_measure_member_id"), "measure", ["member_id"], unique=False)
    op.create_index(
        "ix_measure_standing", "measure", ["post_id", "id"], unique=False, postgresql_where=sa.text("undone_at IS NULL")
    )
    op.create_index(op.f("ix_measure_thread_id"), "measure", ["thread_id"], unique=False)
    op.create_table(
        "statement",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("post_id", sa.BigInteger(), nullable=False),
        sa.Column("measures", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("excerpts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("rules", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("law", sa.String(), nullable=True),
        sa.Column("initiative", sa.String(), nullable=False),
        sa.Column("automated_detection", sa.Boolean(), nullable=False),
        sa.Column("automated_decision", sa.Boolean(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("appeal_until", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("initiative IN ('report', 'hold', 'moderator')", name=op.f("ck_statement_initiative")),
        sa.ForeignKeyConstraint(["decision_id"], ["decision.id"], name=op.f("fk_statement_decision_id")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_statement_member_id")),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_statement_post_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_statement")),
        sa.UniqueConstraint("decision_id", name=op.f("uq_statement_decision_id")),
    )
    op.create_index(op.f("ix_statement_member_id"), "statement", ["member_id"], unique=False)
    op.create_table(
        "appeal",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("statement_id", sa.Uuid(), nullable=True),
        sa.Column("report_id", sa.Uuid(), nullable=True),
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("appellant_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("lodged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("message", sa.String(), nullable=True),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("outcome IN ('uphold', 'change', 'overturn')", name=op.f("ck_appeal_outcome")),
        sa.CheckConstraint("(outcome IS NULL) = (heard_at IS NULL)", name=op.f("ck_appeal_heard")),
        sa.CheckConstraint("num_nonnulls(statement_id, report_id) = 1", name=op.f("ck_appeal_subject")),
        sa.ForeignKeyConstraint(["appellant_id"], ["member.id"], name=op.f("fk_appeal_appellant_id")),
        sa.ForeignKeyConstraint(["case_id"], ["moderation_case.id"], name=op.f("fk_appeal_case_id")),
        sa.ForeignKeyConstraint(["decision_id"], ["decision.id"], name=op.f("fk_appeal_decision_id")),
        sa.ForeignKeyConstraint(["report_id"], ["report.id"], name=op.f("fk_appeal_report_id")),
        sa.ForeignKeyConstraint(["statement_id"], ["statement.id"], name=op.f("fk_appeal_statement_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appeal")),
        sa.UniqueConstraint("case_id", name=op.f("uq_appeal_case_id")),
        sa.UniqueConstraint("report_id", name=op.f("uq_appeal_report_id")),
        sa.UniqueConstraint("statement_id", name=op.f("uq_appeal_statement_id")),
    )
    op.create_table(
        "reason_template",
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND length(slug) <= 50", name=op.f("ck_reason_template_slug")
        ),
        sa.ForeignKeyConstraint(["changed_by"], ["member.id"], name=op.f("fk_reason_template_changed_by")),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_reason_template")),
    )
    op.add_column("board", sa.Column("publication", sa.String(), server_default="at_once", nullable=False))
    op.add_column("post", sa.Column("notice", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("post_revision", sa.Column("sealed", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    # Checked without holding up writers: the rows that are there all have the default.
    op.execute(
        "ALTER TABLE board ADD CONSTRAINT ck_board_publication "
        "CHECK (publication IN ('at_once', 'hold_newcomers', 'hold_all')) NOT VALID"
    )
    op.execute("ALTER TABLE board VALIDATE CONSTRAINT ck_board_publication")
    for statement in KEEP_STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.drop_column("post_revision", "sealed")
    op.drop_column("post", "notice")
    op.drop_constraint("ck_board_publication", "board")
    op.drop_column("board", "publication")
    for table in reversed(TABLES):
        op.drop_table(table)
