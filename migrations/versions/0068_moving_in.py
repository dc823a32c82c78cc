"""What moved here from an old board, and the names under which its members signed in there."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "0068"
down_revision: str | None = "0067"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# By a trigger, so that no way of leaving forgets it. That something moved stays, so that it is not moved again: but not
# whose it was, nor what it said, nor a name in the notices of what they changed as a moderator of the old board. It
# names no column in its condition: none of them could then be given another type.
FORGET = """
CREATE FUNCTION forget_who_moved() RETURNS trigger LANGUAGE plpgsql AS $$
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
        UPDATE moved SET member_id = NULL, digest = NULL WHERE member_id = NEW.id;
    END IF;
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "import_run",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("counts", JSONB(), nullable=False),
        sa.CheckConstraint("state IN ('running', 'ended')", name=op.f("ck_import_run_state")),
        sa.CheckConstraint("(state = 'ended') = (ended_at IS NOT NULL)", name=op.f("ck_import_run_ended")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_run")),
    )
    # Of one old board, one run at a time.
    op.create_index(
        "uq_import_run_running", "import_run", ["source"], unique=True, postgresql_where=sa.text("state = 'running'")
    )
    op.create_table(
        "moved",
        sa.Column("old", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=True),
        sa.Column("board_id", sa.Integer(), nullable=True),
        sa.Column("thread_id", sa.BigInteger(), nullable=True),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("edited_by", sa.Uuid(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("kind IN ('board', 'person', 'thread', 'post')", name=op.f("ck_moved_kind")),
        sa.CheckConstraint(
            "(board_id IS NOT NULL) = (kind = 'board') AND (thread_id IS NOT NULL) = (kind IN ('thread', 'post')) "
            "AND (number IS NOT NULL) = (kind = 'post') AND (member_id IS NULL OR kind = 'person') "
            "AND (edited_by IS NULL OR kind = 'post')",
            name=op.f("ck_moved_to"),
        ),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_moved_member_id")),
        sa.ForeignKeyConstraint(["edited_by"], ["member.id"], name=op.f("fk_moved_edited_by")),
        sa.ForeignKeyConstraint(["board_id"], ["board.id"], name=op.f("fk_moved_board_id")),
        sa.ForeignKeyConstraint(["thread_id"], ["thread.id"], name=op.f("fk_moved_thread_id")),
        sa.ForeignKeyConstraint(["run_id"], ["import_run.id"], name=op.f("fk_moved_run_id")),
        sa.PrimaryKeyConstraint("old", "kind", "source", name=op.f("pk_moved")),
    )
    op.create_index("ix_moved_place", "moved", ["thread_id", "number"])
    op.create_index(
        op.f("ix_moved_member_id"), "moved", ["member_id"], postgresql_where=sa.text("member_id IS NOT NULL")
    )
    op.create_index(
        op.f("ix_moved_edited_by"), "moved", ["edited_by"], postgresql_where=sa.text("edited_by IS NOT NULL")
    )
    op.create_table(
        "old_login",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("login", sa.String(), nullable=True),
        sa.Column("may_reset_by_mail", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_old_login_member_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_old_login")),
        sa.UniqueConstraint("login", name=op.f("uq_old_login_login")),
    )
    op.execute(FORGET)
    op.execute(
        "CREATE TRIGGER moved_member_is_forgotten AFTER UPDATE ON member FOR EACH ROW "
        "EXECUTE FUNCTION forget_who_moved()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER moved_member_is_forgotten ON member")
    op.execute("DROP FUNCTION forget_who_moved()")
    op.drop_table("old_login")
    op.drop_table("moved")
    op.drop_table("import_run")
