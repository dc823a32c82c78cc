"""Who dismissed what was then reopened on appeal, so that somebody else decides it."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("moderation_case", sa.Column("barred_id", sa.Uuid(), nullable=True))
    # Checked without holding up writers: no row has one yet.
    op.execute(
        "ALTER TABLE moderation_case ADD CONSTRAINT fk_moderation_case_barred_id "
        "FOREIGN KEY (barred_id) REFERENCES member (id) NOT VALID"
    )
    op.execute("ALTER TABLE moderation_case VALIDATE CONSTRAINT fk_moderation_case_barred_id")


def downgrade() -> None:
    op.drop_column("moderation_case", "barred_id")
