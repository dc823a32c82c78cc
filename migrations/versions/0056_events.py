"""What happened a moment ago, for streams of live events: written with each change, by whatever wrote it."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import UserDefinedType

revision: str = "0056"
down_revision: str | None = "0055"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


class _Xid8(UserDefinedType[int]):
    def get_col_spec(self, **_options: object) -> str:
        return "XID8"


KINDS = (
    *("post", "edit", "removed", "locked", "unlocked", "moved", "retitled"),
    *("notice", "case_waits", "case_decided", "signed_out", "role"),
)
# By triggers, so that no path forgets it: the previous release writes while this migrates, and a reply pays one row.
NOTE_POST = """
CREATE FUNCTION note_post() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event (kind, thread_id, number) VALUES (TG_ARGV[0], NEW.thread_id, NEW.number);
    RETURN NULL;
END $$
"""
NOTE_THREAD = """
CREATE FUNCTION note_thread() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event (kind, thread_id) VALUES (TG_ARGV[0], NEW.id);
    RETURN NULL;
END $$
"""
# It names the column nowhere but here: a column that a trigger names can be given no other type.
NOTE_TITLE = """
CREATE FUNCTION note_title() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.title <> NEW.title THEN
        INSERT INTO event (kind, thread_id) VALUES ('retitled', NEW.id);
    END IF;
    RETURN NULL;
END $$
"""
NOTE_CASE = """
CREATE FUNCTION note_case() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event (kind, refs) VALUES (TG_ARGV[0], ARRAY[NEW.id]);
    RETURN NULL;
END $$
"""
# One row for each statement: five thousand followers are told by a few.
NOTE_NOTICES = """
CREATE FUNCTION note_notices() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event (kind, refs)
    SELECT 'notice', array_agg(DISTINCT member_id) FROM changed
    WHERE NOT starts_with(kind, 'concern_') HAVING count(*) > 0;
    RETURN NULL;
END $$
"""
NOTE_MEMBERS = """
CREATE FUNCTION note_members() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event (kind, refs)
    SELECT TG_ARGV[0], array_agg(DISTINCT member_id) FROM changed HAVING count(*) > 0;
    RETURN NULL;
