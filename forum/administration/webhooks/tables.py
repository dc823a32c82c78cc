"""The tables of webhooks: the services that are told, and what each is still to hear. No secret is in them."""

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, Index, String, func, text
from sqlmodel import Field, SQLModel

from forum.core.database import Moment, check_one_of, new_id

MOST = 10  # each of them is one more trip for every post
URL_MAX = 500
KEPT_FOR = timedelta(days=7)  # a delivery, from when it happened; the last try comes after three
BOTH_SIGN_FOR = timedelta(hours=24)  # the old secret beside a new one


class WebhookEvent(StrEnum):
    """What a service can be told."""

    THREAD_OPENED = "thread.opened"
    POST_PUBLISHED = "post.published"
    POST_REMOVED = "post.removed"
    CASE_OPENED = "case.opened"
    CASE_WAITING = "case.waiting"
    IMPORT_FINISHED = "import.finished"
    BACKUP_FAILED = "backup.failed"
    TEST = "forum.test"  # when an administrator asks for it, and whatever was chosen


class Severity(StrEnum):
    """How grave a case is; nothing else of it is told."""

    CRITICAL = "critical"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class OffReason(StrEnum):
    """Why nothing is sent to a service."""

    ASKED = "asked"  # by an administrator
    GONE = "gone"  # the service answered 410
    DEAD = "dead"  # for five days, nothing arrived


class DeliveryFailure(StrEnum):
    """Why a try failed."""

    REFUSED = "refused"  # the address is not on the public internet
    UNREACHABLE = "unreachable"  # no connection, no certificate, or no answer in time
    STATUS = "status"  # it answered, and not with 2xx


class Webhook(SQLModel, table=True):
    """A service that is told.

    Its secret is in no table: it is made of `id` and `secret_number` with the key that is not in the database.
    """

    __table_args__ = (
        CheckConstraint("starts_with(url, 'https://')", name="url"),
        CheckConstraint("cardinality(events) > 0", name="events"),
        check_one_of("off_because", OffReason),
        CheckConstraint("is_on = (off_because IS NULL)", name="is_on"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    url: str
    events: list[str] = Field(sa_type=ARRAY(String))
    secret_number: int = Field(default=1, description="Which secret it has: each new one has the next number")
    renewed_at: datetime | None = Field(default=None, sa_type=Moment, description="When it got this secret")
    is_on: bool = True
    off_because: str | None = None
    failing_since: datetime | None = Field(default=None, sa_type=Moment, description="No try succeeded since then")
    tried_at: datetime | None = Field(default=None, sa_type=Moment, description="When a try was last begun")
    last_status: int | None = Field(default=None, description="What it last answered")
    version: int = 1
    made_at: datetime = Field(sa_type=Moment)
    changed_at: datetime = Field(sa_type=Moment)
    changed_by: UUID | None = Field(default=None, foreign_key="member.id", description="None: the forum")


class WebhookDelivery(SQLModel, table=True):
    """That a service is to be told one thing, and how that went: ids and enumerated words, never a word of anybody.

    Triggers write the rows of posts and cases, in the transaction of whoever writes. `id` is the `webhook-id`: it stays
    the same however often it is sent.
    """

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        check_one_of("event", WebhookEvent),
        check_one_of("severity", Severity),
        check_one_of("failure", DeliveryFailure),
        CheckConstraint("num_nonnulls(thread_id, number) IN (0, 2)", name="about"),
        CheckConstraint("(next_at IS NULL) = (ended_at IS NOT NULL)", name="ended"),
        Index("ix_webhook_delivery_page", "webhook_id", "at", "id"),
        Index("ix_webhook_delivery_due", "webhook_id", "next_at", "id", postgresql_where=text("next_at IS NOT NULL")),
        Index("ix_webhook_delivery_queued", "webhook_id", postgresql_where=text("queued_at IS NOT NULL")),
    )

    id: UUID = Field(
        default_factory=new_id, primary_key=True, sa_column_kwargs={"server_default": text("gen_random_uuid()")}
    )
    webhook_id: UUID = Field(foreign_key="webhook.id", ondelete="CASCADE")
    event: str
    thread_id: int | None = Field(default=None, sa_type=BigInteger)
    number: int | None = Field(default=None, description="Of the post in its thread")
    severity: str | None = Field(default=None, description="Of a case")
    at: datetime = Field(default=None, sa_type=Moment, sa_column_kwargs={"server_default": func.now()})
    next_at: datetime | None = Field(
        default=None, sa_type=Moment, sa_column_kwargs={"server_default": func.now()}, description="None: it has ended"
    )
    queued_at: datetime | None = Field(default=None, sa_type=Moment, description="Since when a job sends it")
    tries: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    status: int | None = Field(default=None, description="What was answered last")
    failure: str | None = None
    ended_at: datetime | None = Field(default=None, sa_type=Moment)
