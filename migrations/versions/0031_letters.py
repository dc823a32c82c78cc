"""Which mails members chose to get about what is new for them, and to whom one is due."""

import re
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0031"
down_revision: str | None = "0030"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


NEW_KINDS = {"notification": "mails_stopped", "mail": "news", "mailed_link": "news"}


def upgrade() -> None:
    for table, kind in NEW_KINDS.items():
        _check_kinds(table, [*_kinds(table), kind])
    op.create_table(
        "letter_choice",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("at", sa.Time(), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("quiet_from", sa.Time(), nullable=True),
        sa.Column("quiet_to", sa.Time(), nullable=True),
        sa.Column("paused_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refusals", sa.Integer(), nullable=False),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("mode IN ('off', 'daily', 'soon')", name=op.f("ck_letter_choice_mode")),
        sa.CheckConstraint(
            "(quiet_from IS NULL) = (quiet_to IS NULL) AND quiet_from IS DISTINCT FROM coalesce(quiet_to, '00:00')",
            name=op.f("ck_letter_choice_quiet"),
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_letter_choice_member_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_letter_choice")),
    )
    op.create_table(
        "mail_due",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_mail_due_member_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_mail_due")),
    )
    op.create_index(op.f("ix_mail_due_due_at"), "mail_due", ["due_at"])
    op.create_table(
        "off_link",
        sa.Column("token_digest", sa.LargeBinary(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_off_link_member_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token_digest", name=op.f("pk_off_link")),
    )
    op.create_index(op.f("ix_off_link_member_id"), "off_link", ["member_id"])


def downgrade() -> None:
    op.drop_table("off_link")
    op.drop_table("mail_due")
    op.drop_table("letter_choice")
    for table, kind in NEW_KINDS.items():
        op.execute(f"DELETE FROM {table} WHERE kind = '{kind}'")  # noqa: S608 - ours
        _check_kinds(table, [known for known in _kinds(table) if known != kind])


def _kinds(table: str) -> list[str]:
    """Return the kinds that a table's rows can have at this moment."""
    asked = f"SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_{table}_kind'"  # noqa: S608 - ours
    return re.findall(r"'(\w+)'", op.get_bind().execute(sa.text(asked)).scalar_one())


def _check_kinds(table: str, kinds: Sequence[str]) -> None:
    """Let a table's rows have these kinds; those that are there are checked without holding up writers."""
    name, listed = f"ck_{table}_kind", ", ".join(map(repr, kinds))
    op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK (kind IN ({listed})) NOT VALID")
    op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
