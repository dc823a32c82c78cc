"""A link that verified an address is kept until it expires, so that a repeat is answered as the first time."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0018b"
down_revision: str | None = "0018"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("mailed_link", sa.Column("used_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.execute("DELETE FROM mailed_link WHERE used_at IS NOT NULL")
    op.drop_column("mailed_link", "used_at")
