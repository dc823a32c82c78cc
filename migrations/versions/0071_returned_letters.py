"""Letters that a mail server took and another sent back: three in a row stop them, as three refusals do."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0071"
down_revision: str | None = "0070"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # A constant default is not written into the rows.
    op.add_column("letter_choice", sa.Column("returns", sa.Integer(), server_default="0", nullable=False))
    op.add_column("letter_choice", sa.Column("returned_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("letter_choice", "returned_at")
    op.drop_column("letter_choice", "returns")
