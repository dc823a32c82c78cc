"""The threads that wait for an adviser, over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from forum.advising import waiting_list
from forum.advising.waiting_list import WaitingFilter, WaitingLane
from forum.api.content.threads import Thread, thread_json
from forum.api.schemas import Author, Next, ResponseBody
from forum.content.lanes import Lane
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import CurrentMember
from forum.http.fields import After, BoardSlug, Limit, Line, Moment
from forum.http.problems import documented
from forum.http.services import Now, Reading, Route, services_of

router = APIRouter(tags=["advisers"], route_class=Route)


class WaitingClaim(ResponseBody):
    """Who wants to answer a thread."""

    by: Author
    organisation: str | None = Field(examples=["Example Family Charity"])
    since: Moment
    until: Moment
    is_mine: bool


class WaitingThread(Thread):
    """A thread that waits for an adviser, with the post that does."""

    lane: Lane | None = Field(
        description="`asked`: somebody asks something. `news`: whoever opened it tells something. Null: "
        "somebody keeps it, and it waits no more"
    )
    waiting_since: Moment | None = Field(
        description="When the post was written that waits longest; of news, the latest"
    )
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
    claim: WaitingClaim | None = Field(description="Who keeps the thread to answer it. Null when nobody does")


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
        Line | None,
        Query(
            max_length=100,
            description="Only threads that an adviser of this organisation keeps or answered last",
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
    body = WaitingThreadList(items=list(map(_response, page.rows)), next=page.next)
    return cacheable_response(request, body, shared=False, headers=next_link(request, page.next))


def _response(waiting: Any) -> WaitingThread:
    row = waiting.row
    return WaitingThread(
        **thread_json(row),
        lane=waiting.lane,
        waiting_since=waiting.since,
        waiting_working_days=waiting.working_days,
        target_working_days=waiting.target,
        is_late=waiting.is_late,
        waiting_number=waiting.number,
        waiting_words=waiting.words,
        waiting_warning=row.waiting_warning,
        asker=Author.of(row, "asker"),
        claim=_claim(waiting),
    )


def _claim(waiting: Any) -> WaitingClaim | None:
    row = waiting.row
    if row.kept_until is None:
        return None
    return WaitingClaim(
        by=Author.of(row, "holder"),
        organisation=row.holder_organisation,
        since=row.kept_since,
        until=row.kept_until,
        is_mine=waiting.is_mine,
    )
