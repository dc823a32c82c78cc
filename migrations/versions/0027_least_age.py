"""Who joins says that they have reached an age, and it is kept that they did."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0027"
down_revision: str | None = "0026"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # A lock of a moment: the column has no default and no check.
    op.add_column("member", sa.Column("least_age", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("member", "least_age")
