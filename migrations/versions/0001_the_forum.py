"""Members, boards, threads, posts, rules, and what keeps them safe: audit, throttles, repeats."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLES = (
    "audit_entry",
    "board",
    "rules_edition",
    "throttle_count",
    "member",
    "rule",
    "adviser",
    "device",
    "member_session",
    "role_grant",
    "safe_repeat",
    "thread",
    "post",
    "post_revision",
)

# The audit record is written once: not even the owner of the tables changes them.
REFUSE_CHANGE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$
"""
REFUSE_ROWS = """
CREATE TRIGGER audit_entry_keeps_rows BEFORE UPDATE OR DELETE ON audit_entry
FOR EACH ROW EXECUTE FUNCTION refuse_change()
"""
REFUSE_TRUNCATE = """
CREATE TRIGGER audit_entry_keeps_all BEFORE TRUNCATE ON audit_entry
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
"""


def upgrade() -> None:
    op.create_table(
        "audit_entry",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("act", sa.String(), nullable=False),
        sa.Column("subject_kind", sa.String(), nullable=False),
        sa.Column("subject_id", sa.String(), nullable=False),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_entry")),
    )
    op.create_index(op.f("ix_audit_entry_actor_id"), "audit_entry", ["actor_id"], unique=False)
    op.create_table(
        "board",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("section", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("help_markdown", sa.String(), nullable=False),
        sa.Column("help_html", sa.String(), nullable=False),
        sa.Column("readers", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("openers", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("repliers", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("indexable", sa.Boolean(), nullable=False),
        sa.Column("advised", sa.Boolean(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "openers <@ ARRAY['everyone', 'member', 'adviser', 'moderator', 'safeguarding_lead', 'administrator']::text[] AND NOT 'everyone' = ANY (openers)",
            name=op.f("ck_board_openers"),
        ),
        sa.CheckConstraint(
            "readers <@ ARRAY['everyone', 'member', 'adviser', 'moderator', 'safeguarding_lead', 'administrator']::text[] AND cardinality(readers) > 0",
            name=op.f("ck_board_readers"),
        ),
        sa.CheckConstraint(
            "repliers <@ ARRAY['everyone', 'member', 'adviser', 'moderator', 'safeguarding_lead', 'administrator']::text[] AND NOT 'everyone' = ANY (repliers)",
            name=op.f("ck_board_repliers"),
        ),
        sa.CheckConstraint("slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND length(slug) <= 50", name=op.f("ck_board_slug")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_board")),
        sa.UniqueConstraint("slug", name=op.f("uq_board_slug")),
    )
    op.create_table(
        "rules_edition",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_rules_edition")),
    )
    op.create_table(
        "throttle_count",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_throttle_count")),
    )
    op.create_index(op.f("ix_throttle_count_ends_at"), "throttle_count", ["ends_at"], unique=False)
    op.create_table(
        "member",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("handle", sa.String(), nullable=False),
        sa.Column("skeleton", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("name_skeleton", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=True),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("email_verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("staff_password", sa.Boolean(), nullable=False),
        sa.Column("rules_version", sa.Integer(), nullable=True),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["rules_version"], ["rules_edition.version"], name=op.f("fk_member_rules_version")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member")),
        sa.UniqueConstraint("handle", name="uq_member_handle"),
        sa.UniqueConstraint("skeleton", name="uq_member_skeleton"),
    )
    op.create_index("ix_member_email", "member", [sa.text("lower(email)")], unique=False)
    op.create_index(op.f("ix_member_name_skeleton"), "member", ["name_skeleton"], unique=False)
    op.create_table(
        "rule",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.CheckConstraint("number >= 1", name=op.f("ck_rule_number")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_rule_version")),
        sa.ForeignKeyConstraint(["edition"], ["rules_edition.version"], name=op.f("fk_rule_edition")),
        sa.PrimaryKeyConstraint("number", "version", name=op.f("pk_rule")),
    )
    op.create_table(
        "adviser",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("organisation", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_adviser_member_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_adviser")),
    )
    op.create_table(
        "device",
        sa.Column("token_digest", sa.LargeBinary(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_device_member_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token_digest", name=op.f("pk_device")),
    )
    op.create_index(op.f("ix_device_expires_at"), "device", ["expires_at"], unique=False)
    op.create_index(op.f("ix_device_member_id"), "device", ["member_id"], unique=False)
    op.create_table(
        "member_session",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("token_digest", sa.LargeBinary(), nullable=False),
        sa.Column("transport", sa.String(), nullable=False),
        sa.Column("client", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("transport IN ('bearer', 'cookie')", name=op.f("ck_member_session_transport")),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_member_session_member_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member_session")),
        sa.UniqueConstraint("token_digest", name=op.f("uq_member_session_token_digest")),
    )
    op.create_index(op.f("ix_member_session_expires_at"), "member_session", ["expires_at"], unique=False)
    op.create_index(op.f("ix_member_session_member_id"), "member_session", ["member_id"], unique=False)
    op.create_table(
        "role_grant",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("board_id", sa.Integer(), nullable=True),
        sa.Column("given_by", sa.Uuid(), nullable=True),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "board_id IS NULL OR role = 'moderator'", name=op.f("ck_role_grant_board_only_for_moderators")
        ),
        sa.CheckConstraint(
            "role IN ('adviser', 'moderator', 'safeguarding_lead', 'administrator')", name=op.f("ck_role_grant_role")
        ),
        sa.ForeignKeyConstraint(["board_id"], ["board.id"], name=op.f("fk_role_grant_board_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["given_by"], ["member.id"], name=op.f("fk_role_grant_given_by"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_role_grant_member_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_grant")),
        sa.UniqueConstraint(
            "member_id",
            "role",
            "board_id",
            name=op.f("uq_role_grant_member_id_role_board_id"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_index(op.f("ix_role_grant_member_id"), "role_grant", ["member_id"], unique=False)
    op.create_table(
        "safe_repeat",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("route", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("body_digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_id", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_safe_repeat_member_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("member_id", "route", "key", name=op.f("pk_safe_repeat")),
    )
    op.create_index(op.f("ix_safe_repeat_made_at"), "safe_repeat", ["made_at"], unique=False)
    op.create_table(
        "thread",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("board_id", sa.Integer(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("pinned", sa.Boolean(), nullable=False),
        sa.Column("visibility", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.Uuid(), nullable=True),
        sa.Column("last_number", sa.Integer(), nullable=False),
        sa.Column("posts", sa.Integer(), nullable=False),
        sa.Column("participants", sa.Integer(), nullable=False),
        sa.Column("last_post_number", sa.Integer(), nullable=True),
        sa.Column("last_post_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_post_by", sa.Uuid(), nullable=True),
        sa.Column("adviser_replies", sa.Integer(), nullable=False),
        sa.Column("first_adviser_number", sa.Integer(), nullable=True),
        sa.Column("latest_adviser_number", sa.Integer(), nullable=True),
        sa.Column("waiting_since", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('open', 'locked')", name=op.f("ck_thread_state")),
        sa.CheckConstraint("visibility IN ('visible', 'held', 'removed')", name=op.f("ck_thread_visibility")),
        sa.CheckConstraint("char_length(title) BETWEEN 3 AND 120", name=op.f("ck_thread_title")),
        sa.CheckConstraint(
            "posts >= 0 AND posts <= last_number AND participants <= posts", name=op.f("ck_thread_counts")
        ),
        sa.ForeignKeyConstraint(["author_id"], ["member.id"], name=op.f("fk_thread_author_id")),
        sa.ForeignKeyConstraint(["board_id"], ["board.id"], name=op.f("fk_thread_board_id")),
        sa.ForeignKeyConstraint(["changed_by"], ["member.id"], name=op.f("fk_thread_changed_by")),
        sa.ForeignKeyConstraint(["last_post_by"], ["member.id"], name=op.f("fk_thread_last_post_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_thread")),
    )
    op.create_index(op.f("ix_thread_author_id"), "thread", ["author_id"], unique=False)
    op.create_index("ix_thread_board_page", "thread", ["board_id", "pinned", "last_post_at", "id"], unique=False)
    op.create_index(
        "ix_thread_waiting",
        "thread",
        ["waiting_since", "id"],
        unique=False,
        postgresql_where=sa.text("waiting_since IS NOT NULL"),
    )
    op.create_table(
        "post",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("thread_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("voice", sa.String(), nullable=False),
        sa.Column("adviser_name", sa.String(), nullable=True),
        sa.Column("adviser_title", sa.String(), nullable=True),
        sa.Column("adviser_organisation", sa.String(), nullable=True),
        sa.Column("visibility", sa.String(), nullable=False),
        sa.Column("held_because", sa.String(), nullable=True),
        sa.Column("reply_to", sa.Integer(), nullable=True),
        sa.Column("content_warning", sa.String(), nullable=True),
        sa.Column("body_markdown", sa.String(), nullable=False),
        sa.Column("body_html", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("edited_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changed_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("(visibility = 'held') = (held_because IS NOT NULL)", name=op.f("ck_post_held_because")),
        sa.CheckConstraint(
            "(voice = 'adviser') = (num_nonnulls(adviser_name, adviser_title, adviser_organisation) = 3)",
            name=op.f("ck_post_adviser"),
        ),
        sa.CheckConstraint(
            "visibility IN ('visible', 'held', 'removed', 'withdrawn')", name=op.f("ck_post_visibility")
        ),
        sa.CheckConstraint("voice IN ('member', 'adviser', 'staff')", name=op.f("ck_post_voice")),
        sa.CheckConstraint("char_length(body_markdown) BETWEEN 1 AND 20000", name=op.f("ck_post_body")),
        sa.CheckConstraint("char_length(content_warning) BETWEEN 1 AND 100", name=op.f("ck_post_content_warning")),
        sa.CheckConstraint("number >= 1 AND reply_to < number", name=op.f("ck_post_number")),
        sa.ForeignKeyConstraint(["author_id"], ["member.id"], name=op.f("fk_post_author_id")),
        sa.ForeignKeyConstraint(["changed_by"], ["member.id"], name=op.f("fk_post_changed_by")),
        sa.ForeignKeyConstraint(
            ["thread_id", "reply_to"], ["post.thread_id", "post.number"], name=op.f("fk_post_thread_id_reply_to")
        ),
        sa.ForeignKeyConstraint(["thread_id"], ["thread.id"], name=op.f("fk_post_thread_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_post")),
        sa.UniqueConstraint("thread_id", "number", name=op.f("uq_post_thread_id_number")),
    )
    op.create_index(
        "ix_post_adviser", "post", ["thread_id", "number"], unique=False, postgresql_where=sa.text("voice = 'adviser'")
    )
    op.create_index("ix_post_author", "post", ["author_id", "thread_id"], unique=False)
    op.create_table(
        "post_revision",
        sa.Column("post_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content_warning", sa.String(), nullable=True),
        sa.Column("body_markdown", sa.String(), nullable=False),
        sa.Column("body_html", sa.String(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_post_revision_post_id")),
        sa.PrimaryKeyConstraint("post_id", "number", name=op.f("pk_post_revision")),
    )
    for statement in (REFUSE_CHANGE, REFUSE_ROWS, REFUSE_TRUNCATE):
        op.execute(statement)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
    op.execute("DROP FUNCTION refuse_change()")
