"""Safeguarding leads are told of concerns."""

import re
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0047"
down_revision: str | None = "0046"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

NOTICES = ("concern_waiting", "concern_review", "concern_disclosure", "concern_without_lead")
MAILS = ("concern_waiting",)
KINDS = (("notification", NOTICES), ("mail", MAILS), ("mailed_link", MAILS))


def upgrade() -> None:
    for table, kinds in KINDS:
        _check_kinds(table, [*_kinds(table), *kinds])
    op.create_index(
        "uq_notification_concern",
        "notification",
        ["member_id", "kind", "subject_id"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text(f"kind IN ({_listed(NOTICES)})"),
    )


def downgrade() -> None:
    op.drop_index("uq_notification_concern", "notification")
    for table, kinds in reversed(KINDS):
        op.execute(f"DELETE FROM {table} WHERE kind IN ({_listed(kinds)})")  # noqa: S608
        _check_kinds(table, [kind for kind in _kinds(table) if kind not in kinds])


def _kinds(table: str) -> list[str]:
    """Return the kinds that a table may have at this moment."""
    asked = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name"
    found = op.get_bind().execute(sa.text(asked), {"name": f"ck_{table}_kind"}).scalar_one()
    return re.findall(r"'(\w+)'", found)


def _check_kinds(table: str, kinds: Sequence[str]) -> None:
    """Let a table have these kinds. Whoever writes waits while the rows are looked at once."""
    op.execute(f"ALTER TABLE {table} DROP CONSTRAINT ck_{table}_kind")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_kind CHECK (kind IN ({_listed(kinds)})) NOT VALID")
    op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT ck_{table}_kind")


def _listed(kinds: Sequence[str]) -> str:
    return ", ".join(repr(kind) for kind in kinds)
