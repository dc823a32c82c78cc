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
STATES_BEFORE = ("running", "ended")
STATES = (*STATES_BEFORE, "undoing", "undone")


def upgrade() -> None:
    op.add_column("old_login", sa.Column("told_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("import_run", sa.Column("forgotten_at", sa.DateTime(timezone=True), nullable=True))
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
    op.drop_column("import_run", "forgotten_at")
    op.drop_column("old_login", "told_at")


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
