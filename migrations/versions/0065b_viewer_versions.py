"""The version of who somebody is: raised when a session ends, or roles, standing or names change, by whatever does it."""

from collections.abc import Sequence

from alembic import op

revision: str = "0065b"
down_revision: str | None = "0065"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

SCOPES = ("thread", "board", "site")
# A statement that changes no row raises nothing: each sign-in deletes the devices that ended, mostly none.
OF_ROWS = """
CREATE FUNCTION raise_version_of_viewers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM changed) THEN
        PERFORM raise_page_version('viewers', 0);
    END IF;
    RETURN NULL;
END $$
"""
# The use of a session is noted every ten minutes, and changes nobody. Open pages are told too, as of a role.
OF_SESSIONS = """
CREATE FUNCTION raise_version_of_sessions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event (kind, refs)
    SELECT 'role', array_agg(DISTINCT changed.member_id) FROM changed JOIN before USING (id)
    WHERE changed.second_factor <> before.second_factor HAVING count(*) > 0;
    IF FOUND THEN
        PERFORM raise_page_version('viewers', 0);
    END IF;
    RETURN NULL;
END $$
"""
OF_MEMBERS = """
CREATE FUNCTION raise_version_of_members() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM changed JOIN before USING (id)
        WHERE (changed.handle, changed.name, changed.title, changed.left_at)
            IS DISTINCT FROM (before.handle, before.name, before.title, before.left_at)
    ) THEN
        PERFORM raise_page_version('viewers', 0);
    END IF;
    RETURN NULL;
END $$
"""
OF_ALL = """
CREATE FUNCTION raise_version_of_all_viewers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM raise_page_version('viewers', 0);
    RETURN NULL;
END $$
"""
# Each table, when, which rows the function looks at, and the function.
TRIGGERS = (
    ("member_session", "DELETE", "OLD TABLE AS changed", "raise_version_of_viewers"),
    ("member_session", "UPDATE", "OLD TABLE AS before NEW TABLE AS changed", "raise_version_of_sessions"),
    ("member", "UPDATE", "OLD TABLE AS before NEW TABLE AS changed", "raise_version_of_members"),
    *(
        (table, event, f"{rows} TABLE AS changed", "raise_version_of_viewers")
        for table in ("role_grant", "sanction", "persona_owner")
        for event, rows in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD"))
    ),
)
TABLES = sorted({table for table, *_ in TRIGGERS})


def check_scopes(*scopes: str) -> None:
    """Replace the check. Writers wait while the rows are looked at: there are a few for each thread."""
    listed = ", ".join(f"'{scope}'" for scope in scopes)
    op.execute("ALTER TABLE page_version DROP CONSTRAINT ck_page_version_scope")
    op.execute(f"ALTER TABLE page_version ADD CONSTRAINT ck_page_version_scope CHECK (scope IN ({listed})) NOT VALID")
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE page_version VALIDATE CONSTRAINT ck_page_version_scope")


def upgrade() -> None:
    check_scopes(*SCOPES, "viewers")
    for function in (OF_ROWS, OF_SESSIONS, OF_MEMBERS, OF_ALL):
        op.execute(function)
    for table, event, rows, function in TRIGGERS:
        op.execute(
            f"CREATE TRIGGER viewers_change_with_{event.lower()} AFTER {event} ON {table} REFERENCING {rows} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
        )
    for table in TABLES:
        op.execute(
            f"CREATE TRIGGER viewers_change_with_truncate AFTER TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION raise_version_of_all_viewers()"
        )


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"DROP TRIGGER viewers_change_with_truncate ON {table}")
    for table, event, *_ in TRIGGERS:
        op.execute(f"DROP TRIGGER viewers_change_with_{event.lower()} ON {table}")
    for name in ("viewers", "sessions", "members", "all_viewers"):
        op.execute(f"DROP FUNCTION raise_version_of_{name}()")
    op.execute("DELETE FROM page_version WHERE scope = 'viewers'")
    check_scopes(*SCOPES)
