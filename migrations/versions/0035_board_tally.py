"""How many threads and posts readers find on each board, kept as they are written: no list of boards counts them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0035"
down_revision: str | None = "0034"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# In the database and not in the program: the previous release writes posts while this migrates. Each change is a row of
# its own, so that nobody waits for another's; the clean-up adds them up. A thread is shown with its first visible post.
TALLY_BOARD = """
CREATE FUNCTION tally_board() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO board_tally (board_id, threads, posts)
    SELECT board, sum(sign), sum(sign * shown) FROM (
        SELECT OLD.board_id, -1, OLD.posts WHERE TG_OP = 'UPDATE' AND OLD.visibility = 'visible' AND OLD.posts > 0
        UNION ALL
        SELECT NEW.board_id, 1, NEW.posts WHERE NEW.visibility = 'visible' AND NEW.posts > 0
    ) AS changed (board, sign, shown)
    GROUP BY board HAVING sum(sign) <> 0 OR sum(sign * shown) <> 0;
    RETURN NULL;
END $$
"""
ON_NEW_THREAD = """
CREATE TRIGGER board_is_tallied AFTER INSERT ON thread FOR EACH ROW
WHEN (NEW.posts > 0) EXECUTE FUNCTION tally_board()
"""
ON_CHANGED_THREAD = """
CREATE TRIGGER board_is_tallied_anew AFTER UPDATE OF board_id, visibility, posts ON thread FOR EACH ROW
WHEN (OLD.board_id <> NEW.board_id OR OLD.visibility <> NEW.visibility OR OLD.posts <> NEW.posts)
EXECUTE FUNCTION tally_board()
"""
FIRST_TALLY = """
INSERT INTO board_tally (board_id, threads, posts)
SELECT board_id, count(*), sum(posts) FROM thread WHERE visibility = 'visible' AND posts > 0 GROUP BY board_id
"""


def upgrade() -> None:
    op.create_table(
        "board_tally",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("board_id", sa.Integer(), nullable=False),
        sa.Column("threads", sa.Integer(), nullable=False),
        sa.Column("posts", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["board_id"], ["board.id"], name=op.f("fk_board_tally_board_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_board_tally")),
    )
    op.create_index(op.f("ix_board_tally_board_id"), "board_tally", ["board_id"])
    # From here until the commit, nobody writes in a thread: the count takes less than a second for a million threads.
    for statement in (TALLY_BOARD, ON_NEW_THREAD, ON_CHANGED_THREAD, FIRST_TALLY):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TRIGGER board_is_tallied_anew ON thread")
    op.execute("DROP TRIGGER board_is_tallied ON thread")
    op.execute("DROP FUNCTION tally_board()")
    op.drop_table("board_tally")
