"""A statement about what an old board decided goes when the import that brought it is taken back. No other ever does."""

from collections.abc import Sequence

from alembic import op

revision: str = "0074e"
down_revision: str | None = "0074d"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BEFORE = """
CREATE OR REPLACE FUNCTION refuse_all_but_forgetting() RETURNS trigger LANGUAGE plpgsql AS $$
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
# Nobody here decided it, and nobody appealed: `forum import undo` looks for that before it begins.
TAKEN_BACK = """
    IF TG_OP = 'DELETE' AND EXISTS (
        SELECT FROM decision JOIN import_run ON import_run.id = decision.import_run_id
        WHERE decision.id = OLD.decision_id AND import_run.state = 'undoing'
    ) THEN
        RETURN OLD;
    END IF;
    RAISE"""


def upgrade() -> None:
    op.execute(BEFORE.replace("\n    RAISE", TAKEN_BACK))


def downgrade() -> None:
    op.execute(BEFORE)
