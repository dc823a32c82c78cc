"""The threads that wait for an adviser, over HTTP."""

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.advising import waiting_list
from forum.api.content.threads import Thread, thread_json
from forum.api.schemas import Next, ResponseBody
from forum.core import clock
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import CurrentMember
from forum.http.fields import After, Limit, Moment
from forum.http.problems import documented
from forum.http.services import Now, Reading, Route

router = APIRouter(tags=["advisers"], route_class=Route)


class WaitingThread(Thread):
    """A thread in which a member has written since an adviser last did."""

    waiting_since: Moment = Field(description="When a member wrote the first post that no adviser has answered yet")
    waiting_working_days: int = Field(description="How many working days ago that was, Monday to Friday", examples=[2])


class WaitingThreadList(ResponseBody):
    """A page of the threads that wait for an adviser, longest wait first."""

    items: list[WaitingThread]
    next: Next


@router.get("/adviser/threads", response_model=WaitingThreadList, responses=documented(401, 403, 422))
async def list_waiting_threads(
    request: Request, viewer: CurrentMember, reading: Reading, now: Now, *, limit: Limit = 20, after: After = None
) -> Response:
    """List the open threads that wait for an adviser, longest wait first.

    For advisers, moderators of the whole forum, and administrators.
    """
    page = await waiting_list.list_waiting(reading, viewer, after, limit)
    items = [
        WaitingThread(
            **thread_json(row),
            waiting_since=row.waiting_since,
            waiting_working_days=clock.working_days(row.waiting_since, now),
        )
        for row in page.rows
    ]
    body = WaitingThreadList(items=items, next=page.next)
    return cacheable_response(request, body, shared=False, headers=next_link(request, page.next))
