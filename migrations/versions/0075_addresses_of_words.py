"""Addresses of words under which threads were read on an old site: digests, that lead to where the threads are now."""

from collections.abc import Sequence

from alembic import op

revision: str = "0075"
down_revision: str | None = "0074e"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def allow(*more: str) -> None:
    """Replace the two checks, then look at the rows that are there without keeping anybody from writing."""
    kinds, of_threads = (
        ", ".join(f"'{kind}'" for kind in (*known, *more))
        for known in (("board", "person", "thread", "post"), ("thread", "post"))
    )
    checks = {
        "ck_moved_kind": f"kind IN ({kinds})",
        "ck_moved_to": f"(board_id IS NOT NULL) = (kind = 'board') AND (thread_id IS NOT NULL) = (kind IN "
        f"({of_threads})) AND (number IS NOT NULL) = (kind = 'post') AND (member_id IS NULL OR kind = 'person') "
        "AND (edited_by IS NULL OR kind = 'post')",
    }
    for name, check in checks.items():
        op.execute(f"ALTER TABLE moved DROP CONSTRAINT IF EXISTS {name}")
        op.execute(f"ALTER TABLE moved ADD CONSTRAINT {name} CHECK ({check}) NOT VALID")
    with op.get_context().autocommit_block():
        for name in checks:
            op.execute(f"ALTER TABLE moved VALIDATE CONSTRAINT {name}")


def upgrade() -> None:
    allow("address")


def downgrade() -> None:
    op.execute("DELETE FROM moved WHERE kind = 'address'")
    allow()
