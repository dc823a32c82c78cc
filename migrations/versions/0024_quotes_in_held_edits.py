"""What edits quote that were held is recorded, too: by the job that records the quotes of older posts. Members are told
when the rules change, and by mail when moderators replaced their handle.
"""

import re
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0024"
down_revision: str | None = "0023"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

NEW_KINDS = {"notification": "rules_changed", "mail": "handle_replaced", "mailed_link": "handle_replaced"}


def kinds_of(table: str) -> list[str]:
    """Return the kinds that a table allows: another migration may have added some."""
    named = sa.text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name")
    check: str = op.get_bind().execute(named, {"name": f"ck_{table}_kind"}).scalar_one()
    return re.findall(r"'([a-z_]+)'", check)


def allow_kinds(table: str, kinds: Sequence[str]) -> None:
    allowed = ", ".join(f"'{kind}'" for kind in kinds)
    op.execute(f"ALTER TABLE {table} DROP CONSTRAINT ck_{table}_kind")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_kind CHECK (kind IN ({allowed})) NOT VALID")
    op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT ck_{table}_kind")


def upgrade() -> None:
    op.execute("UPDATE post SET quotes_recorded = false WHERE id IN (SELECT post_id FROM held_edit)")
    for table, kind in NEW_KINDS.items():
        allow_kinds(table, [*kinds_of(table), kind])
    op.create_index(
        "uq_notification_rules",
        "notification",
        ["member_id"],
        unique=True,
        postgresql_where=sa.text("kind = 'rules_changed' AND read_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("uq_notification_rules", "notification")
    for table, kind in NEW_KINDS.items():
        op.execute(sa.text(f"DELETE FROM {table} WHERE kind = :kind").bindparams(kind=kind))  # noqa: S608
        allow_kinds(table, [known for known in kinds_of(table) if known != kind])
    # In the place of a revision: the previous release would not find or delete them.
    op.execute("DELETE FROM post_quote WHERE revision = 0")
    op.execute("DELETE FROM quoted_words WHERE revision = 0")
