"""Who is on call, who says that they are here, and who was called to a case."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0038"
down_revision: str | None = "0037"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

WEEKDAYS = "'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'"


def upgrade() -> None:
    op.create_table(
        "on_call_shift",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("board_id", sa.BigInteger(), nullable=True),
        sa.Column("weekdays", postgresql.ARRAY(sa.String()), nullable=False),
        sa.Column("starts", sa.Time(), nullable=False),
        sa.Column("ends", sa.Time(), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            f"cardinality(weekdays) > 0 AND weekdays <@ ARRAY[{WEEKDAYS}]::varchar[]",
            name=op.f("ck_on_call_shift_weekdays"),
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_on_call_shift_member_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["board_id"], ["board.id"], name=op.f("fk_on_call_shift_board_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_on_call_shift")),
    )
    op.create_index(op.f("ix_on_call_shift_member_id"), "on_call_shift", ["member_id"])
    op.create_table(
        "on_call_presence",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("until > since", name=op.f("ck_on_call_presence_until")),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_on_call_presence_member_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_on_call_presence")),
    )
    op.create_table(
        "case_call",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("alarm_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("because", sa.String(), nullable=False),
        sa.Column("how", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "because IN ('on_call', 'everybody', 'nobody_answered', 'handed_over', 'overdue')",
            name=op.f("ck_case_call_because"),
        ),
        sa.CheckConstraint("how IN ('notification', 'mail')", name=op.f("ck_case_call_how")),
        sa.ForeignKeyConstraint(
            ["case_id"], ["moderation_case.id"], name=op.f("fk_case_call_case_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_case_call_member_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_call")),
    )
    op.create_index(op.f("ix_case_call_case_id"), "case_call", ["case_id"])
    op.create_index(op.f("ix_case_call_member_id"), "case_call", ["member_id"])


def downgrade() -> None:
    for table in ("case_call", "on_call_presence", "on_call_shift"):
        op.drop_table(table)
