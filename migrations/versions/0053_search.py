"""Search: the words of posts and titles, kept apart from them; what was searched for; words that are suggested."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0053"
down_revision: str | None = "0052"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# A changed text leaves the index in the transaction that changes it, and comes back later. The rows that say what is
# to be indexed have no unique key: nobody waits for them, so that no order of locks can be wrong.
POST_CHANGED = """
CREATE FUNCTION post_leaves_search() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (OLD.visibility, OLD.body_markdown, OLD.body_html, OLD.content_warning)
            IS NOT DISTINCT FROM (NEW.visibility, NEW.body_markdown, NEW.body_html, NEW.content_warning) THEN
            RETURN NULL;
        END IF;
        DELETE FROM post_search WHERE post_id = NEW.id;
    END IF;
    IF NEW.visibility = 'visible' THEN
        INSERT INTO unindexed_post (post_id) VALUES (NEW.id);
    END IF;
    RETURN NULL;
END $$
"""
# Where a thread stands and whether it is seen, each search asks the thread itself. Only the boards noted beside the
# posts are to be mended: that is done later, because its posts are not locked here.
THREAD_CHANGED = """
CREATE FUNCTION thread_leaves_search() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (OLD.title, OLD.board_id, OLD.visibility) IS NOT DISTINCT FROM (NEW.title, NEW.board_id, NEW.visibility) THEN
            RETURN NULL;
        END IF;
        DELETE FROM thread_search WHERE thread_id = NEW.id;
    END IF;
    INSERT INTO unindexed_thread (thread_id) VALUES (NEW.id);
    RETURN NULL;
END $$
"""
# The functions look at what changed, and not the triggers: a column that a trigger names cannot be given another type.
TRIGGERS = (
    "CREATE TRIGGER posts_leave_search AFTER INSERT OR UPDATE ON post "
    "FOR EACH ROW EXECUTE FUNCTION post_leaves_search()",
    "CREATE TRIGGER threads_leave_search AFTER INSERT OR UPDATE ON thread "
    "FOR EACH ROW EXECUTE FUNCTION thread_leaves_search()",
)


def _to_do(name: str, thing: str) -> None:
    op.create_table(
        name,
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(f"{thing}_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            [f"{thing}_id"], [f"{thing}.id"], name=op.f(f"fk_{name}_{thing}_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
    )
    op.create_index(op.f(f"ix_{name}_{thing}_id"), name, [f"{thing}_id"])


def upgrade() -> None:
    op.create_table(
        "post_search",
        sa.Column("post_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("board_id", sa.Integer(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("by_adviser", sa.Boolean(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("words", postgresql.TSVECTOR(), nullable=False),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_post_search_post_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["author_id"], ["persona.id"], name=op.f("fk_post_search_author_id")),
        sa.PrimaryKeyConstraint("post_id", name=op.f("pk_post_search")),
    )
    op.create_index("ix_post_search_words", "post_search", ["words"], postgresql_using="gin")
    op.create_index("ix_post_search_newest", "post_search", ["written_at", "post_id"])
    op.create_index("ix_post_search_board", "post_search", ["board_id", "written_at", "post_id"])
    op.create_index("ix_post_search_author", "post_search", ["author_id", "written_at", "post_id"])
    op.create_index(
        "ix_post_search_advisers",
        "post_search",
        ["written_at", "post_id"],
        postgresql_where=sa.text("by_adviser"),
    )
    op.create_table(
        "thread_search",
        sa.Column("thread_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("words", postgresql.TSVECTOR(), nullable=False),
        sa.ForeignKeyConstraint(
            ["thread_id"], ["thread.id"], name=op.f("fk_thread_search_thread_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("thread_id", name=op.f("pk_thread_search")),
    )
    op.create_index("ix_thread_search_words", "thread_search", ["words"], postgresql_using="gin")
    _to_do("unindexed_post", "post")
    _to_do("unindexed_thread", "thread")
    op.create_table(
        "search_progress",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("posts_below", sa.BigInteger(), nullable=False),
        sa.Column("threads_below", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_search_progress_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_progress")),
    )
    op.create_table(
        "search_word",
        sa.Column("word", sa.String(), nullable=False),
        sa.Column("posts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("word", name=op.f("pk_search_word")),
    )
    op.create_table(
        "search_spelling",
        sa.Column("variant", sa.String(), nullable=False),
        sa.Column("word", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["word"], ["search_word.word"], name=op.f("fk_search_spelling_word"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("variant", "word", name=op.f("pk_search_spelling")),
    )
    op.create_index(op.f("ix_search_spelling_word"), "search_spelling", ["word"])
    op.create_table(
        "search",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=True),
        sa.Column("query", sa.String(), nullable=False),
        sa.Column("board_id", sa.Integer(), nullable=True),
        sa.Column("author_id", sa.Uuid(), nullable=True),
        sa.Column("by_advisers", sa.Boolean(), nullable=False),
        sa.Column("in_titles", sa.Boolean(), nullable=False),
        sa.Column("since", sa.Date(), nullable=True),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("sort", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("sort IN ('newest', 'relevance')", name=op.f("ck_search_sort")),
        sa.CheckConstraint("char_length(query) BETWEEN 1 AND 200", name=op.f("ck_search_query")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_search_member_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["board_id"], ["board.id"], name=op.f("fk_search_board_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["author_id"], ["persona.id"], name=op.f("fk_search_author_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search")),
    )
    op.create_index(op.f("ix_search_member_id"), "search", ["member_id"])
    op.create_index(op.f("ix_search_made_at"), "search", ["made_at"])
    for statement in (POST_CHANGED, THREAD_CHANGED, *TRIGGERS):
        op.execute(statement)
    # After the triggers, which keep out whoever writes until the commit: what is older than this is indexed bit by bit.
    op.execute(
        "INSERT INTO search_progress (id, language, posts_below, threads_below) SELECT 1, 'english', "
        "(SELECT coalesce(max(id), 0) + 1 FROM post), (SELECT coalesce(max(id), 0) + 1 FROM thread)"
    )


def downgrade() -> None:
    for trigger, table in (("threads_leave_search", "thread"), ("posts_leave_search", "post")):
        op.execute(f"DROP TRIGGER {trigger} ON {table}")
    op.execute("DROP FUNCTION thread_leaves_search()")
    op.execute("DROP FUNCTION post_leaves_search()")
    for table in (
        *("search", "search_spelling", "search_word", "search_progress", "unindexed_thread", "unindexed_post"),
        *("thread_search", "post_search"),
    ):
        op.drop_table(table)
