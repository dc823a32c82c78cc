"""An import can be taken back, and members of the old board are told once, by one letter, that it moved."""

import re
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0074c"
down_revision: str | None = "0074b"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

NEW_KIND = "moved"
TABLES = ("mail", "mailed_link")
COLUMNS = (("old_login", "told_at"), ("import_run", "forgotten_at"))
STATES_BEFORE = ("running", "ended")
STATES = (*STATES_BEFORE, "undoing", "undone")


def upgrade() -> None:
    # All of it can be done twice: it is committed before the rows are looked at, and may be killed there.
    for table, column in COLUMNS:
        op.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {column} timestamptz")
    # A few rows: one for each run.
    allow_states(STATES, "(state = 'running') = (ended_at IS NULL)")
    for table in TABLES:
        allow_kinds(table, [kind for kind in known_kinds(table) if kind != NEW_KIND] + [NEW_KIND])


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"DELETE FROM {table} WHERE kind = '{NEW_KIND}'")  # noqa: S608 (ours)
        allow_kinds(table, [kind for kind in known_kinds(table) if kind != NEW_KIND])
    op.execute("UPDATE import_run SET state = 'ended' WHERE state IN ('undoing', 'undone')")
    allow_states(STATES_BEFORE, "(state = 'ended') = (ended_at IS NOT NULL)")
    for table, column in reversed(COLUMNS):
        op.drop_column(table, column)


def allow_states(states: Sequence[str], ended: str) -> None:
    listed = ", ".join(f"'{state}'" for state in states)
    for name, condition in (("state", f"state IN ({listed})"), ("ended", ended)):
        op.execute(f"ALTER TABLE import_run DROP CONSTRAINT ck_import_run_{name}")
        op.execute(f"ALTER TABLE import_run ADD CONSTRAINT ck_import_run_{name} CHECK ({condition})")


def allow_kinds(table: str, kinds: Sequence[str]) -> None:
    allowed = ", ".join(f"'{kind}'" for kind in kinds)
    op.execute(f"ALTER TABLE {table} DROP CONSTRAINT ck_{table}_kind")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_kind CHECK (kind IN ({allowed})) NOT VALID")
    # After the commit: in one transaction, the table would be locked for as long as the look takes.
    with op.get_context().autocommit_block():
        op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT ck_{table}_kind")


def known_kinds(table: str) -> list[str]:
    """Return the kinds that are allowed: another migration may have added some."""
    named = sa.text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name")
    check: str = op.get_bind().execute(named, {"name": f"ck_{table}_kind"}).scalar_one()
    return re.findall(r"'([a-z_]+)'", check)
