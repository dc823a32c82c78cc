"""Webhooks over HTTP, for administrators: make, change, test and remove them, and see what arrived."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field, StrictBool

from forum.administration.webhooks import actions, queries
from forum.administration.webhooks.actions import ShownSecret, WebhookChanges
from forum.administration.webhooks.tables import MOST, URL_MAX, DeliveryFailure, OffReason, Severity, WebhookEvent
from forum.api.schemas import Next, RequestBody, ResponseBody
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import AnyMember, CurrentMember
from forum.http.fields import After, Limit, Line, Moment, Number, Uuid
from forum.http.idempotency_key import IdempotencyKey
from forum.http.problems import documented
from forum.http.responses import CREATED_WITH_LOCATION, json_response
from forum.http.services import CurrentWork, Route

router = APIRouter(prefix="/administration", tags=["administration"], route_class=Route)

EXAMPLE = "https://hooks.example.org/forum"
Address = Annotated[
    Line,
    Field(
        min_length=1,
        max_length=URL_MAX,
        description="Where it is told: https, on the public internet. Redirects are not followed",
        examples=[EXAMPLE],
    ),
]
Events = Annotated[
    list[WebhookEvent],
    Field(
        min_length=1,
        max_length=len(WebhookEvent),
        description="What it is told; `forum.test` cannot be chosen, it comes when you ask for it",
        examples=[["thread.opened", "post.removed"]],
    ),
]


class Webhook(ResponseBody):
    """A service that is told what happens here: ids and links, never words or names."""

    id: Uuid
    url: str = Field(examples=[EXAMPLE])
    events: list[WebhookEvent] = Field(examples=[["thread.opened", "post.removed"]])
    is_on: bool
    off_because: OffReason | None = Field(
        description="`asked` by an administrator, `gone`: it answered 410, `dead`: nothing reached it for five days"
    )
    renewed_at: Moment | None = Field(description="When it got a new secret; the one before signs too for 24 hours")
    failing_since: Moment | None = Field(description="Nothing has reached it since. Null: the last try did")
    tried_at: Moment | None = Field(description="When something was last sent")
    last_status: int | None = Field(description="What it answered then; null: nothing", examples=[204])
    version: int = Field(description="Send it back when you change the webhook", examples=[1])
    made_at: Moment


class WebhookWithSecret(Webhook):
    """The same with its secret, which no other answer has."""

    secret: str = Field(
        description="What the service verifies signatures with (Standard Webhooks)",
        examples=["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"],
    )


class WebhookList(ResponseBody):
    """Every webhook, oldest first."""

    items: list[Webhook]
    next: None = Field(description=f"Always null: there are {MOST} at most")


class WebhookDelivery(ResponseBody):
    """That the service is to be told one thing, and how that went."""

    id: Uuid = Field(description="The `webhook-id`: the same however often it is sent")
    event: WebhookEvent
    thread_id: int | None = Field(json_schema_extra={"format": "int64"}, examples=[12])
    number: int | None = Field(description="Of the post in its thread", examples=[3])
    severity: Severity | None = Field(description="Of a case")
    at: Moment
    tries: int = Field(examples=[1])
    next_at: Moment | None = Field(description="When it is tried next. Null: it has ended")
    status: int | None = Field(description="What the service answered last", examples=[204])
    failure: DeliveryFailure | None = Field(description="Of the last try. Null: it arrived, or was not tried yet")
    ended_at: Moment | None = Field(description="When it arrived, or was given up after ten tries")


class WebhookDeliveryPage(ResponseBody):
    """A page of what a webhook was to be told in the last seven days, newest first."""

    items: list[WebhookDelivery]
    next: Next


class WebhookToMake(RequestBody):
    """Where a service listens, and what it is told."""

    url: Address
    events: Events


class WebhookChange(RequestBody):
    """What to change of a webhook; what you leave out stays."""

    version: Number = Field(description="Of the webhook that was on your screen", examples=[1])
    url: Address | None = None
    events: Events | None = None
    is_on: StrictBool | None = Field(None, description="Off, it forgets what it was still to be told", examples=[False])


class WebhookRenewal(RequestBody):
    """That a webhook is to have another secret."""

    version: Number = Field(description="Of the webhook that was on your screen", examples=[1])


@router.get("/webhooks", response_model=WebhookList, responses=documented(401, 403, 422))
async def list_webhooks(request: Request, viewer: CurrentMember, work: CurrentWork) -> Response:
    """List the services that are told what happens here: for administrators."""
    items = [Webhook.model_validate(row) for row in await queries.list_webhooks(work, viewer)]
    return cacheable_response(request, WebhookList(items=items, next=None), shared=False)


@router.post(
    "/webhooks",
    status_code=201,
    response_model=WebhookWithSecret,
    responses=CREATED_WITH_LOCATION | documented(401, 403, 404, 409, 413, 422),
)
async def make_webhook(wanted: WebhookToMake, viewer: AnyMember, key: IdempotencyKey, work: CurrentWork) -> Response:
    """Have another service told what happens here: for administrators who signed in within 15 minutes.

    Only this answer has the secret. A webhook is told ids, the short names of boards and links, signed as Standard
    Webhooks says.
    """
    made = await actions.make_webhook(work, viewer, wanted.url, wanted.events, repeat=key.of(wanted))
    location = {"Location": f"/api/v1/administration/webhooks/{made.webhook.id}"}
    return json_response(_with_secret(made), 201, location)


@router.get("/webhooks/{id}", response_model=Webhook, responses=documented(401, 403, 404, 422))
async def get_webhook(request: Request, id: Uuid, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Read a webhook, without its secret: for administrators."""
    webhook = await queries.get_webhook(work, viewer, id)
    return cacheable_response(request, Webhook.model_validate(webhook), shared=False)


