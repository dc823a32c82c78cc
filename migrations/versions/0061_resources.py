"""Help elsewhere: places that advisers know, and on which boards and in which threads they stand."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0061"
down_revision: str | None = "0060"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# What shows where it stands raises the version of that; a place itself shows wherever it stands (0059).
RAISES = (
    ("resource", "STATEMENT", "raise_version_of_site"),
    ("resource_on_board", "ROW", "raise_version_of_tally"),  # the version of the board of the row
    ("resource_on_thread", "ROW", "raise_version_of_post"),  # and of its thread
)


def upgrade() -> None:
    op.create_table(
        "resource",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("telephone", sa.String(), nullable=True),
        sa.Column("text_number", sa.String(), nullable=True),
        sa.Column("hours", sa.String(), nullable=True),
        sa.Column("url", sa.String(), nullable=True),
        sa.Column("region", sa.String(), nullable=True),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint("state IN ('current', 'doubtful')", name=op.f("ck_resource_state")),
        sa.CheckConstraint("char_length(name) BETWEEN 1 AND 100", name=op.f("ck_resource_name")),
        sa.CheckConstraint("num_nonnulls(telephone, text_number, url) > 0", name=op.f("ck_resource_reach")),
        sa.CheckConstraint("cardinality(tags) <= 8", name=op.f("ck_resource_tags")),
        sa.ForeignKeyConstraint(["changed_by"], ["member.id"], name=op.f("fk_resource_changed_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resource")),
    )
    for place, its_type in (("board", sa.Integer()), ("thread", sa.BigInteger())):
        table = f"resource_on_{place}"
        op.create_table(
            table,
            sa.Column(f"{place}_id", its_type, nullable=False),
            sa.Column("resource_id", sa.Uuid(), nullable=False),
            sa.Column("attached_at", sa.DateTime(timezone=True), nullable=False),
            sa.Column("attached_by", sa.Uuid(), nullable=False),
            sa.ForeignKeyConstraint(
                [f"{place}_id"], [f"{place}.id"], name=op.f(f"fk_{table}_{place}_id"), ondelete="CASCADE"
            ),
            sa.ForeignKeyConstraint(
                ["resource_id"], ["resource.id"], name=op.f(f"fk_{table}_resource_id"), ondelete="CASCADE"
            ),
            sa.ForeignKeyConstraint(["attached_by"], ["member.id"], name=op.f(f"fk_{table}_attached_by")),
            sa.PrimaryKeyConstraint(f"{place}_id", "resource_id", name=op.f(f"pk_{table}")),
        )
        op.create_index(f"ix_{table}_resource_id", table, ["resource_id"])
    for table, each, function in RAISES:
        op.execute(
            f"CREATE TRIGGER page_version_is_raised AFTER INSERT OR UPDATE OR DELETE ON {table} "
            f"FOR EACH {each} EXECUTE FUNCTION {function}()"
        )
        op.execute(
            f"CREATE TRIGGER page_version_is_raised_for_all AFTER TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION raise_version_of_site()"
        )


def downgrade() -> None:
    op.drop_table("resource_on_thread")
    op.drop_table("resource_on_board")
    op.drop_table("resource")
