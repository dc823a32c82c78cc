"""Which edition of the rules a member accepted, and when."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0018c"
down_revision: str | None = "0018b"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "rules_acceptance",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_rules_acceptance_member_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["edition"], ["rules_edition.version"], name=op.f("fk_rules_acceptance_edition")),
        sa.PrimaryKeyConstraint("member_id", "edition", name=op.f("pk_rules_acceptance")),
    )
    # Until now they could be accepted only when joining.
    op.execute(
        "INSERT INTO rules_acceptance (member_id, edition, accepted_at) "
        "SELECT id, rules_version, joined_at FROM member WHERE rules_version IS NOT NULL"
    )


def downgrade() -> None:
    op.drop_table("rules_acceptance")
