"""Posts of ordinary length are kept as they are: to unpack twenty takes longer than to read them."""

from collections.abc import Sequence

from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # No row is rewritten: what is there stays packed until it is edited. 4080 bytes: two rows a page.
    op.execute("ALTER TABLE post SET (toast_tuple_target = 4080)")


def downgrade() -> None:
    op.execute("ALTER TABLE post RESET (toast_tuple_target)")
