"""Threads wait in two lanes: what somebody asks, and below it what they tell. A job sorts what waited before."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0054"
down_revision: str | None = "0053"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

LANES = "(asked_since IS NULL) = (asked_number IS NULL) AND (news_since IS NULL) = (news_number IS NULL)"


def add_check(table: str, name: str, condition: str) -> None:
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_{name} CHECK ({condition}) NOT VALID")
    op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT ck_{table}_{name}")


def upgrade() -> None:
    op.add_column("post", sa.Column("asks", sa.Boolean(), nullable=True))
    op.add_column("post", sa.Column("lane", sa.String(), nullable=True))
    add_check("post", "lane", "lane IN ('asked', 'news')")
    op.add_column("draft", sa.Column("asks", sa.Boolean(), nullable=True))
    for lane in ("asked", "news"):
        op.add_column("thread", sa.Column(f"{lane}_since", sa.DateTime(timezone=True), nullable=True))
        op.add_column("thread", sa.Column(f"{lane}_number", sa.Integer(), nullable=True))
        op.create_index(
            f"ix_thread_{lane}",
            "thread",
            [f"{lane}_since", "id"],
            postgresql_where=sa.text(f"{lane}_since IS NOT NULL"),
        )
    add_check("thread", "lanes", LANES)


def downgrade() -> None:
    # The release before knows one list: what asks is on it again.
    op.execute("UPDATE thread SET waiting_since = asked_since WHERE asked_since IS NOT NULL")
    op.drop_constraint("ck_thread_lanes", "thread", type_="check")
    for lane in ("asked", "news"):
        op.drop_index(f"ix_thread_{lane}", "thread")
        op.drop_column("thread", f"{lane}_number")
        op.drop_column("thread", f"{lane}_since")
    op.drop_column("draft", "asks")
    op.drop_constraint("ck_post_lane", "post", type_="check")
    op.drop_column("post", "lane")
    op.drop_column("post", "asks")
