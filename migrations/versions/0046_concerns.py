"""Concerns, for safeguarding leads only: their chronology, evidence, legal holds, disclosures and audit record."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0046"
down_revision: str | None = "0045"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLES = (
    "concern",
    "concern_person",
    "concern_post",
    "concern_case",
    "concern_entry",
    "concern_assessment",
    "concern_exclusion",
    "concern_hold",
    "concern_disclosure",
    "concern_audit",
)

# What was written stays as it was, until the whole concern is erased.
REFUSE_CHANGE = """
CREATE FUNCTION refuse_change_of_concern() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND EXISTS (SELECT FROM concern WHERE id = OLD.concern_id AND state = 'erased') THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$
"""
REFUSE_WORDS = """
CREATE FUNCTION refuse_other_words_of_concern() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state = 'erased' AND OLD.state = 'closed' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the words of a concern are not changed' USING ERRCODE = 'restrict_violation';
END $$
"""
KEEP_WORDS = """
CREATE TRIGGER concern_keeps_words BEFORE UPDATE ON concern FOR EACH ROW
WHEN ((OLD.text, OLD.raised_by, OLD.raised_at) IS DISTINCT FROM (NEW.text, NEW.raised_by, NEW.raised_at))
EXECUTE FUNCTION refuse_other_words_of_concern()
"""
APPENDED = ("concern_entry", "concern_assessment", "concern_post")


def upgrade() -> None:
    op.create_table(
        "concern",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("raised_by", sa.Uuid(), nullable=True),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("reply_to", sa.String(), nullable=True),
        sa.Column("about_staff", sa.Boolean(), nullable=False),
        sa.Column("review_on", sa.Date(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.Uuid(), nullable=True),
        sa.Column("keep_until", sa.Date(), nullable=True),
        sa.CheckConstraint("state IN ('open', 'closed', 'erased')", name=op.f("ck_concern_state")),
        sa.CheckConstraint(
            "num_nonnulls(closed_at, closed_by, keep_until) = CASE state WHEN 'open' THEN 0 ELSE 3 END",
            name=op.f("ck_concern_closed"),
        ),
        sa.CheckConstraint(
            "state <> 'erased' OR (text = '' AND reply_to IS NULL AND raised_by IS NULL)",
            name=op.f("ck_concern_erased"),
        ),
        _to("concern", "raised_by", "member.id"),
        _to("concern", "closed_by", "member.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_concern")),
    )
    op.create_index(op.f("ix_concern_raised_by"), "concern", ["raised_by"])
    op.create_index("ix_concern_page", "concern", ["state", "review_on", "id"])
    op.create_table(
        "concern_person",
        sa.Column("concern_id", sa.Uuid(), nullable=False),
        sa.Column("persona_id", sa.Uuid(), nullable=False),
        _to("concern_person", "concern_id", "concern.id"),
        _to("concern_person", "persona_id", "persona.id"),
        sa.PrimaryKeyConstraint("concern_id", "persona_id", name=op.f("pk_concern_person")),
    )
    op.create_index(op.f("ix_concern_person_persona_id"), "concern_person", ["persona_id"])
    op.create_table(
        "concern_post",
        sa.Column("concern_id", sa.Uuid(), nullable=False),
        sa.Column("post_id", sa.BigInteger(), nullable=False),
        sa.Column("copy_json", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        _to("concern_post", "concern_id", "concern.id"),
        _to("concern_post", "post_id", "post.id"),
        sa.PrimaryKeyConstraint("concern_id", "post_id", name=op.f("pk_concern_post")),
    )
    op.create_index(op.f("ix_concern_post_post_id"), "concern_post", ["post_id"])
    op.create_table(
        "concern_case",
        sa.Column("concern_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        _to("concern_case", "concern_id", "concern.id"),
        _to("concern_case", "case_id", "moderation_case.id"),
        sa.PrimaryKeyConstraint("concern_id", "case_id", name=op.f("pk_concern_case")),
    )
    op.create_index(op.f("ix_concern_case_case_id"), "concern_case", ["case_id"])
    op.create_table(
        "concern_entry",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("concern_id", sa.Uuid(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("corrects", sa.Uuid(), nullable=True),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        _to("concern_entry", "concern_id", "concern.id"),
        _to("concern_entry", "author_id", "member.id"),
        _to("concern_entry", "corrects", "concern_entry.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_concern_entry")),
    )
    op.create_index(op.f("ix_concern_entry_concern_id"), "concern_entry", ["concern_id"])
    op.create_table(
        "concern_assessment",
        sa.Column("concern_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("consent", sa.String(), nullable=True),
        sa.Column("consent_why", sa.String(), nullable=False),
        sa.Column("lawful_ground", sa.String(), nullable=False),
        sa.Column("immediate_action", sa.String(), nullable=False),
        sa.Column("written_by", sa.Uuid(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("consent IN ('given', 'refused', 'not_sought')", name=op.f("ck_concern_assessment_consent")),
        sa.CheckConstraint(
            "consent IS DISTINCT FROM 'not_sought' OR consent_why <> ''", name=op.f("ck_concern_assessment_why_not")
        ),
        _to("concern_assessment", "concern_id", "concern.id"),
        _to("concern_assessment", "written_by", "member.id"),
        sa.PrimaryKeyConstraint("concern_id", "number", name=op.f("pk_concern_assessment")),
    )
    op.create_table(
        "concern_exclusion",
        sa.Column("concern_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("excluded_by", sa.Uuid(), nullable=False),
        sa.Column("excluded_at", sa.DateTime(timezone=True), nullable=False),
        _to("concern_exclusion", "concern_id", "concern.id"),
        _to("concern_exclusion", "member_id", "member.id"),
        _to("concern_exclusion", "excluded_by", "member.id"),
        sa.PrimaryKeyConstraint("concern_id", "member_id", name=op.f("pk_concern_exclusion")),
    )
    op.create_table(
        "concern_hold",
        sa.Column("concern_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("exemption", sa.String(), nullable=True),
        sa.Column("review_on", sa.Date(), nullable=False),
        sa.Column("placed_by", sa.Uuid(), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "reason IN ('court', 'police', 'legal_claim', 'safeguarding', 'regulator')",
            name=op.f("ck_concern_hold_reason"),
        ),
        _to("concern_hold", "concern_id", "concern.id"),
        _to("concern_hold", "placed_by", "member.id"),
        sa.PrimaryKeyConstraint("concern_id", name=op.f("pk_concern_hold")),
    )
    op.create_table(
        "concern_disclosure",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("concern_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("exemption", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "outcome IN ('disclosed', 'in_part', 'withheld')", name=op.f("ck_concern_disclosure_outcome")
        ),
        sa.CheckConstraint(
            "num_nonnulls(outcome, decided_by, decided_at) IN (0, 3)", name=op.f("ck_concern_disclosure_decided")
        ),
        sa.CheckConstraint(
            "outcome IS NULL OR outcome = 'disclosed' OR exemption IS NOT NULL",
            name=op.f("ck_concern_disclosure_exemption"),
        ),
        _to("concern_disclosure", "concern_id", "concern.id"),
        _to("concern_disclosure", "member_id", "member.id"),
        _to("concern_disclosure", "decided_by", "member.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_concern_disclosure")),
    )
    op.create_index(
        "uq_concern_disclosure_waiting",
        "concern_disclosure",
        ["concern_id", "member_id"],
        unique=True,
        postgresql_where=sa.text("decided_at IS NULL"),
    )
    op.create_table(
        "concern_audit",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("concern_id", sa.Uuid(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("act", sa.String(), nullable=False),
        sa.Column("details", postgresql.JSONB(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        _to("concern_audit", "concern_id", "concern.id"),
        _to("concern_audit", "actor_id", "member.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_concern_audit")),
    )
    op.create_index("ix_concern_audit_page", "concern_audit", ["concern_id", "id"])
    op.execute(REFUSE_CHANGE)
    op.execute(REFUSE_WORDS)
    op.execute(KEEP_WORDS)
    for table in APPENDED:
        _keep(table, "refuse_change_of_concern()")
    _keep("concern_audit", "refuse_change()")


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
    op.execute("DROP FUNCTION refuse_other_words_of_concern()")
    op.execute("DROP FUNCTION refuse_change_of_concern()")


def _to(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=op.f(f"fk_{table}_{column}"))


def _keep(table: str, refusal: str) -> None:
    op.execute(
        f"CREATE TRIGGER {table}_keeps_rows BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {refusal}"
    )
    op.execute(
        f"CREATE TRIGGER {table}_keeps_all BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
