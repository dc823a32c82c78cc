"""What waits too long is told; who of staff made a report does not answer it; a year that is over keeps its numbers."""

import re
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0052"
down_revision: str | None = "0051"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

NOTICES = ("public_report_overdue", "service_complaint_overdue", "service_complaint_without_hearer")


def upgrade() -> None:
    op.add_column("public_report", sa.Column("filed_by", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_public_report_filed_by"), "public_report", "member", ["filed_by"], ["id"], postgresql_not_valid=True
    )
    op.execute("ALTER TABLE public_report VALIDATE CONSTRAINT fk_public_report_filed_by")
    op.create_table(
        "address_disclosure",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("disclosed_by", sa.Uuid(), nullable=False),
        sa.Column("disclosed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("exemption", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["moderation_case.id"], name=op.f("fk_address_disclosure_case_id")),
        sa.ForeignKeyConstraint(["disclosed_by"], ["member.id"], name=op.f("fk_address_disclosure_disclosed_by")),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_address_disclosure_member_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_address_disclosure")),
    )
    op.create_index(op.f("ix_address_disclosure_member_id"), "address_disclosure", ["member_id"])
    # To whom it went stands in the note on the case alone.
    op.execute(
        """
        INSERT INTO address_disclosure (id, case_id, member_id, disclosed_by, disclosed_at, recipient)
        SELECT gen_random_uuid(), moderation_case.id, member.id, actor_id, audit_entry.at, ''
        FROM audit_entry
        JOIN moderation_case ON moderation_case.id::text = audit_entry.subject_id
        LEFT JOIN persona_owner ON persona_owner.persona_id = moderation_case.subject_persona_id
        JOIN member ON member.id = coalesce(persona_owner.member_id, moderation_case.subject_persona_id)
        WHERE act = 'address.disclosed' AND actor_id IS NOT NULL AND left_at IS NULL
        """
    )
    op.create_table(
        "addressed_help",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("post_id", sa.BigInteger(), nullable=False),
        sa.Column("thread_id", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("put_away_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_addressed_help_member_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_addressed_help_post_id")),
        sa.ForeignKeyConstraint(["thread_id"], ["thread.id"], name=op.f("fk_addressed_help_thread_id")),
        sa.PrimaryKeyConstraint("member_id", "post_id", name=op.f("pk_addressed_help")),
    )
    op.create_index("ix_addressed_help_thread", "addressed_help", ["member_id", "thread_id"])
    op.create_table(
        "transparency_year",
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sections", postgresql.JSONB(), nullable=False),
        sa.Column("median_minutes", sa.Integer(), nullable=True),
        sa.Column("kept_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("year", name=op.f("pk_transparency_year")),
    )
    _check_kinds([*_kinds(), *NOTICES])


def downgrade() -> None:
    op.drop_table("transparency_year")
    op.drop_table("addressed_help")
    op.drop_table("address_disclosure")
    op.drop_column("public_report", "filed_by")
    notification = sa.table("notification", sa.column("kind", sa.String()))
    op.execute(sa.delete(notification).where(notification.c.kind.in_(NOTICES)))
    _check_kinds([kind for kind in _kinds() if kind not in NOTICES])


def _kinds() -> list[str]:
    """Return the kinds of notifications at this moment."""
    asked = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_notification_kind'"
    return re.findall(r"'(\w+)'", op.get_bind().execute(sa.text(asked)).scalar_one())


def _check_kinds(kinds: Sequence[str]) -> None:
    """Let notifications have these kinds. Whoever writes waits while the rows are looked at once."""
    listed = ", ".join(repr(kind) for kind in kinds)
    op.execute("ALTER TABLE notification DROP CONSTRAINT ck_notification_kind")
    op.execute(f"ALTER TABLE notification ADD CONSTRAINT ck_notification_kind CHECK (kind IN ({listed})) NOT VALID")
    op.execute("ALTER TABLE notification VALIDATE CONSTRAINT ck_notification_kind")
