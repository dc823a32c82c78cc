"""When a nightly backup failed, and when one was restored to see whether it is good; administrators are told."""

import re
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0065"
down_revision: str | None = "0063"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

MILESTONES = ("backup_failed", "restore_tested", "restore_failed")
NOTICE = "backup_failed"


def allow_kinds(table: str, kinds: Sequence[str]) -> None:
    """Replace the check; then look at the rows that are there without keeping anybody from writing.

    The check is committed first: in one transaction, the table would be locked for as long as the look takes.
    """
    name, listed = f"ck_{table}_kind", ", ".join(f"'{kind}'" for kind in kinds)
    op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK (kind IN ({listed})) NOT VALID")
    with op.get_context().autocommit_block():
        op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")


def known_kinds(table: str) -> list[str]:
    """Return the kinds that are allowed: another migration may have added some."""
    named = sa.text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name")
    check: str = op.get_bind().execute(named.bindparams(name=f"ck_{table}_kind")).scalar_one()
    return re.findall(r"'([a-z_]+)'", check)


def add_kinds(table: str, *kinds: str) -> None:
    known = known_kinds(table)
    allow_kinds(table, [*known, *(kind for kind in kinds if kind not in known)])


def remove_kinds(table: str, *kinds: str) -> None:
    op.execute(sa.text(f"DELETE FROM {table} WHERE kind = ANY(:kinds)").bindparams(kinds=list(kinds)))  # noqa: S608
    allow_kinds(table, [kind for kind in known_kinds(table) if kind not in kinds])


def upgrade() -> None:
    add_kinds("milestone", *MILESTONES)
    add_kinds("notification", NOTICE)


def downgrade() -> None:
    remove_kinds("notification", NOTICE)
    remove_kinds("milestone", *MILESTONES)
