"""Who took the decision that an open appeal is against stands on the appeal's case: another decides it. The log is
read by time.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0019"
down_revision: str | None = "0012"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Open appeals are few: no index is needed, and nothing waits. The previous release leaves the column empty in appeals
# that are lodged while this migrates; there, as before, the decision itself is refused.
BAR = """
UPDATE moderation_case SET barred_id = decision.decided_by
FROM appeal JOIN decision ON decision.id = appeal.decision_id
WHERE appeal.case_id = moderation_case.id AND moderation_case.state = 'open'
"""


def upgrade() -> None:
    op.execute(BAR)
    op.create_index("ix_audit_entry_at", "audit_entry", ["at", "number"])


def downgrade() -> None:
    op.drop_index("ix_audit_entry_at", "audit_entry")
    op.execute("UPDATE moderation_case SET barred_id = NULL WHERE kind = 'appeal'")
