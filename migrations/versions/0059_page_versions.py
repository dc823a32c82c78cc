"""The versions of what readers see, raised with each change by whatever makes it: answers are kept under them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0059"
down_revision: str | None = "0058"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Nobody waits for anybody: whoever finds all rows of a thing locked adds one, so there are as many as ever wrote to it
# at once. Whatever the order of the commits, each changes what the rows of the thing say together.
#
# A version is no number that counts: a server that took over without the last few changes would give it again, for
# something else.
#
# What a transaction has raised it notes in a setting of its own, which a savepoint takes back with the rest: a reply
# raises its thread once, and so does a clean-up of a thousand posts. Only the last few are noted.
RAISE = """
CREATE FUNCTION raise_page_version(raised_scope text, raised_ref bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    this text := '/' || raised_scope || raised_ref || '/';
    raised text := coalesce(current_setting('forum.raised', true), '');
BEGIN
    IF position(this IN raised) > 0 THEN
        RETURN;
    END IF;
    UPDATE page_version SET version = gen_random_uuid() WHERE id = (
        SELECT id FROM page_version WHERE scope = raised_scope AND ref = raised_ref LIMIT 1 FOR UPDATE SKIP LOCKED
    );
    IF NOT FOUND THEN
        INSERT INTO page_version (scope, ref) VALUES (raised_scope, raised_ref);
    END IF;
    PERFORM set_config('forum.raised', right(raised || this, 200), true);
END $$
"""
OF_THREAD = """
CREATE FUNCTION raise_version_of_thread() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM raise_page_version('thread', OLD.id);
        PERFORM raise_page_version('board', OLD.board_id);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM raise_page_version('thread', NEW.id);
        PERFORM raise_page_version('board', NEW.board_id);
    END IF;
    RETURN NULL;
END $$
"""
OF_POST = """
CREATE FUNCTION raise_version_of_post() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM raise_page_version('thread', OLD.thread_id);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM raise_page_version('thread', NEW.thread_id);
    END IF;
    RETURN NULL;
END $$
"""
BESIDE_POST = """
CREATE FUNCTION raise_version_beside_post() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM raise_page_version('thread', thread_id)
    FROM post WHERE id = ANY (ARRAY[OLD.post_id, NEW.post_id]);
    RETURN NULL;
END $$
"""
OF_TALLY = """
CREATE FUNCTION raise_version_of_tally() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM raise_page_version('board', OLD.board_id);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM raise_page_version('board', NEW.board_id);
    END IF;
    RETURN NULL;
END $$
"""
OF_SITE = """
CREATE FUNCTION raise_version_of_site() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM raise_page_version('site', 0);
    RETURN NULL;
END $$
"""
# The columns are named here and not in a condition of the trigger: with that, none could be given another type.
OF_NAME = """
CREATE FUNCTION raise_version_of_name() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM unnest(TG_ARGV) AS named WHERE to_jsonb(OLD) -> named IS DISTINCT FROM to_jsonb(NEW) -> named
    ) THEN
        PERFORM raise_page_version('site', 0);
    END IF;
    RETURN NULL;
END $$
"""
FUNCTIONS = (RAISE, OF_THREAD, OF_POST, BESIDE_POST, OF_TALLY, OF_SITE, OF_NAME)
# Each table of what a thread or a board shows, with what its rows raise.
OF_ROWS = (
    ("thread", "raise_version_of_thread"),
    ("post", "raise_version_of_post"),
    ("reaction_count", "raise_version_beside_post"),
    ("endorsement", "raise_version_beside_post"),
    ("board_tally", "raise_version_of_tally"),
)
# Each table that changes seldom and shows in many places: any change of it raises the version of everything.
OF_EVERYTHING = ("board", "adviser", "announcement", "rule", "rules_edition", "glossary_term")
# A member and a persona show by their names alone, and not before they have written something.
NAMED = {"member": ("handle", "name", "title"), "persona": ("name",)}


def upgrade() -> None:
    op.create_table(
        "page_version",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("ref", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.CheckConstraint("scope IN ('thread', 'board', 'site')", name=op.f("ck_page_version_scope")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_page_version")),
        postgresql_with={"fillfactor": 50},
    )
    op.create_index("ix_page_version_subject", "page_version", ["scope", "ref"])
    # Writers wait while these are built, a second for a million posts: nearly nothing is in them.
    op.create_index("ix_post_held", "post", ["author_id"], postgresql_where=sa.text("visibility = 'held'"))
    op.create_index("ix_held_edit_waiting", "held_edit", ["written_by"], postgresql_where=sa.text("state = 'waiting'"))
    for function in FUNCTIONS:
        op.execute(function)
    op.execute("SELECT raise_page_version('site', 0)")
    for table, function in OF_ROWS:
        op.execute(
            f"CREATE TRIGGER page_version_is_raised AFTER INSERT OR UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {function}()"
        )
    for table in OF_EVERYTHING:
        op.execute(
            f"CREATE TRIGGER page_version_is_raised AFTER INSERT OR UPDATE OR DELETE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION raise_version_of_site()"
        )
    for table, names in NAMED.items():
        op.execute(
            f"CREATE TRIGGER page_version_is_raised AFTER UPDATE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION raise_version_of_name({', '.join(map(repr, names))})"
        )
        op.execute(
            f"CREATE TRIGGER page_version_is_raised_at_last AFTER DELETE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION raise_version_of_site()"
        )
    for table in _tables():
        op.execute(
            f"CREATE TRIGGER page_version_is_raised_for_all AFTER TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION raise_version_of_site()"
        )


def downgrade() -> None:
    for table in _tables():
        op.execute(f"DROP TRIGGER page_version_is_raised ON {table}")
        op.execute(f"DROP TRIGGER page_version_is_raised_for_all ON {table}")
    for table in NAMED:
        op.execute(f"DROP TRIGGER page_version_is_raised_at_last ON {table}")
    for name in ("of_name", "of_site", "of_tally", "beside_post", "of_post", "of_thread"):
        op.execute(f"DROP FUNCTION raise_version_{name}()")
    op.execute("DROP FUNCTION raise_page_version(text, bigint)")
    op.drop_index("ix_held_edit_waiting", table_name="held_edit")
    op.drop_index("ix_post_held", table_name="post")
    op.drop_table("page_version")


def _tables() -> tuple[str, ...]:
    return (*(table for table, _ in OF_ROWS), *OF_EVERYTHING, *NAMED)
