"""Personas: the author of a post, a thread and a change is a name, whose owner one module knows."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# The previous release inserts members without personas, and runs while this migrates.
ADD = """
CREATE FUNCTION add_own_persona() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO persona (id) VALUES (NEW.id);
    RETURN NULL;
END $$
"""
WITH_MEMBER = (
    "CREATE TRIGGER member_adds_persona AFTER INSERT ON member FOR EACH ROW EXECUTE FUNCTION add_own_persona()"
)

AUTHORS = (("thread", "author_id"), ("thread", "changed_by"), ("thread", "last_post_by"))
AUTHORS += (("post", "author_id"), ("post", "changed_by"))


def point_to(target: str) -> None:
    """Let what is written point to this table; checked after the lock on it is gone."""
    for table, column in AUTHORS:
        name = f"fk_{table}_{column}"
        op.drop_constraint(name, table, type_="foreignkey")
        op.create_foreign_key(name, table, target, [column], ["id"], postgresql_not_valid=True)
    for table, column in AUTHORS:
        op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT fk_{table}_{column}")


def upgrade() -> None:
    op.create_table(
        "persona",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("thread_id", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.String(), nullable=True),
        sa.CheckConstraint("(thread_id IS NULL) = (name IS NULL)", name=op.f("ck_persona_alias")),
        sa.ForeignKeyConstraint(["thread_id"], ["thread.id"], name=op.f("fk_persona_thread_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_persona")),
    )
    op.create_index(op.f("ix_persona_thread_id"), "persona", ["thread_id"])
    op.create_table(
        "persona_owner",
        sa.Column("persona_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("thread_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["persona_id"], ["persona.id"], name=op.f("fk_persona_owner_persona_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_persona_owner_member_id")),
        sa.ForeignKeyConstraint(["thread_id"], ["thread.id"], name=op.f("fk_persona_owner_thread_id")),
        sa.PrimaryKeyConstraint("persona_id", name=op.f("pk_persona_owner")),
        sa.UniqueConstraint("member_id", "thread_id", name=op.f("uq_persona_owner_member_id_thread_id")),
    )
    op.create_index(op.f("ix_persona_owner_thread_id"), "persona_owner", ["thread_id"])
    op.execute(ADD)
    op.execute(WITH_MEMBER)
    op.execute("INSERT INTO persona (id) SELECT id FROM member ON CONFLICT DO NOTHING")
    point_to("persona")


def downgrade() -> None:
    point_to("member")
    op.execute("DROP TRIGGER member_adds_persona ON member")
    op.execute("DROP FUNCTION add_own_persona()")
    op.drop_table("persona_owner")
    op.drop_table("persona")
