"""Invitations, proposals of administrators, and how often sign-ins were refused."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BEFORE = (
    "kind IN ('verify_address', 'address_change', 'sign_in_changed', 'password_reset', 'departure', "
    "'departure_waits', 'export_ready')"
)
KINDS = (
    "kind IN ('verify_address', 'address_change', 'sign_in_changed', 'invitation', 'password_reset', 'departure', "
    "'departure_waits', 'export_ready')"
)


def upgrade() -> None:
    op.create_table(
        "invitation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("board_id", sa.Integer(), nullable=True),
        sa.Column("title", sa.String(), nullable=True),
        sa.Column("organisation", sa.String(), nullable=True),
        sa.Column("invited_by", sa.Uuid(), nullable=False),
        sa.Column("invited_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "role IN ('adviser', 'moderator', 'safeguarding_lead', 'administrator')", name=op.f("ck_invitation_role")
        ),
        sa.CheckConstraint(
            "board_id IS NULL OR role = 'moderator'", name=op.f("ck_invitation_board_only_for_moderators")
        ),
        sa.CheckConstraint(
            "num_nonnulls(title, organisation) = CASE WHEN role = 'adviser' THEN 2 ELSE 0 END",
            name=op.f("ck_invitation_adviser_speaks_for"),
        ),
        sa.ForeignKeyConstraint(["board_id"], ["board.id"], name=op.f("fk_invitation_board_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["invited_by"], ["member.id"], name=op.f("fk_invitation_invited_by"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitation")),
    )
    op.create_index("uq_invitation_email", "invitation", [sa.text("lower(email)")], unique=True)
    op.create_index(op.f("ix_invitation_invited_by"), "invitation", ["invited_by"], unique=False)
    op.create_index(op.f("ix_invitation_expires_at"), "invitation", ["expires_at"], unique=False)
    op.create_table(
        "administrator_proposal",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("proposed_by", sa.Uuid(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_administrator_proposal_member_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["proposed_by"], ["member.id"], name=op.f("fk_administrator_proposal_proposed_by"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_administrator_proposal")),
    )
    op.create_index(op.f("ix_administrator_proposal_proposed_by"), "administrator_proposal", ["proposed_by"])
    op.create_table(
        "refused_sign_in",
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "reason IN ('password', 'second_factor', 'throttled')", name=op.f("ck_refused_sign_in_reason")
        ),
        sa.PrimaryKeyConstraint("hour", "member_id", "reason", name=op.f("pk_refused_sign_in")),
    )
    _take_kinds(KINDS)


def downgrade() -> None:
    op.execute("DELETE FROM mail WHERE kind = 'invitation'")
    _take_kinds(BEFORE)
    op.drop_table("refused_sign_in")
    op.drop_table("administrator_proposal")
    op.drop_table("invitation")


def _take_kinds(condition: str) -> None:
    for table in ("mail", "mailed_link"):
        op.drop_constraint(op.f(f"ck_{table}_kind"), table, type_="check")
        op.create_check_constraint(op.f(f"ck_{table}_kind"), table, condition)
