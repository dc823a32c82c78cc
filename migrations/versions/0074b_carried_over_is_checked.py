"""The rows that were there before an old board's decisions could be kept are looked at, and nobody waits for it."""

from collections.abc import Sequence

from alembic import op

revision: str = "0074b"
down_revision: str | None = "0074"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

NOT_VALID = (
    ("decision", "fk_decision_import_run_id"),
    ("decision", "fk_decision_hears_hears_run_id"),
    ("decision", "ck_decision_decided_by"),
    ("decision", "ck_decision_hears"),
    ("watched_term", "fk_watched_term_import_run_id"),
    ("watched_term", "ck_watched_term_by"),
    ("watched_term", "ck_watched_term_offered"),
    ("moved", "ck_moved_merged"),
)


def upgrade() -> None:
    for table, name in NOT_VALID:
        op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")


def downgrade() -> None:
    """Leave them checked: nothing of the release before minds."""
