"""Why a thread is locked, for those who read it."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0020"
down_revision: str | None = "0019"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

LENGTH = "char_length(lock_reason) BETWEEN 1 AND 500"


def upgrade() -> None:
    # A lock of a moment; the rows that there are pass the check anyway.
    op.add_column("thread", sa.Column("lock_reason", sa.String(), nullable=True))
    op.create_check_constraint(op.f("ck_thread_lock_reason"), "thread", LENGTH, postgresql_not_valid=True)
    op.execute("ALTER TABLE thread VALIDATE CONSTRAINT ck_thread_lock_reason")


def downgrade() -> None:
    op.drop_column("thread", "lock_reason")
