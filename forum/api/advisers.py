"""Advisers over HTTP: who they are, and which threads wait for them."""

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.dependencies import CurrentMember, CurrentViewer, Now, Reading, Route
from forum.api.problems import documented
from forum.api.threads import Thread, told
from forum.api.wire import After, Limit, Moment, Next, Shown, fresh, next_link
from forum.content.threads.queries import BY_WAITING, list_waiting
from forum.core import clock, pagination
from forum.members.advisers import CURRENT
from forum.permissions import Act, allow

router = APIRouter(tags=["advisers"], route_class=Route)


class Adviser(Shown):
    """Somebody whose answers stand out."""

    handle: str = Field(examples=["suzie"])
    name: str = Field(examples=["Suzie"])
    title: str = Field(examples=["Online adviser"])
    organisation: str = Field(examples=["Example Family Charity"])
    since: Moment


class AdviserList(Shown):
    """The advisers of today, by name."""

    items: list[Adviser]
    next: None = Field(description="Always null: advisers are few")


class WaitingThread(Thread):
    """A thread in which members have written since an adviser last did."""

    waiting_since: Moment = Field(description="When the first post was written that no adviser has answered")
    waiting_working_days: int = Field(description="Working days since then, Monday to Friday", examples=[2])


class WaitingThreadList(Shown):
    """Threads that wait for an adviser, longest first."""

    items: list[WaitingThread]
    next: Next


@router.get("/advisers", response_model=AdviserList, responses=documented(422))
async def list_advisers(request: Request, _viewer: CurrentViewer, reading: Reading) -> Response:
    """List the advisers."""
    rows = await reading.rows(CURRENT)
    return fresh(request, AdviserList(items=[Adviser.model_validate(row) for row in rows], next=None))


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
    place = pagination.place(after, BY_WAITING) if after is not None else None
    rows = await list_waiting(reading, viewer, place, limit + 1)
    items = [
        WaitingThread(
            **told(row),
            waiting_since=row.waiting_since,
            waiting_working_days=clock.working_days(row.waiting_since, now),
        )
        for row in rows[:limit]
    ]
    going_on = pagination.cursor(rows[limit - 1].waiting_since, rows[limit - 1].id) if len(rows) > limit else None
    page = WaitingThreadList(items=items, next=going_on)
    return fresh(request, page, shared=False, headers=next_link(request, going_on))
