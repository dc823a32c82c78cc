"""Boards have a version, and can be archived; what the forum's operation did at least once."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


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
    op.execute(f"ALTER TABLE board VALIDATE CONSTRAINT {name}")


def downgrade() -> None:
    op.drop_table("milestone")
    op.drop_column("board", "changed_by")
    op.drop_column("board", "changed_at")
    op.drop_column("board", "archived_at")
    op.drop_column("board", "version")
