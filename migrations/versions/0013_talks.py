"""Talks of moderators with a member about a case, notes on members, and who is told of cases and threads."""

import re
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

OF_CASES = ("case_waiting", "case_urgent", "case_handed_over", "case_overdue", "case_without_decider")
OF_TALKS = ("talk_message", "talk_answered")
NOTICES = (
    "thread_locked",
    "thread_unlocked",
    "thread_moved",
    "thread_retitled",
    "case_taken_over",
    *OF_CASES,
    *OF_TALKS,
)
MAILS = ("case_urgent",)


def upgrade() -> None:
    op.create_table(
        "talk",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("persona_id", sa.Uuid(), nullable=False),
        sa.Column("side", sa.String(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("side IN ('author', 'reporter')", name=op.f("ck_talk_side")),
        sa.ForeignKeyConstraint(["case_id"], ["moderation_case.id"], name=op.f("fk_talk_case_id")),
        sa.ForeignKeyConstraint(["persona_id"], ["persona.id"], name=op.f("fk_talk_persona_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_talk")),
        sa.UniqueConstraint("case_id", "persona_id", name=op.f("uq_talk_case_id_persona_id")),
    )
    op.create_index(op.f("ix_talk_persona_id"), "talk", ["persona_id"])
    op.create_table(
        "talk_message",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("talk_id", sa.Uuid(), nullable=False),
        sa.Column("persona_id", sa.Uuid(), nullable=True),
        sa.Column("moderator_id", sa.Uuid(), nullable=True),
        sa.Column("signed", sa.Boolean(), nullable=False),
        sa.Column("crisis", sa.Boolean(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("num_nonnulls(persona_id, moderator_id) = 1", name=op.f("ck_talk_message_writer")),
        sa.ForeignKeyConstraint(["talk_id"], ["talk.id"], name=op.f("fk_talk_message_talk_id")),
        sa.ForeignKeyConstraint(["persona_id"], ["persona.id"], name=op.f("fk_talk_message_persona_id")),
        sa.ForeignKeyConstraint(["moderator_id"], ["member.id"], name=op.f("fk_talk_message_moderator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_talk_message")),
    )
    op.create_index("ix_talk_message_page", "talk_message", ["talk_id", "id"])
    op.create_index(op.f("ix_talk_message_persona_id"), "talk_message", ["persona_id"])
    op.create_table(
        "talk_complaint",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("persona_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["talk_message.id"], name=op.f("fk_talk_complaint_message_id")),
        sa.ForeignKeyConstraint(["case_id"], ["moderation_case.id"], name=op.f("fk_talk_complaint_case_id")),
        sa.ForeignKeyConstraint(["persona_id"], ["persona.id"], name=op.f("fk_talk_complaint_persona_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_talk_complaint")),
        sa.UniqueConstraint("message_id", name=op.f("uq_talk_complaint_message_id")),
    )
    op.create_index(op.f("ix_talk_complaint_case_id"), "talk_complaint", ["case_id"])
    op.create_index(op.f("ix_talk_complaint_persona_id"), "talk_complaint", ["persona_id"])
    op.create_table(
        "member_note",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_member_note_member_id")),
        sa.ForeignKeyConstraint(["author_id"], ["member.id"], name=op.f("fk_member_note_author_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member_note")),
    )
    op.create_index("ix_member_note_page", "member_note", ["member_id", "id"])
    op.create_table(
        "case_alarm",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("claim_until", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["moderation_case.id"], name=op.f("fk_case_alarm_case_id")),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_case_alarm")),
    )
    for table, kinds in (("notification", NOTICES), ("mail", MAILS), ("mailed_link", MAILS)):
        _check_kinds(table, [*_kinds(table), *kinds])
    told_once = (
        ("case", f"kind IN ({_listed(OF_CASES)})"),
        ("talk", f"kind IN ({_listed(OF_TALKS)}) AND read_at IS NULL"),
    )
    for name, where in told_once:
        columns = ["subject_id", "member_id", "kind"]
        op.create_index(
            f"uq_notification_{name}", "notification", columns, unique=True, postgresql_where=sa.text(where)
        )


def downgrade() -> None:
    for name in ("talk", "case"):
        op.drop_index(f"uq_notification_{name}", "notification")
    for table, kinds in (("mailed_link", MAILS), ("mail", MAILS), ("notification", NOTICES)):
        op.execute(f"DELETE FROM {table} WHERE kind IN ({_listed(kinds)})")  # noqa: S608
        _check_kinds(table, [kind for kind in _kinds(table) if kind not in kinds])
    for table in ("case_alarm", "member_note", "talk_complaint", "talk_message", "talk"):
        op.drop_table(table)


def _kinds(table: str) -> list[str]:
    """Return the kinds that a table may have at this moment."""
    asked = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name"
    found = op.get_bind().execute(sa.text(asked), {"name": f"ck_{table}_kind"}).scalar_one()
    return re.findall(r"'(\w+)'", found)


def _check_kinds(table: str, kinds: Sequence[str]) -> None:
    """Let a table have these kinds; the rows that are there are checked without holding up writers."""
    op.execute(f"ALTER TABLE {table} DROP CONSTRAINT ck_{table}_kind")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_kind CHECK (kind IN ({_listed(kinds)})) NOT VALID")
    op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT ck_{table}_kind")


def _listed(kinds: Sequence[str]) -> str:
    return ", ".join(repr(kind) for kind in kinds)
