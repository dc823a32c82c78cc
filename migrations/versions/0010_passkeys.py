"""Passkeys, the challenges that they answer, and how often they were refused."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BEFORE = "reason IN ('password', 'second_factor', 'throttled')"
REASONS = "reason IN ('password', 'second_factor', 'passkey', 'throttled')"


def upgrade() -> None:
    op.create_table(
        "passkey",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("user_handle", sa.LargeBinary(), nullable=False),
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("backed_up", sa.Boolean(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_passkey_member_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkey")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_passkey_credential_id")),
    )
    op.create_index(op.f("ix_passkey_member_id"), "passkey", ["member_id"])
    op.create_table(
        "passkey_challenge",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=True),
        sa.Column("user_handle", sa.LargeBinary(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "purpose IN ('registration', 'sign_in', 'second_factor')", name=op.f("ck_passkey_challenge_purpose")
        ),
        sa.CheckConstraint(
            "(purpose = 'registration') = (member_id IS NOT NULL)", name=op.f("ck_passkey_challenge_member")
        ),
        sa.CheckConstraint(
            "(member_id IS NULL) = (user_handle IS NULL)", name=op.f("ck_passkey_challenge_user_handle")
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_passkey_challenge_member_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_passkey_challenge")),
    )
    op.create_index(op.f("ix_passkey_challenge_member_id"), "passkey_challenge", ["member_id"])
    op.create_index(op.f("ix_passkey_challenge_expires_at"), "passkey_challenge", ["expires_at"])
    _take_reasons(REASONS)


def downgrade() -> None:
    op.execute("DELETE FROM refused_sign_in WHERE reason = 'passkey'")
    _take_reasons(BEFORE)
    op.drop_table("passkey_challenge")
    op.drop_table("passkey")


def _take_reasons(condition: str) -> None:
    op.drop_constraint(op.f("ck_refused_sign_in_reason"), "refused_sign_in", type_="check")
    op.create_check_constraint(op.f("ck_refused_sign_in_reason"), "refused_sign_in", condition)
