"""How webhooks are told: each second the next delivery of each, tried ten times within three days.

A sweep picks what is due, and an errand sends it, while no transaction is open. A worker that dies on the way sends it
once more with the same id: who takes it looks at that.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import and_, delete, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from forum.administration.webhooks.actions import announce, forget_waiting
from forum.administration.webhooks.signatures import headers_of, keys_of
from forum.administration.webhooks.tables import (
    KEPT_FOR,
    DeliveryFailure,
    OffReason,
    Webhook,
    WebhookDelivery,
    WebhookEvent,
)
from forum.content.boards import Board
from forum.content.posts.tables import Post
from forum.content.threads.tables import Thread
from forum.core import jobs
from forum.core.http_client import HttpClient, OutboundFailed, OutboundRefused
from forum.core.jobs import Job, Payload
from forum.core.settings import Settings

DELIVER, END_DEAD, TELL_OFF = Job("deliver_webhook"), Job("end_dead_webhooks"), Job("tell_webhook_off")
# The pause before each try, from the schedule that Standard Webhooks 1.0 gives as its example.
PAUSES = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
)
APART = timedelta(seconds=1)  # two deliveries to one service
DEAD_AFTER = timedelta(days=5)
LONGEST_WAIT = timedelta(hours=24)  # that a service can ask for by Retry-After
LOST_AFTER = timedelta(hours=2)  # a job that is not done by then was given up
AT_ONCE = 4
GONE = 410

_Queued = aliased(WebhookDelivery)


@dataclass(frozen=True)
class OutgoingDelivery:
    """A delivery that is about to be sent."""

    id: UUID
    webhook_id: UUID
    url: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class DeliveryOutcome:
    """How a try ended; a success has no `failure`."""

    status: int | None = None
    failure: DeliveryFailure | None = None
    retry_after: timedelta = timedelta(0)


async def queue_due(session: AsyncSession, now: datetime) -> bool:
    """Queue the next delivery of each webhook, unless one of it is under way. Return False: the rest waits a second."""
    due = _due(now).order_by(col(WebhookDelivery.next_at), col(WebhookDelivery.id)).limit(1)
    under_way = exists().where(col(_Queued.webhook_id) == col(Webhook.id), col(_Queued.queued_at) > now - LOST_AFTER)
    ready = select(col(Webhook.id), due.correlate(Webhook).scalar_subquery().label("delivery_id")).where(
        col(Webhook.is_on),
        or_(col(Webhook.tried_at).is_(None), col(Webhook.tried_at) <= now - APART),
        ~under_way,
    )
    for row in (await session.execute(ready)).all():
        if row.delivery_id:
            await session.execute(update(Webhook).where(col(Webhook.id) == row.id).values(tried_at=now))
            this = update(WebhookDelivery).where(col(WebhookDelivery.id) == row.delivery_id)
            await session.execute(this.values(queued_at=now))
            await jobs.enqueue(session, DELIVER, {"delivery": str(row.delivery_id)})
    return False


async def postpone_due(session: AsyncSession, now: datetime) -> None:
    """Put off for five minutes what could not be queued."""
    due = update(WebhookDelivery).where(col(WebhookDelivery.next_at) <= now)
    await session.execute(due.values(next_at=now + PAUSES[2]))


class WebhookSender:
    """The errand that sends a delivery: it is written, sent, and noted how that went."""

    at_once = AT_ONCE

    def __init__(self, settings: Settings, client: HttpClient | None = None) -> None:
        self._settings, self._given = settings, client

    @cached_property
    def _client(self) -> HttpClient:
        return self._given or HttpClient()  # not before it is needed: it reads every certificate

    async def prepare(self, session: AsyncSession, payload: Payload, now: datetime) -> OutgoingDelivery | None:
        """Write what is sent, as the board is called now. None: it has ended, or nobody is to hear of it any more."""
        delivery = await session.get(WebhookDelivery, UUID(payload["delivery"]))
        webhook = await session.get(Webhook, delivery.webhook_id) if delivery else None
        if delivery is None or webhook is None or delivery.ended_at or not webhook.is_on:
            return None
        said = {
            "type": delivery.event,
            "timestamp": f"{delivery.at.astimezone(UTC):%FT%TZ}",
            "data": await self._data(session, delivery),
        }
        body = json.dumps(said, separators=(",", ":")).encode()
        signed = headers_of(delivery.id, now, body, keys_of(self._settings, webhook, now))
        headers = {"Content-Type": "application/json", **signed}
        return OutgoingDelivery(delivery.id, webhook.id, webhook.url, headers, body)

    async def _data(self, session: AsyncSession, delivery: WebhookDelivery) -> dict[str, Any]:
        """Return ids, the short name of the board and a link: never a word, a title or a name."""
        here = self._settings.public_url
        if delivery.thread_id is None:
            about = {"severity": delivery.severity} if delivery.severity else {}
            return {**about, "url": f"{here}/moderation" if about else here}
        found = (
            select(col(Board.slug), col(Post.id))
            .join(Thread, col(Thread.board_id) == col(Board.id))
            .outerjoin(Post, and_(col(Post.thread_id) == col(Thread.id), col(Post.number) == delivery.number))
            .where(col(Thread.id) == delivery.thread_id)
        )
        row = (await session.execute(found)).one_or_none()
        is_thread = delivery.event == WebhookEvent.THREAD_OPENED
        return {
            "thread_id": delivery.thread_id,
            "post_id": row.id if row else None,
            "number": delivery.number,
            "board": row.slug if row else None,
            "url": f"{here}/threads/{delivery.thread_id}" if is_thread or not row else f"{here}/posts/{row.id}",
        }

    async def go(self, prepared: OutgoingDelivery) -> DeliveryOutcome:
        """Send it, and return how that ended."""
        try:
            answer = await self._client.post(prepared.url, prepared.body, headers=prepared.headers)
        except OutboundRefused:
            return DeliveryOutcome(failure=DeliveryFailure.REFUSED)
        except OutboundFailed:
            return DeliveryOutcome(failure=DeliveryFailure.UNREACHABLE)
        if 200 <= answer.status < 300:
            return DeliveryOutcome(answer.status)
        return DeliveryOutcome(
            answer.status, DeliveryFailure.STATUS, _seconds_of(answer.headers.get("Retry-After", ""))
        )

    async def settle(
        self, session: AsyncSession, prepared: OutgoingDelivery, outcome: DeliveryOutcome, now: datetime
    ) -> None:
        """Note how it ended, and when it is tried again. A service that is gone is sent nothing any more."""
        locking: dict[str, Any] = {"with_for_update": {"key_share": True}, "populate_existing": True}
        webhook = await session.get(Webhook, prepared.webhook_id, **locking)
        delivery = await session.get(WebhookDelivery, prepared.id, **locking)
        if webhook is None or delivery is None:  # removed or turned off meanwhile
            return
        webhook.last_status = outcome.status
        webhook.failing_since = (webhook.failing_since or now) if outcome.failure else None
        delivery.tries += 1
        delivery.queued_at, delivery.status, delivery.failure = None, outcome.status, outcome.failure
        if outcome.failure is None or outcome.status == GONE or delivery.tries >= len(PAUSES):
            delivery.next_at, delivery.ended_at = None, now
        else:
            delivery.next_at = now + max(PAUSES[delivery.tries], outcome.retry_after)
        if outcome.status == GONE:
            await session.flush()
            await _turn_off(session, webhook, OffReason.GONE, now)


async def end_dead(session: AsyncSession, _payload: Payload, now: datetime) -> None:
    """Job handler, each hour: turn off the webhooks that nothing has reached for five days. Idempotent."""
    dead = (
        select(Webhook)
        .where(col(Webhook.is_on), col(Webhook.failing_since) <= now - DEAD_AFTER)
        .with_for_update(key_share=True)
    )
    for webhook in (await session.execute(dead)).scalars().all():
        await _turn_off(session, webhook, OffReason.DEAD, now)


async def tell_backup_failed(session: AsyncSession, _payload: Payload, now: datetime) -> None:
    """Job handler: have webhooks told that a backup failed, or is not good."""
    await announce(session, WebhookEvent.BACKUP_FAILED, now)


async def delete_expired(session: AsyncSession, now: datetime) -> None:
    """Delete the deliveries of more than seven days ago, also those that never arrived."""
    await session.execute(delete(WebhookDelivery).where(col(WebhookDelivery.at) <= now - KEPT_FOR))


async def _turn_off(session: AsyncSession, webhook: Webhook, why: OffReason, now: datetime) -> None:
    """Turn a webhook off, forget what it was still to hear, and have the administrators told."""
    webhook.is_on, webhook.off_because = False, why
    webhook.version += 1
    webhook.changed_at, webhook.changed_by = now, None
    await forget_waiting(session, webhook.id)
    await jobs.enqueue(session, TELL_OFF, {"webhook": str(webhook.id)})


def _due(now: datetime) -> Any:
    return select(col(WebhookDelivery.id)).where(
        col(WebhookDelivery.webhook_id) == col(Webhook.id), col(WebhookDelivery.next_at) <= now
    )


def _seconds_of(retry_after: str) -> timedelta:
    """Return the pause that a service asks for in seconds; a date counts as none, as no schedule needs it."""
    if not (retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 10):
        return timedelta(0)
    return min(timedelta(seconds=int(retry_after)), LONGEST_WAIT)
