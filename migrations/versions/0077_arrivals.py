"""Many accounts that join from one network within an hour: a digest for a day, and no address."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0077"
down_revision: str | None = "0075"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "network_key",
        sa.Column("made_on", sa.Date(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("made_on", name=op.f("pk_network_key")),
    )
    op.create_table(
        "arrival",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("network", sa.LargeBinary(), nullable=True),
        sa.Column("is_burst", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_arrival_member_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_arrival")),
    )
    op.create_index(op.f("ix_arrival_network"), "arrival", ["network"])


def downgrade() -> None:
    op.drop_table("arrival")
    op.drop_table("network_key")
