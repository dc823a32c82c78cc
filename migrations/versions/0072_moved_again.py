"""What something of an old board was when a run last saw it, and what that run left here: a later run compares both."""

from collections.abc import Sequence

from alembic import op

revision: str = "0072"
down_revision: str | None = "0071"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

CHECKS = {
    "was": "was IN ('waiting', 'removed', 'gone', 'banned')",
    "left": "(revision IS NULL OR kind IN ('thread', 'post')) AND (stood_on IS NULL OR kind = 'thread')",
}


COLUMNS = {"revision": "integer", "was": "varchar", "stood_on": "varchar"}
# With whoever leaves, it is forgotten, too, that they were banned there.
FORGET = """
CREATE OR REPLACE FUNCTION forget_who_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.left_at IS NULL AND NEW.left_at IS NOT NULL
        AND EXISTS (SELECT FROM moved WHERE member_id = NEW.id) THEN
        UPDATE post SET notice = notice || '{"by": null, "text": "Edited by a moderator"}' FROM moved
        WHERE moved.edited_by = NEW.id AND moved.thread_id = post.thread_id AND moved.number = post.number
            AND notice ->> 'kind' = 'edited' AND notice -> 'rules' = '[]';
        UPDATE moved SET edited_by = NULL, digest = NULL WHERE edited_by = NEW.id;
        UPDATE moved SET digest = NULL FROM post
        WHERE post.author_id = NEW.id AND moved.thread_id = post.thread_id AND moved.number = post.number;
        UPDATE moved SET digest = NULL FROM thread
        WHERE thread.author_id = NEW.id AND moved.thread_id = thread.id AND moved.kind = 'thread';
        UPDATE moved SET member_id = NULL, digest = NULL, was = NULL WHERE member_id = NEW.id;
    END IF;
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    # All of it can be done twice: it is committed before the rows are looked at, and may be killed there.
    for column, kind in COLUMNS.items():
        op.execute(f"ALTER TABLE moved ADD COLUMN IF NOT EXISTS {column} {kind}")
    for name, check in CHECKS.items():
        op.execute(f"ALTER TABLE moved DROP CONSTRAINT IF EXISTS ck_moved_{name}")
        op.execute(f"ALTER TABLE moved ADD CONSTRAINT ck_moved_{name} CHECK ({check}) NOT VALID")
    # Whoever is banned here was banned there: a later run does not ban them again once a moderator has lifted it.
    op.execute(
        "UPDATE moved SET was = 'banned' WHERE kind = 'person' "
        "AND member_id IN (SELECT member_id FROM sanction WHERE standing = 'banned')"
    )
    op.execute(FORGET)
    with op.get_context().autocommit_block():
        for name in CHECKS:
            op.execute(f"ALTER TABLE moved VALIDATE CONSTRAINT ck_moved_{name}")


def downgrade() -> None:
    op.execute(FORGET.replace(", was = NULL", ""))
    for name in CHECKS:
        op.execute(f"ALTER TABLE moved DROP CONSTRAINT ck_moved_{name}")
    for column in COLUMNS:
        op.drop_column("moved", column)
