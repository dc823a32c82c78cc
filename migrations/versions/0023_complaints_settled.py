"""Who complains of a moderator's message learns what came of it."""

import re
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0023"
down_revision: str | None = "0022"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

KIND = "complaint_settled"
CHECKS = {
    "outcome": "outcome IN ('upheld', 'dismissed')",
    "settled": "(outcome IS NULL) = (settled_at IS NULL)",
}


def upgrade() -> None:
    op.add_column("talk_complaint", sa.Column("outcome", sa.String(), nullable=True))
    op.add_column("talk_complaint", sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True))
    # What was decided before this stays without an outcome: its member would be told of it months later.
    for name, condition in CHECKS.items():
        op.create_check_constraint(
            op.f(f"ck_talk_complaint_{name}"), "talk_complaint", condition, postgresql_not_valid=True
        )
        op.execute(f"ALTER TABLE talk_complaint VALIDATE CONSTRAINT ck_talk_complaint_{name}")
    _check_kinds([*_kinds(), KIND])


def downgrade() -> None:
    op.execute(f"DELETE FROM notification WHERE kind = '{KIND}'")  # noqa: S608 - ours
    _check_kinds([kind for kind in _kinds() if kind != KIND])
    for name in CHECKS:
        op.drop_constraint(op.f(f"ck_talk_complaint_{name}"), "talk_complaint", type_="check")
    op.drop_column("talk_complaint", "settled_at")
    op.drop_column("talk_complaint", "outcome")


def _kinds() -> list[str]:
    """Return the kinds of notifications at this moment."""
    asked = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_notification_kind'"
    return re.findall(r"'(\w+)'", op.get_bind().execute(sa.text(asked)).scalar_one())


def _check_kinds(kinds: Sequence[str]) -> None:
    """Let notifications have these kinds; the rows that are there are checked without holding up writers."""
    listed = ", ".join(repr(kind) for kind in kinds)
    op.execute("ALTER TABLE notification DROP CONSTRAINT ck_notification_kind")
    op.execute(f"ALTER TABLE notification ADD CONSTRAINT ck_notification_kind CHECK (kind IN ({listed})) NOT VALID")
    op.execute("ALTER TABLE notification VALIDATE CONSTRAINT ck_notification_kind")
