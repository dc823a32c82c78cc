"""Members follow threads and boards; a notification tells of several posts of a thread; each post is told of once.

What is there by now counts as told: nobody hears of an old post because it is shown again.
"""

import re
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0030"
down_revision: str | None = "0029"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

KINDS = ("adviser_answered", "mention", "quote", "reply", "thread_post", "board_post")
NUMBERS = "(thread_id IS NULL) = (numbers IS NULL) AND cardinality(numbers) > 0"
UNREAD = "read_at IS NULL AND thread_id IS NOT NULL"


def upgrade() -> None:
    op.create_table(
        "subscription",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("thread_id", sa.BigInteger(), nullable=True),
        sa.Column("board_id", sa.Integer(), nullable=True),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("chosen_by", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("num_nonnulls(thread_id, board_id) = 1", name=op.f("ck_subscription_place")),
        sa.CheckConstraint("mode IN ('each', 'digest', 'off')", name=op.f("ck_subscription_mode")),
        sa.CheckConstraint("chosen_by IN ('self', 'reply')", name=op.f("ck_subscription_chosen_by")),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_subscription_member_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["thread_id"], ["thread.id"], name=op.f("fk_subscription_thread_id")),
        sa.ForeignKeyConstraint(["board_id"], ["board.id"], name=op.f("fk_subscription_board_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription")),
        sa.UniqueConstraint("thread_id", "member_id", name=op.f("uq_subscription_thread_id_member_id")),
        sa.UniqueConstraint("board_id", "member_id", name=op.f("uq_subscription_board_id_member_id")),
    )
    op.create_index("ix_subscription_page", "subscription", ["member_id", "id"])
    op.add_column("notification", sa.Column("thread_id", sa.BigInteger(), nullable=True))
    op.add_column("notification", sa.Column("numbers", postgresql.ARRAY(sa.Integer()), nullable=True))
    _add(f"ck_notification_numbers CHECK ({NUMBERS})")
    _add("fk_notification_thread_id FOREIGN KEY (thread_id) REFERENCES thread (id)")
    # Writers wait for it: no row is in it yet, but each is looked at.
    op.create_index(
        "uq_notification_thread",
        "notification",
        ["member_id", "kind", "thread_id"],
        unique=True,
        postgresql_where=sa.text(UNREAD),
    )
    _check_kinds([*_kinds(), *KINDS])
    # A default that is the same for all rows is stored once: no row is written.
    told = sa.Column("told_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=True)
    op.add_column("post", told)
    op.alter_column("post", "told_at", server_default=None)
    op.execute("UPDATE post SET told_at = NULL WHERE visibility = 'held'")


def downgrade() -> None:
    op.drop_column("post", "told_at")
    told = ", ".join(map(repr, KINDS))
    op.execute(f"DELETE FROM notification WHERE kind IN ({told})")  # noqa: S608 - ours
    _check_kinds([kind for kind in _kinds() if kind not in KINDS])
    op.drop_index("uq_notification_thread", "notification")
    op.drop_constraint(op.f("fk_notification_thread_id"), "notification", type_="foreignkey")
    op.drop_constraint(op.f("ck_notification_numbers"), "notification", type_="check")
    op.drop_column("notification", "numbers")
    op.drop_column("notification", "thread_id")
    op.drop_table("subscription")


def _add(constraint: str) -> None:
    """Add a constraint to the notifications; the rows that are there are checked without holding up writers."""
    op.execute(f"ALTER TABLE notification ADD CONSTRAINT {constraint} NOT VALID")
    op.execute(f"ALTER TABLE notification VALIDATE CONSTRAINT {constraint.split(maxsplit=1)[0]}")


def _kinds() -> list[str]:
    """Return the kinds of notifications at this moment."""
    asked = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_notification_kind'"
    return re.findall(r"'(\w+)'", op.get_bind().execute(sa.text(asked)).scalar_one())


def _check_kinds(kinds: Sequence[str]) -> None:
    """Let notifications have these kinds."""
    op.execute("ALTER TABLE notification DROP CONSTRAINT ck_notification_kind")
    _add(f"ck_notification_kind CHECK (kind IN ({', '.join(map(repr, kinds))}))")
