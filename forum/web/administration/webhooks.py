"""Webhooks, for administrators: which services are told what happens here, what arrived, and their secrets, once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar
from uuid import UUID

from fastapi import Response
from pydantic import Field

from forum.administration.webhooks import actions, queries
from forum.administration.webhooks.actions import ShownSecret, WebhookChanges
from forum.administration.webhooks.tables import (
    URL_MAX,
    DeliveryFailure,
    OffReason,
    Webhook,
    WebhookEvent,
)
from forum.core.errors import ForumError
from forum.http.fields import Text
from forum.web.administration.labels import options, said
from forum.web.forms import FormModel
from forum.web.languages import mark
from forum.web.pages import FormPage, Page
from forum.web.routing import page_router
from forum.web.visits import MemberVisit, OwnForm, Visit

DELIVERIES_A_PAGE = 20

router = page_router()

Address = Annotated[Text, Field(max_length=URL_MAX)]
Version = Annotated[int, Field(ge=1, lt=2**31)]

FIELDS = {
    "url": mark("Address of the other service"),
    "events": mark("What it is told"),
    "is_on": mark("Whether it is told"),
}
EVENTS: Mapping[str, str] = {
    WebhookEvent.THREAD_OPENED: mark("A thread is there"),
    WebhookEvent.POST_PUBLISHED: mark("A post is there"),
    WebhookEvent.POST_REMOVED: mark("A post is not shown any more"),
    WebhookEvent.CASE_OPENED: mark("Moderators have a case: only how grave it is"),
    WebhookEvent.CASE_WAITING: mark("A case should have been decided by now: only how grave it is"),
    WebhookEvent.IMPORT_FINISHED: mark("An import is finished"),
    WebhookEvent.BACKUP_FAILED: mark("A backup failed"),
}
ALL_EVENTS: Mapping[str, str] = {**EVENTS, WebhookEvent.TEST: mark("A test")}
OFF: Mapping[str, str] = {
    OffReason.ASKED: mark("It is turned off."),
    OffReason.GONE: mark("It is off: the other service says that it wants nothing more."),
    OffReason.DEAD: mark("It is off: for five days, nothing arrived."),
}
FAILURES: Mapping[str, str] = {
    DeliveryFailure.REFUSED: mark("The address is not on the public internet"),
    DeliveryFailure.UNREACHABLE: mark("Not reached"),
    DeliveryFailure.STATUS: mark("Not accepted"),
}


class WebhookForm(FormModel):
    """Where a service listens, and what it is told."""

    url: Address
    events: list[WebhookEvent]


class WebhookChangeForm(WebhookForm):
    """Other settings for a webhook, as it was on the screen."""

    is_on: bool = False
    version: Version


class VersionForm(FormModel):
    """A webhook as it was on the screen."""

    version: Version


@dataclass(frozen=True, kw_only=True)
class WebhookListPage(FormPage):
    """Every webhook, and the form for another."""

    template: ClassVar[str] = "administration/webhooks.html"
    section: ClassVar[str] = "/admin"

    webhooks: Sequence[tuple[Webhook, str]]  # each with how it is
    events: Sequence[tuple[str, str]]
    names: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class WebhookPage(FormPage):
    """A webhook: how it is, its settings, and what was sent to it."""

    template: ClassVar[str] = "administration/webhook.html"
    section: ClassVar[str] = "/admin"

    webhook: Webhook
    state: str
    events: Sequence[tuple[str, str]]
    deliveries: Sequence[tuple[Any, str, str]]  # each with what it tells and why it failed
    next: str | None
    names: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class WebhookSecretPage(Page):
    """The secret of a webhook: it is shown once."""

    template: ClassVar[str] = "administration/webhook_secret.html"
    section: ClassVar[str] = "/admin"
    is_own: ClassVar[bool] = True
    has_tools: ClassVar[bool] = True

    webhook: Webhook
    secret: str

    @property
    def has_secret(self) -> bool:  # noqa: D102
        return True


@router.get("/admin/webhooks")
async def show_webhooks(visit: MemberVisit) -> Response:
    """Show every webhook, and the form for another."""
    return visit.show(await _list(visit))


@router.post("/admin/webhooks")
async def make_webhook(visit: OwnForm) -> Response:
    """Have another service told, and show the secret that it verifies with."""
    try:
        wanted = visit.form.parse(WebhookForm)
        made = await visit.act(actions.make_webhook, wanted.url, wanted.events)
    except ForumError as error:
        return visit.show(await _list(visit.refusing(error)), 422)
    return visit.show(_secret(visit, made))


@router.get("/admin/webhooks/{id}")
async def show_webhook(id: UUID, visit: MemberVisit) -> Response:
    """Show a webhook with its settings, and what was sent to it."""
    return visit.show(await _one(visit, id))


@router.post("/admin/webhooks/{id}")
async def change_webhook(id: UUID, visit: OwnForm) -> Response:
    """Change where a webhook is, what it is told, or whether."""
    try:
        wanted = visit.form.parse(WebhookChangeForm)
        changes = WebhookChanges(url=wanted.url, events=wanted.events, is_on=wanted.is_on)
        await visit.act(actions.change_webhook, id, wanted.version, changes)
    except ForumError as error:
        return visit.show(await _one(visit.refusing(error), id), 422)
    return visit.go(f"/admin/webhooks/{id}", done="saved")


@router.post("/admin/webhooks/{id}/secret")
async def renew_secret(id: UUID, visit: OwnForm) -> Response:
    """Give a webhook another secret, and show it."""
    try:
        renewed = await visit.act(actions.renew_secret, id, visit.form.parse(VersionForm).version)
    except ForumError as error:
        return visit.show(await _one(visit.refusing(error), id), 422)
    return visit.show(_secret(visit, renewed))


@router.post("/admin/webhooks/{id}/test")
async def send_test(id: UUID, visit: OwnForm) -> Response:
    """Have a test sent to a webhook."""
    await visit.act(actions.send_test, id)
    return visit.go(f"/admin/webhooks/{id}", done="webhook-tested")


@router.post("/admin/webhooks/{id}/remove")
async def remove_webhook(id: UUID, visit: OwnForm) -> Response:
    """Remove a webhook."""
    await visit.act(actions.remove_webhook, id)
    return visit.go("/admin/webhooks", done="webhook-removed")


async def _list(visit: Visit) -> WebhookListPage:
    rows = await visit.act(queries.list_webhooks)
    return WebhookListPage(
        title=visit.say("Webhooks"),
        form=visit.form,
        webhooks=[(webhook, _state(visit, webhook)) for webhook in rows],
        events=options(visit, EVENTS),
        names={name: visit.say(words) for name, words in FIELDS.items()},
    )


async def _one(visit: Visit, webhook_id: UUID) -> WebhookPage:
    screen = await visit.act(queries.read_screen, webhook_id, visit.query("after") or None, DELIVERIES_A_PAGE)
    return WebhookPage(
        title=visit.say("A webhook"),
        form=visit.form,
        webhook=screen.webhook,
        state=_state(visit, screen.webhook),
        events=options(visit, EVENTS),
        deliveries=[_told(visit, row) for row in screen.deliveries.rows],
        next=screen.deliveries.next,
        names={name: visit.say(words) for name, words in FIELDS.items()},
    )


def _secret(visit: Visit, shown: ShownSecret) -> WebhookSecretPage:
    return WebhookSecretPage(title=visit.say("The secret of this webhook"), webhook=shown.webhook, secret=shown.secret)


def _told(visit: Visit, row: Any) -> tuple[Any, str, str]:
    return row, said(visit, ALL_EVENTS, row.event), said(visit, FAILURES, row.failure) if row.failure else ""


def _state(visit: Visit, webhook: Webhook) -> str:
    """Return how a webhook is, in words."""
    if webhook.off_because:
        return said(visit, OFF, webhook.off_because)
    if webhook.failing_since:
        return visit.say("Nothing has arrived since %(at)s.", at=visit.language.moment(webhook.failing_since))
    return visit.say("What was sent arrived.") if webhook.tried_at else visit.say("Nothing was sent yet.")
