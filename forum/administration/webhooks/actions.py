"""Webhooks, for administrators who signed in a moment ago: make, change, test and remove one, and renew its secret."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import httpx
from sqlalchemy import any_, delete, func, literal, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.administration.webhooks.queries import not_found
from forum.administration.webhooks.signatures import secret_of
from forum.administration.webhooks.tables import (
    MOST,
    OffReason,
    Severity,
    Webhook,
    WebhookDelivery,
    WebhookEvent,
)
from forum.core import audit
from forum.core.errors import Conflict, Invalid
from forum.core.http_client import is_public
from forum.core.idempotency import Repeat
from forum.core.work import Work
from forum.members.queries import changed_since
from forum.members.viewer import Viewer
from forum.permissions import Act, allow, require_recent_sign_in

# Held until the commit by whoever makes or changes one: two at once would each see room, or the same free address.
# Not a lock of the table: who notes how a delivery went has a row of it, and both would wait for each other.
_ONE_AT_A_TIME = select(func.pg_advisory_xact_lock(func.hashtext("webhooks")))

_OWN_POSTS = text(
    "DELETE FROM webhook_delivery WHERE xmin = CAST(pg_current_xact_id() AS xid) AND thread_id IS NOT NULL "
    "AND event <> 'post.removed'"
)


@dataclass(frozen=True)
class ShownSecret:
    """A webhook with its secret, which is shown this once."""

    webhook: Webhook
    secret: str


@dataclass(frozen=True, kw_only=True)
class WebhookChanges:
    """What to change of a webhook; None stays as it is."""

    url: str | None = None
    events: Sequence[WebhookEvent] | None = None
    is_on: bool | None = None


async def announce(
    session: AsyncSession, event: WebhookEvent, now: datetime, *, severity: Severity | None = None
) -> None:
    """Have every webhook told that chose this event, once the transaction is committed."""
    listening = (
        select(col(Webhook.id))
        .where(col(Webhook.is_on), literal(str(event)) == any_(col(Webhook.events)))
        .with_for_update(key_share=True, read=True, skip_locked=True)  # one that is being removed is passed over
    )
    ids = (await session.execute(listening)).scalars().all()
    if ids:
        told = {"event": event, "severity": severity, "at": now, "next_at": now}
        await session.execute(insert(WebhookDelivery), [{"webhook_id": one, **told} for one in ids])


async def forget_posts_of_transaction(session: AsyncSession) -> None:
    """Forget what this transaction would have webhooks told of new posts: those of an old board are no news.

    Of one that is removed they hear.
    """
    await session.execute(_OWN_POSTS)


async def make_webhook(
    work: Work, administrator: Viewer, url: str, events: Collection[WebhookEvent], *, repeat: Repeat | None = None
) -> ShownSecret:
    """Make a webhook, and return it with its secret. A `repeat` of an earlier request returns the one of that.

    Raises SignInAgain, Forbidden, Invalid for an address that cannot be asked or no event, Conflict when the address
    has a webhook or there are ten, NotFound for a repeat whose webhook is gone, and what `Repeat.earlier` raises.
    """
    _allow(work, administrator)
    if repeat and (earlier := await repeat.earlier(work)):
        made = await work.session.get(Webhook, UUID(earlier))
        if made is None:
            raise not_found()
        return ShownSecret(made, secret_of(work.settings, made))
    await work.session.execute(_ONE_AT_A_TIME)
    if (await work.session.execute(select(func.count()).select_from(Webhook))).scalar_one() >= MOST:
        raise Conflict(f"There are {MOST} webhooks already. Remove one first.", code="too_many_webhooks")
    webhook = Webhook(
        url=await _check_url(work, url),
        events=_check_events(events),
        made_at=work.now,
        changed_at=work.now,
        changed_by=administrator.member_id,
    )
    work.session.add(webhook)
    await work.session.flush()
    if repeat:
        await repeat.keep(work, webhook.id)
    await _record(work, "webhook.made", administrator, webhook)
    return ShownSecret(webhook, secret_of(work.settings, webhook))


async def change_webhook(
    work: Work, administrator: Viewer, webhook_id: UUID, version: int, changes: WebhookChanges
) -> Webhook:
    """Change where a webhook is, what it is told, or whether. Off, it also forgets what it was still to hear.

    Raises SignInAgain, Forbidden, NotFound, Stale at another version, and Invalid and Conflict as `make_webhook` does.
    """
    _allow(work, administrator)
    await work.session.execute(_ONE_AT_A_TIME)
    webhook = await _lock_at(work, webhook_id, version)
    if changes.url is not None and changes.url != webhook.url:
        webhook.url, webhook.failing_since = await _check_url(work, changes.url, but=webhook.id), None
        await _try_waiting_now(work, webhook.id)
    if changes.events is not None:
        webhook.events = _check_events(changes.events)
    if changes.is_on is not None and changes.is_on != webhook.is_on:
        webhook.is_on, webhook.off_because = changes.is_on, None if changes.is_on else OffReason.ASKED
        webhook.failing_since = None
        await forget_waiting(work.session, webhook.id)
    _note_change(work, administrator, webhook)
    await _record(work, "webhook.changed", administrator, webhook)
    return webhook


async def renew_secret(work: Work, administrator: Viewer, webhook_id: UUID, version: int) -> ShownSecret:
    """Give a webhook a new secret, and return it. For a day, the one before signs too; renewed again, it does not.

    Raises SignInAgain, Forbidden, NotFound, and Stale at another version.
    """
    _allow(work, administrator)
    webhook = await _lock_at(work, webhook_id, version)
    webhook.secret_number, webhook.renewed_at = webhook.secret_number + 1, work.now
    _note_change(work, administrator, webhook)
    await _record(work, "webhook.secret_renewed", administrator, webhook)
    return ShownSecret(webhook, secret_of(work.settings, webhook))


async def send_test(
    work: Work, administrator: Viewer, webhook_id: UUID, *, repeat: Repeat | None = None
) -> WebhookDelivery:
    """Have a test sent to a webhook, and return the delivery. A `repeat` returns the one of the earlier request.

    Raises SignInAgain, Forbidden, NotFound, Conflict when the webhook is off, and what `Repeat.earlier` raises.
    """
    _allow(work, administrator)
    webhook = await _lock(work, webhook_id)
    if repeat and (earlier := await repeat.earlier(work)):
        sent = await work.session.get(WebhookDelivery, UUID(earlier))
        if sent is None:
            raise not_found()
        return sent
    if not webhook.is_on:
        raise Conflict("This webhook is off. Turn it on first.", code="webhook_off")
    delivery = WebhookDelivery(webhook_id=webhook.id, event=WebhookEvent.TEST, at=work.now, next_at=work.now)
    work.session.add(delivery)
    await work.session.flush()
    if repeat:
        await repeat.keep(work, delivery.id)
    await _record(work, "webhook.tested", administrator, webhook)
    return delivery


async def remove_webhook(work: Work, administrator: Viewer, webhook_id: UUID) -> None:
    """Remove a webhook, with what it was still to hear. Raises SignInAgain, Forbidden and NotFound."""
    _allow(work, administrator)
    webhook = await _lock(work, webhook_id)
    await work.session.delete(webhook)
    await _record(work, "webhook.removed", administrator, webhook)


async def forget_waiting(session: AsyncSession, webhook_id: UUID) -> None:
    """Delete what a webhook was still to hear."""
    waiting = (col(WebhookDelivery.webhook_id) == webhook_id, col(WebhookDelivery.next_at).is_not(None))
    await session.execute(delete(WebhookDelivery).where(*waiting))


async def _try_waiting_now(work: Work, webhook_id: UUID) -> None:
    waiting = (col(WebhookDelivery.webhook_id) == webhook_id, col(WebhookDelivery.next_at) > work.now)
    await work.session.execute(update(WebhookDelivery).where(*waiting).values(next_at=work.now))


def _allow(work: Work, administrator: Viewer) -> None:
    """Require an administrator who signed in a moment ago: what leaves from here, nobody brings back."""
    require_recent_sign_in(administrator, work.now)
    allow(Act.CONNECT, administrator)


async def _lock(work: Work, webhook_id: UUID) -> Webhook:
    # Not FOR UPDATE: triggers pass over a row that is locked so, and what happens meanwhile would be told to nobody.
    webhook = await work.session.get(Webhook, webhook_id, with_for_update={"key_share": True}, populate_existing=True)
    if webhook is None:
        raise not_found()
    return webhook


async def _lock_at(work: Work, webhook_id: UUID, version: int) -> Webhook:
    webhook = await _lock(work, webhook_id)
    if webhook.version != version:
        detail = "This webhook was changed while you were looking at it. Please read it again."
        current, by, at = webhook.version, webhook.changed_by, webhook.changed_at
        raise await changed_since(work.session, detail, code="webhook_changed", current=current, by=by, at=at)
    return webhook


async def _check_url(work: Work, url: str, *, but: UUID | None = None) -> str:
    """Return the address as it will be asked. Raises Invalid and Conflict.

    Where a name leads to is looked at each time it is asked: it may lead elsewhere tomorrow.
    """
    try:
        parsed = httpx.URL(url.strip())
        host = parsed.host  # ValueError: a name that IDNA does not know
    except (httpx.InvalidURL, ValueError):
        parsed, host = httpx.URL(""), ""
    if parsed.scheme != "https" or not host or parsed.userinfo or parsed.fragment:
        raise Invalid(
            "must be an address that begins with https://, without a user name and without “#”",
            "#/url",
            code="webhook_address_unusable",
        )
    if _is_inner(host):
        raise Invalid("must be on the public internet", "#/url", code="webhook_address_not_public")
    same = select(col(Webhook.id)).where(col(Webhook.url) == str(parsed), col(Webhook.id) != (but or UUID(int=0)))
    if (await work.session.execute(same)).first():
        raise Conflict("There is a webhook to this address already.", code="webhook_exists", pointer="#/url")
    return str(parsed)


def _is_inner(host: str) -> bool:
    """Return whether a host is an address that is not public; of a name it is not known yet."""
    try:
        return not is_public(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _check_events(events: Collection[WebhookEvent]) -> list[str]:
    """Return the events in their order. Raises Invalid for none, and for the test, which is not chosen."""
    if not events or WebhookEvent.TEST in events:
        raise Invalid("must name at least one event that can be chosen", "#/events", code="webhook_without_events")
    return [str(event) for event in WebhookEvent if event in events]


def _note_change(work: Work, administrator: Viewer, webhook: Webhook) -> None:
    webhook.version += 1
    webhook.changed_at, webhook.changed_by = work.now, administrator.member_id


async def _record(work: Work, act: str, administrator: Viewer, webhook: Webhook) -> None:
    """Record an act without the address, which may have a password of the other service in it: records stay."""
    await audit.record(
        work.session,
        actor_id=administrator.id,
        act=act,
        subject=("webhook", webhook.id),
        now=work.now,
        details={"events": list(webhook.events), "is_on": webhook.is_on},
    )
