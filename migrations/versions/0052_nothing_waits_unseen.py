"""What waits too long is told."""

import re
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0052"
down_revision: str | None = "0051"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

NOTICES = ("public_report_overdue", "service_complaint_overdue", "service_complaint_without_hearer")


def upgrade() -> None:
    _check_kinds([*_kinds(), *NOTICES])


def downgrade() -> None:
    notification = sa.table("notification", sa.column("kind", sa.String()))
    op.execute(sa.delete(notification).where(notification.c.kind.in_(NOTICES)))
    _check_kinds([kind for kind in _kinds() if kind not in NOTICES])


def _kinds() -> list[str]:
    """Return the kinds of notifications at this moment."""
    asked = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_notification_kind'"
    return re.findall(r"'(\w+)'", op.get_bind().execute(sa.text(asked)).scalar_one())


def _check_kinds(kinds: Sequence[str]) -> None:
    """Let notifications have these kinds. Whoever writes waits while the rows are looked at once."""
    listed = ", ".join(repr(kind) for kind in kinds)
    op.execute("ALTER TABLE notification DROP CONSTRAINT ck_notification_kind")
    op.execute(f"ALTER TABLE notification ADD CONSTRAINT ck_notification_kind CHECK (kind IN ({listed})) NOT VALID")
    op.execute("ALTER TABLE notification VALIDATE CONSTRAINT ck_notification_kind")
