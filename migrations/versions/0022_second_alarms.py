"""A case that nobody decides is told again; a mail knows which case it calls to, and whom that is about."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0022"
down_revision: str | None = "0021"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("case_alarm", sa.Column("again_due_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("mail", sa.Column("subject_id", sa.Uuid(), nullable=True))
    op.add_column("mail", sa.Column("about_persona_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_mail_about_persona_id"), "mail", "persona", ["about_persona_id"], ["id"], postgresql_not_valid=True
    )
    op.execute("ALTER TABLE mail VALIDATE CONSTRAINT fk_mail_about_persona_id")


def downgrade() -> None:
    op.drop_column("mail", "about_persona_id")
    op.drop_column("mail", "subject_id")
    op.drop_column("case_alarm", "again_due_at")
