"""Unsent mail over HTTP, for administrators."""

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.administration import unsent_mail
from forum.api.schemas import Next, ResponseBody
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import AnyMember, CurrentMember
from forum.http.fields import After, Limit, Moment, Uuid
from forum.http.problems import documented
from forum.http.services import CurrentWork, Reading, Route
from forum.mail.tables import MailKind

router = APIRouter(tags=["administration"], route_class=Route)


class UnsentMail(ResponseBody):
    """A mail that waits or was given up: whom it is for, but neither the address nor the text."""

    id: Uuid
    kind: MailKind
    handle: str = Field(examples=["quiet-heron"])
    put_down_at: Moment
    failures: int = Field(examples=[3])
    failure: str | None = Field(description="The kind of the last one", examples=["SMTPConnectError"])
    given_up_at: Moment | None = Field(description="After three days, or at once when there is no such address")


class UnsentMailPage(ResponseBody):
    """A page of mails that are not sent yet, oldest first."""

    items: list[UnsentMail]
    next: Next


@router.get("/unsent-mails", response_model=UnsentMailPage, responses=documented(401, 403, 422))
async def list_unsent_mails(
    request: Request, viewer: CurrentMember, reading: Reading, limit: Limit = 20, after: After = None
) -> Response:
    """List the mails that are not sent yet, oldest first: for administrators.

    Each is tried for three days, and shown here for another month.
    """
    page = await unsent_mail.list_unsent(reading, viewer, after, limit)
    body = UnsentMailPage(items=[UnsentMail.model_validate(row) for row in page.rows], next=page.next)
    return cacheable_response(request, body, shared=False, headers=next_link(request, page.next))


@router.put("/unsent-mails/{id}/attempt", status_code=204, responses=documented(401, 403, 404, 422))
async def try_mail_again(id: Uuid, viewer: AnyMember, work: CurrentWork) -> Response:
    """Try a mail once more that was given up: for administrators. One that waits is tried by itself. Idempotent."""
    await unsent_mail.try_again(work, viewer, id)
    return Response(status_code=204)


@router.delete("/unsent-mails/{id}", status_code=204, responses=documented(401, 403, 404, 422))
async def drop_mail(id: Uuid, viewer: AnyMember, work: CurrentWork) -> Response:
    """Drop a mail, which is then never sent: for administrators."""
    await unsent_mail.drop(work, viewer, id)
    return Response(status_code=204)
