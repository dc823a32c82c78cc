"""Reactions to posts, their counts beside the posts, and bookmarks."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0032"
down_revision: str | None = "0031"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

KINDS = ("thank", "hug", "helpful", "same_here")
# In the database, so that the counts are right whatever deletes reactions: somebody who takes theirs back, a post that
# goes, an account that goes. The rows of counts are locked in order: of two accounts that go at once, one waits.
COUNT_NEW = """
CREATE FUNCTION count_new_reactions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO reaction_count (post_id, thank, hug, helpful, same_here)
    SELECT post_id,
        count(*) FILTER (WHERE kind = 'thank'), count(*) FILTER (WHERE kind = 'hug'),
        count(*) FILTER (WHERE kind = 'helpful'), count(*) FILTER (WHERE kind = 'same_here')
    FROM changed GROUP BY post_id ORDER BY post_id
    ON CONFLICT (post_id) DO UPDATE SET
        thank = reaction_count.thank + excluded.thank, hug = reaction_count.hug + excluded.hug,
        helpful = reaction_count.helpful + excluded.helpful, same_here = reaction_count.same_here + excluded.same_here;
    RETURN NULL;
END $$
"""
COUNT_GONE = """
CREATE FUNCTION count_gone_reactions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM reaction_count WHERE post_id IN (SELECT post_id FROM changed) ORDER BY post_id FOR UPDATE;
    UPDATE reaction_count SET
        thank = reaction_count.thank - gone.thank, hug = reaction_count.hug - gone.hug,
        helpful = reaction_count.helpful - gone.helpful, same_here = reaction_count.same_here - gone.same_here
    FROM (
        SELECT post_id,
            count(*) FILTER (WHERE kind = 'thank') AS thank, count(*) FILTER (WHERE kind = 'hug') AS hug,
            count(*) FILTER (WHERE kind = 'helpful') AS helpful, count(*) FILTER (WHERE kind = 'same_here') AS same_here
        FROM changed GROUP BY post_id
    ) AS gone
    WHERE reaction_count.post_id = gone.post_id;
    RETURN NULL;
END $$
"""
ON_NEW = """
CREATE TRIGGER reactions_are_counted AFTER INSERT ON reaction
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_new_reactions()
"""
ON_GONE = """
CREATE TRIGGER gone_reactions_are_counted AFTER DELETE ON reaction
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_gone_reactions()
"""


def upgrade() -> None:
    op.create_table(
        "reaction",
        sa.Column("post_id", sa.BigInteger(), nullable=False),
        sa.Column("persona_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("reacted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(f"kind IN ({', '.join(map(repr, KINDS))})", name=op.f("ck_reaction_kind")),
        sa.ForeignKeyConstraint(["persona_id"], ["persona.id"], name=op.f("fk_reaction_persona_id")),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_reaction_post_id")),
        sa.PrimaryKeyConstraint("post_id", "persona_id", "kind", name=op.f("pk_reaction")),
    )
    op.create_index(op.f("ix_reaction_persona_id"), "reaction", ["persona_id"])
    op.create_table(
        "reaction_count",
        sa.Column("post_id", sa.BigInteger(), nullable=False),
        *(sa.Column(kind, sa.Integer(), nullable=False) for kind in KINDS),
        sa.CheckConstraint(" AND ".join(f"{kind} >= 0" for kind in KINDS), name=op.f("ck_reaction_count_counts")),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_reaction_count_post_id")),
        sa.PrimaryKeyConstraint("post_id", name=op.f("pk_reaction_count")),
        # A count changes again and again: with free room on each page, a change needs no new entry in the index.
        postgresql_with={"fillfactor": 80},
    )
    op.create_table(
        "bookmark",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("post_id", sa.BigInteger(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_bookmark_member_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_bookmark_post_id")),
        sa.PrimaryKeyConstraint("member_id", "post_id", name=op.f("pk_bookmark")),
    )
    for statement in (COUNT_NEW, COUNT_GONE, ON_NEW, ON_GONE):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("bookmark")
    op.drop_table("reaction_count")
    op.drop_table("reaction")
    op.execute("DROP FUNCTION count_gone_reactions()")
    op.execute("DROP FUNCTION count_new_reactions()")
