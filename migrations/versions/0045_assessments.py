"""Assessments that the law asks for, as dated documents."""

import re
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0045"
down_revision: str | None = "0044"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

NOTICE = "assessment_due"


def upgrade() -> None:
    op.create_table(
        "assessment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("assessed_on", sa.Date(), nullable=False),
        sa.Column("next_review_on", sa.Date(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("written_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('illegal_content', 'childrens_access', 'measures', 'review')", name=op.f("ck_assessment_kind")
        ),
        sa.ForeignKeyConstraint(["written_by"], ["member.id"], name=op.f("fk_assessment_written_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assessment")),
        sa.UniqueConstraint("kind", "version", name=op.f("uq_assessment_kind_version")),
    )
    _check_kinds([*_kinds(), NOTICE])


def downgrade() -> None:
    op.execute(sa.text("DELETE FROM notification WHERE kind = :kind").bindparams(kind=NOTICE))
    _check_kinds([kind for kind in _kinds() if kind != NOTICE])
    op.drop_table("assessment")


def _kinds() -> list[str]:
    """Return the kinds of notifications that there are at this moment."""
    asked = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_notification_kind'"
    return re.findall(r"'(\w+)'", op.get_bind().execute(sa.text(asked)).scalar_one())


def _check_kinds(kinds: Sequence[str]) -> None:
    """Let notifications have these kinds. Whoever writes waits while the rows are looked at once."""
    listed = ", ".join(repr(kind) for kind in kinds)
    op.execute("ALTER TABLE notification DROP CONSTRAINT ck_notification_kind")
    op.execute(f"ALTER TABLE notification ADD CONSTRAINT ck_notification_kind CHECK (kind IN ({listed})) NOT VALID")
    op.execute("ALTER TABLE notification VALIDATE CONSTRAINT ck_notification_kind")
