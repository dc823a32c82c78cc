"""What administrators read of webhooks, never their secrets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import tuple_
from sqlmodel import col

from forum.administration.webhooks.tables import Webhook, WebhookDelivery
from forum.core import pagination
from forum.core.database import columns, query
from forum.core.errors import NotFound
from forum.core.pagination import Page
from forum.core.work import Work
from forum.members.viewer import Viewer
from forum.permissions import Act, allow

BY_TIME = TypeAdapter(tuple[pagination.Instant, UUID])


@dataclass(frozen=True)
class WebhookScreen:
    """A webhook with a page of what was sent to it, newest first."""

    webhook: Webhook
    deliveries: Page


async def list_webhooks(work: Work, administrator: Viewer) -> Sequence[Webhook]:
    """Return every webhook, oldest first. Raises Forbidden."""
    allow(Act.CONNECT, administrator)
    every = query(Webhook).order_by(col(Webhook.made_at), col(Webhook.id))
    return (await work.session.execute(every)).scalars().all()


async def get_webhook(work: Work, administrator: Viewer, webhook_id: UUID) -> Webhook:
    """Return a webhook. Raises Forbidden and NotFound."""
    allow(Act.CONNECT, administrator)
    found = await work.session.get(Webhook, webhook_id)
    if found is None:
        raise not_found()
    return found


async def read_screen(
    work: Work, administrator: Viewer, webhook_id: UUID, after: str | None, limit: int
) -> WebhookScreen:
    """Return a webhook and a page of its deliveries of the last seven days, newest first.

    Raises Forbidden, NotFound, and Invalid for a cursor of another list.
    """
    allow(Act.CONNECT, administrator)
    place: tuple[datetime, UUID] | None = pagination.decode(after, BY_TIME) if after is not None else None
    webhook = await get_webhook(work, administrator, webhook_id)
    found = query(*columns(WebhookDelivery)).where(col(WebhookDelivery.webhook_id) == webhook_id)
    if place:
        found = found.where(tuple_(col(WebhookDelivery.at), col(WebhookDelivery.id)) < place)
    newest = found.order_by(col(WebhookDelivery.at).desc(), col(WebhookDelivery.id).desc()).limit(limit + 1)
    rows: Sequence[Any] = (await work.session.execute(newest)).all()
    return WebhookScreen(webhook, pagination.page_of(rows, limit, lambda row: (row.at, str(row.id))))


def not_found() -> NotFound:
    """Return the error for a webhook that is not there."""
    return NotFound("There is no such webhook.", code="webhook_not_found")
