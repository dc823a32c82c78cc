"""Cases: about whom each is, and the posts that it holds; some hold many, some none."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# A case begins with one post or none: whoever inserts it, also the previous release, which runs while this migrates,
# need not say that the case holds this post and is about its author.
NAME_SUBJECT = """
CREATE FUNCTION name_case_subject() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.subject_persona_id IS NULL THEN
        SELECT author_id INTO NEW.subject_persona_id FROM post WHERE id = NEW.post_id;
    END IF;
    RETURN NEW;
END $$
"""
# An appeal is about posts, too, and does not keep them from being in an open case of their own.
HOLD_POSTS = """
CREATE FUNCTION hold_case_posts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO case_post (case_id, post_id, is_open)
        SELECT NEW.id, NEW.post_id, NEW.state = 'open' AND NEW.kind <> 'appeal' WHERE NEW.post_id IS NOT NULL;
    ELSIF NEW.state <> OLD.state THEN
        UPDATE case_post SET is_open = NEW.state = 'open' AND NEW.kind <> 'appeal' WHERE case_id = NEW.id;
    END IF;
    RETURN NULL;
END $$
"""
TRIGGERS = (
    "CREATE TRIGGER case_names_subject BEFORE INSERT ON moderation_case "
    "FOR EACH ROW EXECUTE FUNCTION name_case_subject()",
    "CREATE TRIGGER case_holds_posts AFTER INSERT OR UPDATE OF state ON moderation_case "
    "FOR EACH ROW EXECUTE FUNCTION hold_case_posts()",
)
SUBJECTS = "UPDATE moderation_case SET subject_persona_id = author_id FROM post WHERE post.id = moderation_case.post_id"
POSTS = (
    "INSERT INTO case_post (case_id, post_id, revision, is_open) "
    "SELECT id, post_id, decided_revision, state = 'open' AND kind <> 'appeal' FROM moderation_case"
)
KINDS_BEFORE, KINDS = "kind IN ('post', 'appeal')", "kind IN ('post', 'posts', 'member', 'appeal')"
POST = "kind = 'appeal' OR (kind = 'member') = (post_id IS NULL)"
# What was decided about a member has no post.
WITHOUT_POST = (
    ("moderation_case", "post_id"),
    ("decision", "revision"),
    ("statement", "post_id"),
    ("measure", "post_id"),
    ("measure", "thread_id"),
)


def upgrade() -> None:
    op.add_column("moderation_case", sa.Column("subject_persona_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_moderation_case_subject_persona_id"),
        "moderation_case",
        "persona",
        ["subject_persona_id"],
        ["id"],
        postgresql_not_valid=True,
    )
    op.create_table(
        "case_post",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("post_id", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=True),
        sa.Column("title_revision", sa.Integer(), nullable=True),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["moderation_case.id"], name=op.f("fk_case_post_case_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_case_post_post_id")),
        sa.PrimaryKeyConstraint("case_id", "post_id", name=op.f("pk_case_post")),
    )
    op.create_index(op.f("ix_case_post_post_id"), "case_post", ["post_id"])
    op.create_index("uq_case_post_open", "case_post", ["post_id"], unique=True, postgresql_where=sa.text("is_open"))
    for statement in (SUBJECTS, POSTS, NAME_SUBJECT, HOLD_POSTS, *TRIGGERS):
        op.execute(statement)
    op.alter_column("moderation_case", "subject_persona_id", nullable=False)
    op.create_index(op.f("ix_moderation_case_subject_persona_id"), "moderation_case", ["subject_persona_id"])
    op.create_index(
        "uq_moderation_case_member",
        "moderation_case",
        ["subject_persona_id"],
        unique=True,
        postgresql_where=sa.text("kind = 'member' AND state = 'open'"),
    )
    for table, column in WITHOUT_POST:
        op.alter_column(table, column, nullable=True)
    op.add_column("report", sa.Column("on_sight", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.drop_constraint(op.f("ck_moderation_case_kind"), "moderation_case", type_="check")
    for name, condition in (("kind", KINDS), ("post", POST)):
        op.create_check_constraint(
            op.f(f"ck_moderation_case_{name}"), "moderation_case", condition, postgresql_not_valid=True
        )
        op.execute(f"ALTER TABLE moderation_case VALIDATE CONSTRAINT ck_moderation_case_{name}")
    op.execute("ALTER TABLE moderation_case VALIDATE CONSTRAINT fk_moderation_case_subject_persona_id")


def downgrade() -> None:
    op.drop_column("report", "on_sight")
    # Refused where something was decided about a member without a post: the statements are kept.
    for table, column in reversed(WITHOUT_POST):
        op.alter_column(table, column, nullable=False)
    op.drop_constraint(op.f("ck_moderation_case_post"), "moderation_case", type_="check")
    op.drop_constraint(op.f("ck_moderation_case_kind"), "moderation_case", type_="check")
    op.create_check_constraint(op.f("ck_moderation_case_kind"), "moderation_case", KINDS_BEFORE)
    for trigger in ("case_names_subject", "case_holds_posts"):
        op.execute(f"DROP TRIGGER {trigger} ON moderation_case")
    for function in ("name_case_subject", "hold_case_posts"):
        op.execute(f"DROP FUNCTION {function}()")
    op.drop_table("case_post")
    op.drop_index("uq_moderation_case_member", "moderation_case")
    op.drop_column("moderation_case", "subject_persona_id")
