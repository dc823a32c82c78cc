"""Advisers keep a thread that they want to answer, leave notes on it, and say that a member's post is right."""

import re
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0055"
down_revision: str | None = "0054"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

NEW_KINDS = ("claim_answered", "claim_ended", "endorsed", "endorsement_ended")
REASONS = "'thanks', 'answered_by_member', 'off_topic', 'elsewhere'"


def allow_kinds(kinds: Sequence[str]) -> None:
    allowed = ", ".join(f"'{kind}'" for kind in kinds)
    op.execute("ALTER TABLE notification DROP CONSTRAINT ck_notification_kind")
    op.execute(f"ALTER TABLE notification ADD CONSTRAINT ck_notification_kind CHECK (kind IN ({allowed})) NOT VALID")
    op.execute("ALTER TABLE notification VALIDATE CONSTRAINT ck_notification_kind")


def known_kinds() -> list[str]:
    """Return the kinds that are allowed: another migration may have added some."""
    named = sa.text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_notification_kind'")
    check: str = op.get_bind().execute(named).scalar_one()
    return re.findall(r"'([a-z_]+)'", check)


def upgrade() -> None:
    op.create_table(
        "thread_claim",
        sa.Column("thread_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_number", sa.Integer(), nullable=False),
        sa.CheckConstraint("until > since", name=op.f("ck_thread_claim_until")),
        sa.ForeignKeyConstraint(
            ["thread_id"], ["thread.id"], name=op.f("fk_thread_claim_thread_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_thread_claim_member_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("thread_id", name=op.f("pk_thread_claim")),
    )
    op.create_index("ix_thread_claim_page", "thread_claim", ["since", "thread_id"])
    op.create_index(op.f("ix_thread_claim_member_id"), "thread_claim", ["member_id"])
    op.create_table(
        "adviser_note",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("thread_id", sa.BigInteger(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("organisation", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("text", sa.String(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(f"reason IN ({REASONS})", name=op.f("ck_adviser_note_reason")),
        sa.CheckConstraint("num_nonnulls(reason, text) >= 1", name=op.f("ck_adviser_note_said")),
        sa.CheckConstraint("char_length(text) BETWEEN 1 AND 2000", name=op.f("ck_adviser_note_text")),
        sa.ForeignKeyConstraint(
            ["thread_id"], ["thread.id"], name=op.f("fk_adviser_note_thread_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["author_id"], ["member.id"], name=op.f("fk_adviser_note_author_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adviser_note")),
    )
    op.create_index("ix_adviser_note_page", "adviser_note", ["thread_id", "id"])
    op.create_index(op.f("ix_adviser_note_author_id"), "adviser_note", ["author_id"])
    op.create_table(
        "endorsement",
        sa.Column("post_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("organisation", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_endorsement_post_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_endorsement_member_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("post_id", "member_id", name=op.f("pk_endorsement")),
    )
    op.create_index(op.f("ix_endorsement_member_id"), "endorsement", ["member_id"])
    allow_kinds([*known_kinds(), *NEW_KINDS])


def downgrade() -> None:
    op.execute(sa.text("DELETE FROM notification WHERE kind = ANY(:kinds)").bindparams(kinds=list(NEW_KINDS)))
    allow_kinds([kind for kind in known_kinds() if kind not in NEW_KINDS])
    op.drop_table("endorsement")
    op.drop_table("adviser_note")
    op.drop_table("thread_claim")
