"""Notifications over HTTP."""

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.schemas import Next, RequestBody, ResponseBody
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import AnyMember
from forum.http.fields import After, Identity, Limit, Moment, Uuid
from forum.http.problems import documented
from forum.http.services import CurrentWork, Route
from forum.notifications import inbox, new_posts

router = APIRouter(tags=["notifications"], route_class=Route)


class Notification(ResponseBody):
    """Something that you should know.

    Of new posts there is one for each thread and kind until you read it: another post raises its `count`, gives it
    another `id` and brings it to the top.
    """

    id: Uuid
    kind: inbox.NotificationKind
    post_id: Identity | None = Field(
        description="Null when it is about no post, or about one that you may no longer see", examples=[4711]
    )
    thread_id: Identity | None = Field(examples=[42])
    thread_title: str | None = Field(
        description="Of new posts. Else null", examples=["What happens at a first conference?"]
    )
    number: int | None = Field(
        description="Of the post in its thread; of several new posts, of the first: go on there", examples=[7]
    )
    last_number: int | None = Field(description="Of several new posts: the last one's. Else null", examples=[9])
    count: int | None = Field(
        description=(
            f"How many new posts it tells of, counted up to {new_posts.MOST_NUMBERS}: only those that you can see now. "
            "Null when it is about something else"
        ),
        examples=[3],
    )
    subject_id: Uuid | None = Field(
        description="Of the statement, report, appeal, export or talk; for staff also of the case"
    )
    at: Moment
    read_at: Moment | None = Field(description="Null when you have not read it")


class NotificationList(ResponseBody):
    """Your notifications, newest first."""

    unread: int = Field(description="How many you have not read, on every page", examples=[2])
    items: list[Notification]
    next: Next


class ReadMark(RequestBody):
    """How far you have read."""

    up_to: Uuid = Field(description="The newest notification that you have seen")


@router.get("/me/notifications", response_model=NotificationList, responses=documented(401, 422))
async def list_notifications(
    request: Request, viewer: AnyMember, work: CurrentWork, limit: Limit = 20, after: After = None
) -> Response:
    """List what happened that concerns you."""
    page = await inbox.list_notifications(work, viewer, after, limit)
    items = [Notification.model_validate(row) for row in page.rows]
    body = NotificationList(unread=page.unread, items=items, next=page.next)
    return cacheable_response(request, body, shared=False, headers=next_link(request, page.next))


@router.put("/me/notifications/read", status_code=204, responses=documented(401, 403, 413, 422))
async def mark_notifications_read(mark: ReadMark, viewer: AnyMember, work: CurrentWork) -> Response:
    """Mark a notification and all before it as read. Idempotent."""
    await inbox.mark_read(work, viewer, mark.up_to)
    return Response(status_code=204)
