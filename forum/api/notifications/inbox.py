"""Notifications over HTTP."""

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.schemas import After, Identity, Limit, Moment, Next, RequestBody, ResponseBody, Uuid
from forum.core import pagination
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import AnyMember
from forum.http.problems import documented
from forum.http.services import Now, Route, WorkSession
from forum.notifications import inbox

router = APIRouter(tags=["notifications"], route_class=Route)


class Notification(ResponseBody):
    """Something that you should know."""

    id: Uuid
    kind: Literal[
        "post_held",
        "post_published",
        "post_edited",
        "post_removed",
        "statement_issued",
        "appeal_heard",
        "report_received",
        "report_settled",
        "standing_ended",
        "departure_waits",
        "export_ready",
    ]
    post_id: Identity | None = Field(examples=[4711])
    thread_id: Identity | None = Field(examples=[42])
    number: int | None = Field(description="Of the post in its thread", examples=[7])
    subject_id: Uuid | None = Field(description="Of the statement, report, appeal or export")
    at: Moment
    read_at: Moment | None = Field(description="Null until you have")


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
    request: Request, viewer: AnyMember, work: WorkSession, limit: Limit = 20, after: After = None
) -> Response:
    """List what happened that concerns you."""
    place = pagination.decode(after, inbox.BY_ID) if after is not None else None
    rows = (await work.execute(inbox.select_for(viewer, place, limit + 1))).all()
    unread = (await work.execute(inbox.count_unread(viewer))).scalar_one()
    going_on = pagination.encode(str(rows[limit - 1].id)) if len(rows) > limit else None
    items = [Notification.model_validate(row) for row in rows[:limit]]
    page = NotificationList(unread=unread, items=items, next=going_on)
    return cacheable_response(request, page, shared=False, headers=next_link(request, going_on))


@router.put("/me/notifications/read", status_code=204, responses=documented(401, 403, 413, 422))
async def mark_notifications_read(mark: ReadMark, viewer: AnyMember, work: WorkSession, now: Now) -> Response:
    """Mark a notification and all before it read. Done twice, it is as done once."""
    await inbox.mark_read(work, viewer, mark.up_to, now)
    return Response(status_code=204)
