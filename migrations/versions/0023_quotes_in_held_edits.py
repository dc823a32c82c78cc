"""What edits quote that were held is recorded, too: by the job that records the quotes of older posts."""

from collections.abc import Sequence

from alembic import op

revision: str = "0023"
down_revision: str | None = "0021"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.execute("UPDATE post SET quotes_recorded = false WHERE id IN (SELECT post_id FROM held_edit)")


def downgrade() -> None:
    # In the place of a revision: the previous release would not find or delete them.
    op.execute("DELETE FROM post_quote WHERE revision = 0")
    op.execute("DELETE FROM quoted_words WHERE revision = 0")