@router.patch("/webhooks/{id}", response_model=Webhook, responses=documented(401, 403, 404, 409, 413, 422))
async def change_webhook(id: Uuid, wanted: WebhookChange, viewer: AnyMember, work: CurrentWork) -> Response:
    """Change where a webhook is, what it is told, or whether: for administrators who signed in within 15 minutes."""
    changes = WebhookChanges(**wanted.model_dump(exclude={"version"}))
    webhook = await actions.change_webhook(work, viewer, id, wanted.version, changes)
    return json_response(Webhook.model_validate(webhook))


@router.delete("/webhooks/{id}", status_code=204, responses=documented(401, 403, 404, 422))
async def remove_webhook(id: Uuid, viewer: AnyMember, work: CurrentWork) -> Response:
    """Remove a webhook, with what it was still to be told: for administrators who signed in within 15 minutes."""
    await actions.remove_webhook(work, viewer, id)
    return Response(status_code=204)


@router.post(
    "/webhooks/{id}/secret", response_model=WebhookWithSecret, responses=documented(401, 403, 404, 409, 413, 422)
)
async def renew_webhook_secret(id: Uuid, wanted: WebhookRenewal, viewer: AnyMember, work: CurrentWork) -> Response:
    """Give a webhook another secret: for administrators who signed in within 15 minutes.

    Only this answer has it. For 24 hours both sign, so that the service can change over; when you renew it once more,
    the old one stops at once.
    """
    return json_response(_with_secret(await actions.renew_secret(work, viewer, id, wanted.version)))


@router.post(
    "/webhooks/{id}/tests",
    status_code=201,
    response_model=WebhookDelivery,
    responses=documented(401, 403, 404, 409, 422),
)
async def send_webhook_test(id: Uuid, viewer: AnyMember, key: IdempotencyKey, work: CurrentWork) -> Response:
    """Have `forum.test` sent to a webhook within a second: for administrators who signed in within 15 minutes."""
    delivery = await actions.send_test(work, viewer, id, repeat=key.of())
    return json_response(WebhookDelivery.model_validate(delivery), 201)


@router.get("/webhooks/{id}/deliveries", response_model=WebhookDeliveryPage, responses=documented(401, 403, 404, 422))
async def list_webhook_deliveries(
    request: Request, id: Uuid, viewer: CurrentMember, work: CurrentWork, *, limit: Limit = 20, after: After = None
) -> Response:
    """List what a webhook was to be told in the last seven days, newest first: for administrators.

    Of an answer, its status is kept and nothing else.
    """
    page = (await queries.read_screen(work, viewer, id, after, limit)).deliveries
    body = WebhookDeliveryPage(items=[WebhookDelivery.model_validate(row) for row in page.rows], next=page.next)
    return cacheable_response(request, body, shared=False, headers=next_link(request, page.next))


def _with_secret(shown: ShownSecret) -> WebhookWithSecret:
    return WebhookWithSecret.of_row(shown.webhook, secret=shown.secret)
