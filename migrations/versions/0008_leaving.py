"""Members who leave: their departures, what holds one up, copies of what is kept, handles that nobody gets again."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

NAMES = ("handle", "skeleton", "email")
LEFT = (
    "(left_at IS NULL AND num_nonnulls(handle, skeleton, email) = 3) OR (left_at IS NOT NULL AND password_hash = '' "
    "AND num_nonnulls(handle, skeleton, email, title, email_verified_at, wanted_email) = 0)"
)
MAILS = ("verify_address", "address_change", "sign_in_changed", "password_reset")
NEW_MAILS = ("departure", "departure_waits", "export_ready")
NOTICES = (
    "post_held",
    "post_published",
    "post_edited",
    "post_removed",
    "statement_issued",
    "appeal_heard",
    "report_received",
    "report_settled",
    "standing_ended",
)
NEW_NOTICES = ("departure_waits", "export_ready")

# A statement never changes, but for who left: the words go that it is about, marks take the place of their handle in
# its reason, and nothing else. The marks are the wildcards of a pattern that the reason has to fit as it was.
KEEP_OR_FORGET = """
CREATE FUNCTION refuse_all_but_forgetting() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE forgotten statement%ROWTYPE;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        forgotten := OLD;
        IF NEW.excerpts = '[]' THEN
            forgotten.excerpts := NEW.excerpts;
        END IF;
        IF OLD.reason LIKE replace(regexp_replace(NEW.reason, '([\\\\%_])', '\\\\\\1', 'g'), '·', '_') THEN
            forgotten.reason := NEW.reason;
        END IF;
        IF NEW IS NOT DISTINCT FROM forgotten THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$
"""
ROWS = "CREATE TRIGGER statement_keeps_rows BEFORE UPDATE OR DELETE ON statement FOR EACH ROW EXECUTE FUNCTION "


def upgrade() -> None:
    op.create_table(
        "departure",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("waits_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cleared_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('leave', 'erase')", name=op.f("ck_departure_kind")),
        sa.CheckConstraint("asked_at < due_at AND due_at <= done_at", name=op.f("ck_departure_order")),
        sa.CheckConstraint("cleared_at IS NULL OR done_at <= cleared_at", name=op.f("ck_departure_cleared")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_departure_member_id")),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_departure")),
    )
    op.create_index(
        "ix_departure_due", "departure", ["due_at"], unique=False, postgresql_where=sa.text("cleared_at IS NULL")
    )
    op.create_table(
        "legal_hold",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("placed_by", sa.Uuid(), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "reason IN ('court', 'police', 'legal_claim', 'safeguarding', 'regulator')",
            name=op.f("ck_legal_hold_reason"),
        ),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_legal_hold_member_id")),
        sa.ForeignKeyConstraint(["placed_by"], ["member.id"], name=op.f("fk_legal_hold_placed_by")),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_legal_hold")),
    )
    op.create_table(
        "export",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("num_nonnulls(made_at, expires_at, size) IN (0, 3)", name=op.f("ck_export_made")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_export_member_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_export")),
    )
    op.create_index(op.f("ix_export_member_id"), "export", ["member_id"], unique=False)
    op.create_index(
        "uq_export_being_made", "export", ["member_id"], unique=True, postgresql_where=sa.text("made_at IS NULL")
    )
    op.create_table(
        "export_part",
        sa.Column("export_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["export_id"], ["export.id"], name=op.f("fk_export_part_export_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("export_id", "number", name=op.f("pk_export_part")),
    )
    op.create_table(
        "spent_handle",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_spent_handle")),
    )
    op.add_column("member", sa.Column("left_at", sa.DateTime(timezone=True), nullable=True))
    for name in NAMES:
        op.alter_column("member", name, nullable=True)
    # Checked without holding up writers: nobody has left yet.
    op.execute(f"ALTER TABLE member ADD CONSTRAINT ck_member_left CHECK ({LEFT}) NOT VALID")
    op.execute("ALTER TABLE member VALIDATE CONSTRAINT ck_member_left")
    _take_kinds("mail", (*MAILS, *NEW_MAILS))
    _take_kinds("mailed_link", (*MAILS, *NEW_MAILS))
    _take_kinds("notification", (*NOTICES, *NEW_NOTICES))
    op.execute(KEEP_OR_FORGET)
    op.execute("DROP TRIGGER statement_keeps_rows ON statement")
    op.execute(f"{ROWS} refuse_all_but_forgetting()")


def downgrade() -> None:
    op.execute("DROP TRIGGER statement_keeps_rows ON statement")
    op.execute(f"{ROWS} refuse_change()")
    op.execute("DROP FUNCTION refuse_all_but_forgetting()")
    for table, kinds, new in (
        ("notification", NOTICES, NEW_NOTICES),
        ("mailed_link", MAILS, NEW_MAILS),
        ("mail", MAILS, NEW_MAILS),
    ):
        op.execute(f"DELETE FROM {table} WHERE {_one_of(new)}")  # noqa: S608
        _take_kinds(table, kinds)
    op.drop_constraint("ck_member_left", "member")
    # Who left stays without a name: something that nobody else has, and that no handle or address looks like.
    for name in NAMES:
        op.execute(f"UPDATE member SET {name} = id::text WHERE {name} IS NULL")  # noqa: S608
        op.alter_column("member", name, nullable=False)
    op.drop_column("member", "left_at")
    for table in ("spent_handle", "export_part", "export", "legal_hold", "departure"):
        op.drop_table(table)


def _take_kinds(table: str, kinds: Sequence[str]) -> None:
    """Let a table have these kinds; the rows that are there are checked without holding up writers."""
    op.execute(f"ALTER TABLE {table} DROP CONSTRAINT ck_{table}_kind")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_kind CHECK ({_one_of(kinds)}) NOT VALID")
    op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT ck_{table}_kind")


def _one_of(kinds: Sequence[str]) -> str:
    return f"kind IN ({', '.join(repr(kind) for kind in kinds)})"
