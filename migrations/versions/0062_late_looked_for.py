"""When it was last looked for threads that wait too long: once a day, also after the worker was away."""

from collections.abc import Sequence

from alembic import op

revision: str = "0062"
down_revision: str | None = "0061"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BEFORE = ("mail_sent", "backup_made")


def check_kinds(*kinds: str) -> None:
    op.drop_constraint("ck_milestone_kind", "milestone", type_="check")
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    op.execute(f"ALTER TABLE milestone ADD CONSTRAINT ck_milestone_kind CHECK (kind IN ({listed}))")


def upgrade() -> None:
    check_kinds(*BEFORE, "late_looked_for")


def downgrade() -> None:
    op.execute("DELETE FROM milestone WHERE kind = 'late_looked_for'")
    check_kinds(*BEFORE)
