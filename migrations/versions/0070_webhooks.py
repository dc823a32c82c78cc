"""Webhooks: which services hear what happens here, and what they are still to hear."""

import re
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision: str = "0070"
down_revision: str | None = "0069"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

EVENTS = (
    *("thread.opened", "post.published", "post.removed", "case.opened", "case.waiting"),
    *("import.finished", "backup.failed", "forum.test"),
)
SEVERITIES = ("critical", "high", "normal", "low")
FAILURES = ("refused", "unreachable", "status")
NEW_KIND = "webhook_off"

# In the transaction of whoever writes, so that no path forgets it and nothing is told that is rolled back. Where there
# is no webhook, it looks into an empty table, which takes some microseconds. A webhook that an administrator removes at this moment is passed over: nobody
# who writes waits for that, or fails by it.
TELL_POST = """
CREATE FUNCTION tell_webhooks_of_post() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM webhook WHERE is_on) THEN
        RETURN NULL;
    END IF;
    INSERT INTO webhook_delivery (webhook_id, event, thread_id, number)
    SELECT id, name, NEW.thread_id, NEW.number
    FROM webhook
    JOIN unnest(
        CASE
            WHEN NEW.kind = 'removed' THEN ARRAY['post.removed']
            WHEN NEW.number = 1 THEN ARRAY['thread.opened', 'post.published']
            ELSE ARRAY['post.published']
        END
    ) AS told (name) ON name = ANY (events)
    WHERE is_on
    FOR KEY SHARE OF webhook SKIP LOCKED;
    RETURN NULL;
END $$
"""
# How grave it is, and nothing else: neither what it is about nor where. Whoever reads it may be whom it is about.
TELL_CASE = """
CREATE FUNCTION tell_webhooks_of_case() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO webhook_delivery (webhook_id, event, severity)
    SELECT id, 'case.opened', CASE
        WHEN NEW.category IN ('risk', 'encouragement', 'intimate_image') THEN 'critical'
        WHEN NEW.category IN ('illegal', 'personal_information') THEN 'high'
        WHEN NEW.category IN ('rule', 'appeal', 'held') THEN 'normal'
        ELSE 'low'
    END
    FROM webhook
    WHERE is_on AND 'case.opened' = ANY (events)
    FOR KEY SHARE OF webhook SKIP LOCKED;
    RETURN NULL;
END $$
"""


def allow_kinds(kinds: Sequence[str]) -> None:
    allowed = ", ".join(f"'{kind}'" for kind in kinds)
    op.execute("ALTER TABLE notification DROP CONSTRAINT ck_notification_kind")
    op.execute(f"ALTER TABLE notification ADD CONSTRAINT ck_notification_kind CHECK (kind IN ({allowed})) NOT VALID")
    # After the commit: in one transaction, the table would be locked for as long as the look takes.
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE notification VALIDATE CONSTRAINT ck_notification_kind")


def known_kinds() -> list[str]:
    """Return the kinds that are allowed: another migration may have added some."""
    named = sa.text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_notification_kind'")
    check: str = op.get_bind().execute(named).scalar_one()
    return re.findall(r"'([a-z_]+)'", check)


def one_of(column: str, values: Sequence[str]) -> str:
    return f"{column} IN ({', '.join(map(repr, values))})"


def upgrade() -> None:
    op.create_table(
        "webhook",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("events", ARRAY(sa.String()), nullable=False),
        sa.Column("secret_number", sa.Integer(), nullable=False),
        sa.Column("renewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.Column("off_because", sa.String(), nullable=True),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("starts_with(url, 'https://')", name=op.f("ck_webhook_url")),
        sa.CheckConstraint("cardinality(events) > 0", name=op.f("ck_webhook_events")),
        sa.CheckConstraint(one_of("off_because", ("asked", "gone", "dead")), name=op.f("ck_webhook_off_because")),
        sa.CheckConstraint("is_on = (off_because IS NULL)", name=op.f("ck_webhook_is_on")),
        sa.ForeignKeyConstraint(["changed_by"], ["member.id"], name=op.f("fk_webhook_changed_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook")),
    )
    op.create_table(
        "webhook_delivery",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("thread_id", sa.BigInteger(), nullable=True),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("severity", sa.String(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=True),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("failure", sa.String(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(one_of("event", EVENTS), name=op.f("ck_webhook_delivery_event")),
        sa.CheckConstraint(one_of("severity", SEVERITIES), name=op.f("ck_webhook_delivery_severity")),
        sa.CheckConstraint(one_of("failure", FAILURES), name=op.f("ck_webhook_delivery_failure")),
        sa.CheckConstraint("num_nonnulls(thread_id, number) IN (0, 2)", name=op.f("ck_webhook_delivery_about")),
        sa.CheckConstraint("(next_at IS NULL) = (ended_at IS NOT NULL)", name=op.f("ck_webhook_delivery_ended")),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhook.id"], name=op.f("fk_webhook_delivery_webhook_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_delivery")),
    )
    op.create_index("ix_webhook_delivery_page", "webhook_delivery", ["webhook_id", "at", "id"])
    op.create_index(
        "ix_webhook_delivery_due",
        "webhook_delivery",
        ["webhook_id", "next_at", "id"],
        postgresql_where=sa.text("next_at IS NOT NULL"),
    )
    op.create_index(
        "ix_webhook_delivery_queued",
        "webhook_delivery",
        ["webhook_id"],
        postgresql_where=sa.text("queued_at IS NOT NULL"),
    )
    op.execute(TELL_POST)
    op.execute(TELL_CASE)
    op.execute(
        "CREATE TRIGGER webhooks_of_posts AFTER INSERT ON event FOR EACH ROW "
        "WHEN (NEW.kind IN ('post', 'removed')) EXECUTE FUNCTION tell_webhooks_of_post()"
    )
    op.execute(
        "CREATE TRIGGER webhooks_of_cases AFTER INSERT ON moderation_case FOR EACH ROW "
        "WHEN (NEW.state = 'open') EXECUTE FUNCTION tell_webhooks_of_case()"
    )
    # Last, so that no lock of it is held while others are waited for; a decision takes them in the other order.
    allow_kinds([kind for kind in known_kinds() if kind != NEW_KIND] + [NEW_KIND])


def downgrade() -> None:
    op.execute("DROP TRIGGER webhooks_of_cases ON moderation_case")
    op.execute("DROP TRIGGER webhooks_of_posts ON event")
    op.execute("DROP FUNCTION tell_webhooks_of_case()")
    op.execute("DROP FUNCTION tell_webhooks_of_post()")
    op.execute(sa.text("DELETE FROM notification WHERE kind = :kind").bindparams(kind=NEW_KIND))
    allow_kinds([kind for kind in known_kinds() if kind != NEW_KIND])
    op.drop_table("webhook_delivery")
    op.drop_table("webhook")
