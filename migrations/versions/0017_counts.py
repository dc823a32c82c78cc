"""How many visible posts each name has on each board, kept as they are written, so that a card counts no posts."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0017"
down_revision: str | None = "0016"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# In the database and not in the program: the previous release writes posts while this migrates. Each change is a row of
# its own, so that nobody waits for another's; the clean-up adds them up.
TALLY_POST = """
CREATE FUNCTION tally_post() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Whoever changes a post's visibility locks its thread next. Locked already here, it cannot be moved meanwhile.
    -- A post in a thread that nobody sees counts once the thread is seen (tally_thread).
    INSERT INTO post_tally (persona_id, board_id, posts)
    SELECT NEW.author_id, place.board_id, CASE WHEN NEW.visibility = 'visible' THEN 1 ELSE -1 END
    FROM (SELECT board_id, visibility FROM thread WHERE id = NEW.thread_id FOR NO KEY UPDATE) AS place
    WHERE place.visibility = 'visible';
    RETURN NULL;
END $$
"""
ON_NEW_POST = """
CREATE TRIGGER post_is_tallied AFTER INSERT ON post FOR EACH ROW
WHEN (NEW.visibility = 'visible') EXECUTE FUNCTION tally_post()
"""
ON_CHANGED_POST = """
CREATE TRIGGER post_is_tallied_anew AFTER UPDATE OF visibility ON post FOR EACH ROW
WHEN (OLD.visibility <> NEW.visibility AND 'visible' IN (OLD.visibility, NEW.visibility)) EXECUTE FUNCTION tally_post()
"""
TALLY_THREAD = """
CREATE FUNCTION tally_thread() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO post_tally (persona_id, board_id, posts)
    SELECT author_id, moved.board, moved.sign * count(*)
    FROM post, (VALUES (OLD.board_id, OLD.visibility, -1), (NEW.board_id, NEW.visibility, 1)) AS moved (board, seen, sign)
    WHERE thread_id = NEW.id AND visibility = 'visible' AND moved.seen = 'visible'
    GROUP BY author_id, moved.board, moved.sign;
    RETURN NULL;
END $$
"""
ON_MOVED_THREAD = """
CREATE TRIGGER thread_is_tallied AFTER UPDATE OF board_id, visibility ON thread FOR EACH ROW
WHEN (OLD.board_id <> NEW.board_id OR OLD.visibility <> NEW.visibility) EXECUTE FUNCTION tally_thread()
"""
FIRST_TALLY = """
INSERT INTO post_tally (persona_id, board_id, posts)
SELECT post.author_id, thread.board_id, count(*) FROM post JOIN thread ON thread.id = post.thread_id
WHERE post.visibility = 'visible' AND thread.visibility = 'visible' GROUP BY post.author_id, thread.board_id
"""


def upgrade() -> None:
    op.create_table(
        "post_tally",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("persona_id", sa.Uuid(), nullable=False),
        sa.Column("board_id", sa.Integer(), nullable=False),
        sa.Column("posts", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["persona_id"], ["persona.id"], name=op.f("fk_post_tally_persona_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["board_id"], ["board.id"], name=op.f("fk_post_tally_board_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_post_tally")),
    )
    op.create_index(op.f("ix_post_tally_persona_id_board_id"), "post_tally", ["persona_id", "board_id"])
    # From here until the commit, nobody writes a post: the count takes about a second for a million posts.
    for statement in (TALLY_POST, ON_NEW_POST, ON_CHANGED_POST, TALLY_THREAD, ON_MOVED_THREAD, FIRST_TALLY):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TRIGGER thread_is_tallied ON thread")
    op.execute("DROP TRIGGER post_is_tallied_anew ON post")
    op.execute("DROP TRIGGER post_is_tallied ON post")
    op.execute("DROP FUNCTION tally_thread()")
    op.execute("DROP FUNCTION tally_post()")
    op.drop_table("post_tally")