END $$
"""
FUNCTIONS = (NOTE_POST, NOTE_THREAD, NOTE_TITLE, NOTE_CASE, NOTE_NOTICES, NOTE_MEMBERS)

# Each trigger of a row: its name, the table, when it runs, the condition, the function and the kind.
OF_ROWS = (
    ("event_of_new_post", "post", "INSERT", "NEW.visibility = 'visible'", "note_post", "post"),
    (
        "event_of_shown_post",
        "post",
        "UPDATE OF visibility",
        "OLD.visibility <> 'visible' AND NEW.visibility = 'visible'",
        "note_post",
        "post",
    ),
    (
        "event_of_hidden_post",
        "post",
        "UPDATE OF visibility",
        "OLD.visibility = 'visible' AND NEW.visibility <> 'visible'",
        "note_post",
        "removed",
    ),
    (
        "event_of_edited_post",
        "post",
        "UPDATE OF revision",
        "OLD.revision <> NEW.revision AND OLD.visibility = 'visible' AND NEW.visibility = 'visible'",
        "note_post",
        "edit",
    ),
    (
        "event_of_locked_thread",
        "thread",
        "UPDATE OF state",
        "OLD.state <> 'locked' AND NEW.state = 'locked'",
        "note_thread",
        "locked",
    ),
    (
        "event_of_unlocked_thread",
        "thread",
        "UPDATE OF state",
        "OLD.state = 'locked' AND NEW.state <> 'locked'",
        "note_thread",
        "unlocked",
    ),
    ("event_of_moved_thread", "thread", "UPDATE OF board_id", "OLD.board_id <> NEW.board_id", "note_thread", "moved"),
    ("event_of_new_case", "moderation_case", "INSERT", "NEW.state = 'open'", "note_case", "case_waits"),
    (
        "event_of_graver_case",
        "moderation_case",
        "UPDATE OF state, priority",
        "NEW.state = 'open' AND (OLD.state <> 'open' OR NEW.priority < OLD.priority)",
        "note_case",
        "case_waits",
    ),
    (
        "event_of_decided_case",
        "moderation_case",
        "UPDATE OF state",
        "OLD.state = 'open' AND NEW.state = 'decided'",
        "note_case",
        "case_decided",
    ),
)
# Each trigger of a statement: its name, the table, when it runs, which rows it looks at, the function with its kind.
OF_STATEMENTS = (
    ("event_of_new_notices", "notification", "INSERT", "NEW", "note_notices()"),
    ("event_of_changed_notices", "notification", "UPDATE", "NEW", "note_notices()"),
    ("event_of_withdrawn_notices", "notification", "DELETE", "OLD", "note_notices()"),
    ("event_of_ended_sessions", "member_session", "DELETE", "OLD", "note_members('signed_out')"),
    ("event_of_given_roles", "role_grant", "INSERT", "NEW", "note_members('role')"),
    ("event_of_changed_roles", "role_grant", "UPDATE", "NEW", "note_members('role')"),
    ("event_of_taken_roles", "role_grant", "DELETE", "OLD", "note_members('role')"),
    ("event_of_new_sanctions", "sanction", "INSERT", "NEW", "note_members('role')"),
    ("event_of_changed_sanctions", "sanction", "UPDATE", "NEW", "note_members('role')"),
    ("event_of_lifted_sanctions", "sanction", "DELETE", "OLD", "note_members('role')"),
)


def upgrade() -> None:
    op.create_table(
        "event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("xid", _Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("thread_id", sa.BigInteger(), nullable=True),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("refs", ARRAY(sa.Uuid()), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint(f"kind IN ({', '.join(map(repr, KINDS))})", name=op.f("ck_event_kind")),
        sa.CheckConstraint("(thread_id IS NULL) = (refs IS NOT NULL)", name=op.f("ck_event_about")),
        sa.CheckConstraint(
            "(number IS NOT NULL) = (kind IN ('post', 'edit', 'removed'))", name=op.f("ck_event_number")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
    )
    op.create_index("ix_event_xid", "event", ["xid", "id"])
    op.create_table(
        "event_epoch",
        sa.Column("is_only", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("epoch", sa.String(), nullable=False),
        sa.CheckConstraint("is_only", name=op.f("ck_event_epoch_only")),
        sa.PrimaryKeyConstraint("is_only", name=op.f("pk_event_epoch")),
    )
    for function in FUNCTIONS:
        op.execute(function)
    for name, table, when, condition, function, kind in OF_ROWS:
        op.execute(
            f"CREATE TRIGGER {name} AFTER {when} ON {table} FOR EACH ROW "
            f"WHEN ({condition}) EXECUTE FUNCTION {function}('{kind}')"
        )
    op.execute(
        "CREATE TRIGGER event_of_retitled_thread AFTER UPDATE ON thread FOR EACH ROW EXECUTE FUNCTION note_title()"
    )
    for name, table, when, rows, call in OF_STATEMENTS:
        op.execute(
            f"CREATE TRIGGER {name} AFTER {when} ON {table} REFERENCING {rows} TABLE AS changed "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {call}"
        )


def downgrade() -> None:
    for name, table, *_ in (*OF_STATEMENTS, *OF_ROWS):
        op.execute(f"DROP TRIGGER {name} ON {table}")
    op.execute("DROP TRIGGER event_of_retitled_thread ON thread")
    for function in ("note_members", "note_notices", "note_case", "note_title", "note_thread", "note_post"):
        op.execute(f"DROP FUNCTION {function}()")
    op.drop_table("event_epoch")
    op.drop_table("event")
