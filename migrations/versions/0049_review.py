"""A measure between a warning and a silence: what a member writes is read before it appears, until a date."""

from collections.abc import Sequence

from alembic import op

revision: str = "0049"
down_revision: str | None = "0048"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

MEASURES = (
    *("publish", "refuse", "edit", "redact", "remove", "retitle", "lock", "move", "rename", "warn", "silence"),
    *("suspend", "ban", "dismiss"),
)
STANDINGS = ("silenced", "suspended", "banned")


def allow(table: str, column: str, *values: str) -> None:
    name = f"ck_{table}_{column}"
    op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    allowed = ", ".join(f"'{value}'" for value in values)
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({column} IN ({allowed})) NOT VALID")
    op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")


def upgrade() -> None:
    allow("measure", "kind", *MEASURES, "review")
    allow("sanction", "standing", *STANDINGS, "reviewed")


def downgrade() -> None:
    op.execute("DELETE FROM sanction WHERE standing = 'reviewed'")
    op.execute("DELETE FROM measure WHERE kind = 'review'")
    allow("measure", "kind", *MEASURES)
    allow("sanction", "standing", *STANDINGS)
