"""Boards have a version, and can be archived; a lost mailbox is replaced; what the forum's operation did at least once."""

import re
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


KIND, WITH_KIND = "lost_mailbox", ("notification", "mail", "mailed_link")


def upgrade() -> None:
    op.add_column("board", sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("board", sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("board", sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("board", sa.Column("changed_by", sa.Uuid(), nullable=True))
    name = op.f("fk_board_changed_by")
    op.create_foreign_key(name, "board", "member", ["changed_by"], ["id"], postgresql_not_valid=True)
    op.create_table(
        "milestone",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('mail_sent', 'backup_made')", name=op.f("ck_milestone_kind")),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_milestone")),
    )
    op.create_table(
        "lost_mailbox",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("proposed_by", sa.Uuid(), nullable=True),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("agreed_by", sa.Uuid(), nullable=True),
        sa.Column("agreed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("proposed_by <> member_id AND agreed_by <> member_id", name=op.f("ck_lost_mailbox_others")),
        sa.CheckConstraint("(agreed_at IS NULL) = (due_at IS NULL)", name=op.f("ck_lost_mailbox_due")),
        sa.CheckConstraint("due_at > agreed_at", name=op.f("ck_lost_mailbox_order")),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_lost_mailbox_member_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["proposed_by"], ["member.id"], name=op.f("fk_lost_mailbox_proposed_by")),
        sa.ForeignKeyConstraint(["agreed_by"], ["member.id"], name=op.f("fk_lost_mailbox_agreed_by")),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_lost_mailbox")),
    )
    for table in WITH_KIND:
        _check_kinds(table, [*_kinds(table), KIND])
    op.execute(f"ALTER TABLE board VALIDATE CONSTRAINT {name}")


def downgrade() -> None:
    for table in reversed(WITH_KIND):
        op.execute(f"DELETE FROM {table} WHERE kind = '{KIND}'")  # noqa: S608 - ours
        _check_kinds(table, [kind for kind in _kinds(table) if kind != KIND])
    op.drop_table("lost_mailbox")
    op.drop_table("milestone")
    op.drop_column("board", "changed_by")
    op.drop_column("board", "changed_at")
    op.drop_column("board", "archived_at")
    op.drop_column("board", "version")


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
