"""A request to join can be sent again: what its key made."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0018"
down_revision: str | None = "0017"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "guest_repeat",
        sa.Column("key_digest", sa.LargeBinary(), nullable=False),
        sa.Column("body_digest", sa.LargeBinary(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_guest_repeat_member_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key_digest", name=op.f("pk_guest_repeat")),
    )
    op.create_index(op.f("ix_guest_repeat_member_id"), "guest_repeat", ["member_id"])
    op.create_index(op.f("ix_guest_repeat_made_at"), "guest_repeat", ["made_at"])


def downgrade() -> None:
    op.drop_table("guest_repeat")
