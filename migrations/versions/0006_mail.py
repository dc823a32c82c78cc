"""Mails that wait to be sent, the links that they carry, and addresses that are verified by one member only."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

KINDS = "kind IN ('verify_address', 'address_change', 'password_reset')"


def upgrade() -> None:
    op.create_table(
        "mail",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=True),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("put_down_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failure", sa.String(), nullable=True),
        sa.Column("given_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(KINDS, name=op.f("ck_mail_kind")),
        sa.CheckConstraint("(member_id IS NULL) = (email IS NULL)", name=op.f("ck_mail_somebody")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_mail_member_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail")),
    )
    op.create_index(op.f("ix_mail_member_id"), "mail", ["member_id"], unique=False)
    op.create_table(
        "mailed_link",
        sa.Column("token_digest", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(KINDS, name=op.f("ck_mailed_link_kind")),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_mailed_link_member_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_digest", name=op.f("pk_mailed_link")),
    )
    op.create_index(op.f("ix_mailed_link_member_id"), "mailed_link", ["member_id"], unique=False)
    op.create_index(op.f("ix_mailed_link_expires_at"), "mailed_link", ["expires_at"], unique=False)
    # Without a default, no row is rewritten.
    op.add_column("member", sa.Column("wanted_email", sa.String(), nullable=True))
    # Nobody could verify an address before: it is empty, and made in one look at the table.
    op.create_index(
        "uq_member_verified_email",
        "member",
        [sa.text("lower(email)")],
        unique=True,
        postgresql_where=sa.text("email_verified_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("uq_member_verified_email", table_name="member")
    op.drop_column("member", "wanted_email")
    op.drop_table("mailed_link")
    op.drop_table("mail")
