"""Opening hours of boards, and the notes that one shift of moderators leaves for the next."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0048"
down_revision: str | None = "0047"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("board", sa.Column("hours", postgresql.JSONB(), nullable=True))
    op.execute("ALTER TABLE board ADD CONSTRAINT ck_board_hours CHECK (jsonb_typeof(hours) = 'object') NOT VALID")
    op.execute("ALTER TABLE board VALIDATE CONSTRAINT ck_board_hours")
    op.create_table(
        "handover_note",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("board_id", sa.BigInteger(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["board_id"], ["board.id"], name=op.f("fk_handover_note_board_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["author_id"], ["member.id"], name=op.f("fk_handover_note_author_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handover_note")),
    )
    op.create_index("ix_handover_note_page", "handover_note", ["board_id", "id"])
    op.create_index(op.f("ix_handover_note_author_id"), "handover_note", ["author_id"])


def downgrade() -> None:
    op.drop_table("handover_note")
    op.drop_constraint("ck_board_hours", "board", type_="check")
    op.drop_column("board", "hours")
