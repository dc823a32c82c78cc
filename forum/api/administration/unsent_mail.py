"""Mails that are not sent yet over HTTP, for administrators."""

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.schemas import After, Limit, Moment, Next, ResponseBody
from forum.core import pagination
from forum.core.database import Prepared
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import CurrentMember
from forum.http.problems import documented
from forum.http.services import Reading, Route
from forum.mail import outbox
from forum.mail.outbox import BY_AGE
from forum.mail.tables import Kind
from forum.permissions import Act, allow

router = APIRouter(tags=["administration"], route_class=Route)


class UnsentMail(ResponseBody):
    """A mail that waits, or was given up: for whom it was put down, and neither where to nor what it says."""

    kind: Kind
    handle: str = Field(examples=["quiet-heron"])
    put_down_at: Moment
    failures: int = Field(examples=[3])
    failure: str | None = Field(description="The last one, by its kind", examples=["SMTPConnectError"])
    given_up_at: Moment | None = Field(description="After three days, or at once where there is no such address")


class UnsentMailPage(ResponseBody):
    """A page of mails that are not sent yet, oldest first."""

    items: list[UnsentMail]
    next: Next


@router.get("/unsent-mails", response_model=UnsentMailPage, responses=documented(401, 403, 422))
async def list_unsent_mails(
    request: Request, viewer: CurrentMember, reading: Reading, limit: Limit = 20, after: After = None
) -> Response:
    """List the mails that are not sent yet, oldest first: for administrators. Each is tried for three days, and shown
    here for a month after that.
    """
    allow(Act.ADMINISTER, viewer)
    place = pagination.decode(after, BY_AGE) if after is not None else None
    rows = await reading.rows(Prepared(outbox.select_unsent(place, limit + 1)))
    items = [UnsentMail.model_validate(row) for row in rows[:limit]]
    cursor = pagination.encode(rows[limit - 1].put_down_at, str(rows[limit - 1].id)) if len(rows) > limit else None
    return cacheable_response(
        request, UnsentMailPage(items=items, next=cursor), shared=False, headers=next_link(request, cursor)
    )
