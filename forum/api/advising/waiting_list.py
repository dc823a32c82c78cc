"""The threads that wait for an adviser, over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from forum.advising import waiting_list
from forum.advising.waiting_list import WaitingFilter, WaitingLane
from forum.api.content.threads import Thread, thread_json
from forum.api.schemas import Author, Next, ResponseBody
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import CurrentMember
from forum.http.fields import After, BoardSlug, Limit, Moment
from forum.http.problems import documented
from forum.http.services import Now, Reading, Route, services_of

router = APIRouter(tags=["advisers"], route_class=Route)


class WaitingThread(Thread):
    """A thread that waits for an adviser, with the post that does."""

    lane: WaitingLane = Field(description="`asked`: somebody asks something. `news`: whoever opened it tells something")
    waiting_since: Moment = Field(description="When the post was written that waits longest; of news, the latest")
    waiting_working_days: int = Field(
        description="How many working days ago that was: Monday to Friday, but for holidays", examples=[2]
    )
    target_working_days: int | None = Field(
        description="Within how many working days an adviser should answer. Null for news", examples=[2]
    )
    is_late: bool = Field(description="Whether it has waited longer than that")
    waiting_number: int = Field(description="The number of the post that waits", examples=[7])
    waiting_words: str = Field(
        description="How that post begins, as plain text. Empty where it has a content warning",
        examples=["Do I have to agree to the letters?"],
    )
    waiting_warning: str | None = Field(description="The content warning of that post", examples=[None])
    asker: Author = Field(description="Who wrote it")


class WaitingThreadList(ResponseBody):
    """A page of the threads that wait for an adviser, longest wait first."""

    items: list[WaitingThread]
    next: Next


@router.get("/adviser/threads", response_model=WaitingThreadList, responses=documented(401, 403, 422))
async def list_waiting_threads(
    request: Request,
    viewer: CurrentMember,
    reading: Reading,
    now: Now,
    *,
    lane: Annotated[WaitingLane, Query(description="The part of the list", examples=["asked"])] = WaitingLane.ASKED,
    board: Annotated[BoardSlug | None, Query(description="Only threads of this board", examples=["court"])] = None,
    organisation: Annotated[
        str | None,
        Query(
            max_length=100,
            description="Only threads in which an adviser of this organisation answered last",
            examples=["Example Family Charity"],
        ),
    ] = None,
    late: Annotated[bool, Query(description="Only threads that have waited too long", examples=[True])] = False,
    limit: Limit = 20,
    after: After = None,
) -> Response:
    """List the open threads that wait for an adviser, longest wait first.

    For advisers, moderators of the whole forum, and administrators.
    """
    wanted, settings = WaitingFilter(lane, board, organisation, late), services_of(request).settings
    page = await waiting_list.list_waiting(reading, viewer, wanted, (after, limit), now=now, settings=settings)
    body = WaitingThreadList(items=[_response(waiting, lane) for waiting in page.rows], next=page.next)
    return cacheable_response(request, body, shared=False, headers=next_link(request, page.next))


def _response(waiting: Any, lane: WaitingLane) -> WaitingThread:
    row = waiting.row
    return WaitingThread(
        **thread_json(row),
        lane=lane,
        waiting_since=waiting.since,
        waiting_working_days=waiting.working_days,
        target_working_days=waiting.target,
        is_late=waiting.is_late,
        waiting_number=waiting.number,
        waiting_words=waiting.words,
        waiting_warning=row.waiting_warning,
        asker=Author(handle=row.asker_handle, name=row.asker_name, title=row.asker_title),
    )
