"""The threads that wait for an adviser, over HTTP."""

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.content.threads import Thread, thread_json
from forum.api.schemas import After, Limit, Moment, Next, ResponseBody
from forum.content.threads.queries import BY_WAITING, list_waiting
from forum.core import clock, pagination
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import CurrentMember
from forum.http.problems import documented
from forum.http.services import Now, Reading, Route
from forum.permissions import Act, allow

router = APIRouter(tags=["advisers"], route_class=Route)


class WaitingThread(Thread):
    """A thread in which members have written since an adviser last did."""

    waiting_since: Moment = Field(description="When the first post was written that no adviser has answered")
    waiting_working_days: int = Field(description="Working days since then, Monday to Friday", examples=[2])


class WaitingThreadList(ResponseBody):
    """Threads that wait for an adviser, longest first."""

    items: list[WaitingThread]
    next: Next


@router.get("/adviser/threads", response_model=WaitingThreadList, responses=documented(401, 403, 422))
async def list_waiting_threads(
    request: Request,
    viewer: CurrentMember,
    reading: Reading,
    now: Now,
    limit: Limit = 20,
    after: After = None,
) -> Response:
    """List the open threads that wait for an adviser, longest first."""
    allow(Act.SEE_WAITING_THREADS, viewer)
    place = pagination.decode(after, BY_WAITING) if after is not None else None
    rows = await list_waiting(reading, viewer, place, limit + 1)
    items = [
        WaitingThread(
            **thread_json(row),
            waiting_since=row.waiting_since,
            waiting_working_days=clock.working_days(row.waiting_since, now),
        )
        for row in rows[:limit]
    ]
    going_on = pagination.encode(rows[limit - 1].waiting_since, rows[limit - 1].id) if len(rows) > limit else None
    page = WaitingThreadList(items=items, next=going_on)
    return cacheable_response(request, page, shared=False, headers=next_link(request, going_on))
