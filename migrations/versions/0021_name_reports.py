"""Names are reported, too: a report without a post keeps the name as it was. A member can give up several handles
before a job has replaced the first.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0021"
down_revision: str | None = "0020"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# What the previous release inserts while this migrates has a post and a revision, and no name.
SUBJECT = "num_nulls(post_id, revision) IN (0, 2) AND (post_id IS NULL) = (reported_name IS NOT NULL)"
OF_POST = ["post_id", "revision", "title_revision", "reporter_id", "category"]
OF_NAME = ["case_id", "reporter_id", "category", "reported_handle", "reported_name"]


def key_of_handle_changes(*columns: str) -> None:
    """Replace the primary key; the table is empty but for the minute in which a job waits."""
    op.drop_constraint(op.f("pk_handle_change"), "handle_change", type_="primary")
    op.create_primary_key(op.f("pk_handle_change"), "handle_change", list(columns))


def upgrade() -> None:
    op.add_column("report", sa.Column("reported_handle", sa.String(), nullable=True))
    op.add_column("report", sa.Column("reported_name", sa.String(), nullable=True))
    op.create_index(
        "uq_report_of_post",
        "report",
        OF_POST,
        unique=True,
        postgresql_where=sa.text("post_id IS NOT NULL"),
        postgresql_nulls_not_distinct=True,
    )
    op.create_index("uq_report_of_name", "report", OF_NAME, unique=True, postgresql_where=sa.text("post_id IS NULL"))
    op.drop_constraint(op.f(f"uq_report_{'_'.join(OF_POST)}"), "report", type_="unique")
    for column in ("post_id", "revision"):
        op.alter_column("report", column, nullable=True)
    op.create_check_constraint(op.f("ck_report_subject"), "report", SUBJECT, postgresql_not_valid=True)
    op.execute("ALTER TABLE report VALIDATE CONSTRAINT ck_report_subject")
    key_of_handle_changes("member_id", "old_handle")


def downgrade() -> None:
    key_of_handle_changes("member_id")
    op.drop_constraint(op.f("ck_report_subject"), "report", type_="check")
    # Refused where a name was reported: reports are kept.
    for column in ("post_id", "revision"):
        op.alter_column("report", column, nullable=False)
    op.create_unique_constraint(
        op.f(f"uq_report_{'_'.join(OF_POST)}"), "report", OF_POST, postgresql_nulls_not_distinct=True
    )
    op.drop_index("uq_report_of_name", "report")
    op.drop_index("uq_report_of_post", "report")
    op.drop_column("report", "reported_name")
    op.drop_column("report", "reported_handle")
