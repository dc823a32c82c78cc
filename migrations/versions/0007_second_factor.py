"""Second factors and their recovery codes; when a session was used, and whether it has shown a second factor."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BEFORE = "kind IN ('verify_address', 'address_change', 'password_reset')"
KINDS = "kind IN ('verify_address', 'address_change', 'sign_in_changed', 'password_reset')"


def upgrade() -> None:
    op.create_table(
        "totp",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("secret", sa.String(), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("next_secret", sa.String(), nullable=True),
        sa.CheckConstraint("(secret IS NULL) = (since IS NULL)", name=op.f("ck_totp_since")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_totp_member_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_totp")),
    )
    op.create_table(
        "recovery_code",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("code_hash", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_recovery_code_member_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("member_id", "number", name=op.f("pk_recovery_code")),
    )
    # The release before this one writes neither: the server fills them in, and rewrites no row to add them.
    op.add_column("member_session", sa.Column("second_factor", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column(
        "member_session",
        sa.Column("used_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
    )
    # What clients called themselves told one device from all others. From now on it is kept in two words.
    op.execute("UPDATE member_session SET client = NULL")
    _take_kinds(KINDS)


def downgrade() -> None:
    op.execute("DELETE FROM mail WHERE kind = 'sign_in_changed'")
    _take_kinds(BEFORE)
    op.drop_column("member_session", "used_at")
    op.drop_column("member_session", "second_factor")
    op.drop_table("recovery_code")
    op.drop_table("totp")


def _take_kinds(condition: str) -> None:
    for table in ("mail", "mailed_link"):
        op.drop_constraint(op.f(f"ck_{table}_kind"), table, type_="check")
        op.create_check_constraint(op.f(f"ck_{table}_kind"), table, condition)
