"""Quotes: which post quotes which, and what quotes say, so that they are found in every thread. Withdrawn: until when its words are kept.

A job records the quotes of the posts that are there already: `post.quotes_recorded` says which wait for it.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


MEASURES = (
    "publish",
    "refuse",
    "edit",
    "redact",
    "remove",
    "retitle",
    "lock",
    "move",
    "warn",
    "silence",
    "suspend",
    "ban",
    "dismiss",
)


def allow_measures(*kinds: str) -> None:
    op.execute("ALTER TABLE measure DROP CONSTRAINT ck_measure_kind")
    allowed = ", ".join(f"'{kind}'" for kind in kinds)
    op.execute(f"ALTER TABLE measure ADD CONSTRAINT ck_measure_kind CHECK (kind IN ({allowed})) NOT VALID")
    op.execute("ALTER TABLE measure VALIDATE CONSTRAINT ck_measure_kind")


def upgrade() -> None:
    allow_measures(*MEASURES, "rename")
    op.create_table(
        "post_quote",
        sa.Column("post_id", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("quoted_post_id", sa.BigInteger(), nullable=False),
        sa.Column("quoted_revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_post_quote_post_id")),
        sa.ForeignKeyConstraint(["quoted_post_id"], ["post.id"], name=op.f("fk_post_quote_quoted_post_id")),
        sa.PrimaryKeyConstraint("post_id", "revision", "quoted_post_id", name=op.f("pk_post_quote")),
    )
    op.create_index(op.f("ix_post_quote_quoted_post_id"), "post_quote", ["quoted_post_id"])
    op.create_table(
        "quoted_words",
        sa.Column("post_id", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("runs", sa.ARRAY(sa.Integer()), nullable=False),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_quoted_words_post_id")),
        sa.PrimaryKeyConstraint("post_id", "revision", name=op.f("pk_quoted_words")),
    )
    op.create_table(
        "handle_change",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("old_handle", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_handle_change_member_id")),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_handle_change")),
    )
    op.add_column("member", sa.Column("handle_changed_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_quoted_words_runs", "quoted_words", ["runs"], postgresql_using="gin")
    op.create_index(
        "ix_measure_memory",
        "measure",
        ["memory"],
        postgresql_using="gin",
        postgresql_ops={"memory": "jsonb_path_ops"},
        postgresql_where=sa.text("undone_at IS NULL"),
    )
    op.add_column("post", sa.Column("words_kept_until", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        "ALTER TABLE post ADD CONSTRAINT ck_post_words_kept "
        "CHECK (words_kept_until IS NULL OR visibility = 'withdrawn') NOT VALID"
    )
    op.execute("ALTER TABLE post VALIDATE CONSTRAINT ck_post_words_kept")
    # Nothing says whether whoever withdrew these had their words erased: those that are left go after as long again.
    op.execute("UPDATE post SET words_kept_until = now() + interval '30 days' WHERE visibility = 'withdrawn'")
    op.create_index(
        "ix_post_words_kept", "post", ["words_kept_until"], postgresql_where=sa.text("words_kept_until IS NOT NULL")
    )
    # With a constant, no row is rewritten. What the previous release writes meanwhile waits for the job too.
    op.add_column("post", sa.Column("quotes_recorded", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    # Writers wait while it is built, a second for a million posts. CONCURRENTLY would wait for another process that
    # waits to migrate, which waits for us.
    op.create_index("ix_post_quotes_unrecorded", "post", ["id"], postgresql_where=sa.text("NOT quotes_recorded"))


def downgrade() -> None:
    op.execute("DELETE FROM measure WHERE kind = 'rename'")
    allow_measures(*MEASURES)
    op.drop_index("ix_post_quotes_unrecorded", table_name="post")
    op.drop_column("post", "words_kept_until")
    op.drop_column("post", "quotes_recorded")
    op.drop_index("ix_measure_memory", table_name="measure")
    op.drop_column("member", "handle_changed_at")
    op.drop_table("handle_change")
    op.drop_table("quoted_words")
    op.drop_table("post_quote")
