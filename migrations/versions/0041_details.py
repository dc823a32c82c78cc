"""What a board does with what may show who somebody is, and what the charity itself gives out."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0041"
down_revision: str | None = "0040"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

KINDS = ", ".join(
    f"'{kind}'"
    for kind in (
        *("email", "handle", "iban", "card", "bank_account", "nhs_number", "ni_number", "telephone", "citation"),
        *("court_number", "police_reference", "birth_date", "hearing", "address", "postcode", "vehicle", "school"),
        *("professional", "child", "person", "identifies_child", "identifies_complainant", "court_paper"),
    )
)


def upgrade() -> None:
    op.create_table(
        "detail_effect",
        sa.Column("board_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("effect", sa.String(), nullable=False),
        sa.CheckConstraint(f"kind IN ({KINDS})", name=op.f("ck_detail_effect_kind")),
        sa.CheckConstraint(
            "effect IN ('tell', 'ask', 'ask_and_case', 'ask_and_hold')", name=op.f("ck_detail_effect_effect")
        ),
        sa.ForeignKeyConstraint(["board_id"], ["board.id"], name=op.f("fk_detail_effect_board_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("board_id", "kind", name=op.f("pk_detail_effect")),
    )
    op.create_table(
        "known_detail",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("compared", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("added_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["added_by"], ["member.id"], name=op.f("fk_known_detail_added_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_known_detail")),
        sa.UniqueConstraint("compared", name=op.f("uq_known_detail_compared")),
    )


def downgrade() -> None:
    for table in ("known_detail", "detail_effect"):
        op.drop_table(table)
