"""What you follow, over HTTP: threads and boards of which you are told."""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.schemas import Next, RequestBody, ResponseBody
from forum.content import subscriptions
from forum.content.subscriptions import ChosenBy, Mode
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import AnyMember
from forum.http.fields import After, Id, Identity, Limit, Moment, Slug
from forum.http.problems import documented
from forum.http.services import CurrentWork, Reading, Route

router = APIRouter(tags=["subscriptions"], route_class=Route)

_MODES = (
    "`each`: be told of each new post. `digest`: the same, but of the mails only the daily letter counts it. "
    "`off`: in a thread, be told of nothing, not even when somebody answers or names you; on a board, be told only "
    "then, and of threads that you follow yourself"
)


class SubscriptionRequest(RequestBody):
    """What you want to hear."""

    mode: Mode = Field(description=_MODES, examples=["each"])


class BoardMode(ResponseBody):
    """What you want to hear of a board."""

    mode: Mode | None = Field(description=f"{_MODES}. Null when you never said", examples=["each"])


class FollowedThread(ResponseBody):
    """A thread."""

    id: Identity = Field(examples=[42])
    title: str = Field(examples=["What happens at a first conference?"])


class FollowedBoard(ResponseBody):
    """A board."""

    slug: str = Field(examples=["court"])
    name: str = Field(examples=["Court"])


class Subscription(ResponseBody):
    """What you want to hear of a thread or of a board."""

    mode: Mode = Field(description=_MODES)
    chosen_by: ChosenBy = Field(description="`self`: you said so. `reply`: you wrote in the thread")
    since: Moment
    thread: FollowedThread | None = Field(description="Null when it is about a whole board")
    board: FollowedBoard = Field(description="Of the thread, or the board itself")


class SubscriptionList(ResponseBody):
    """What you follow, or want to hear nothing of, the newest first."""

    items: list[Subscription]
    next: Next


@router.get("/me/subscriptions", response_model=SubscriptionList, responses=documented(401, 422))
async def list_subscriptions(
    request: Request, viewer: AnyMember, reading: Reading, *, limit: Limit = 20, after: After = None
) -> Response:
    """List what you follow. Nobody else can see it. What you can no longer see is not listed."""
    page = await subscriptions.list_subscriptions(reading, viewer, after, limit)
    body = SubscriptionList(items=list(map(_listed, page.rows)), next=page.next)
    return cacheable_response(request, body, shared=False, headers=next_link(request, page.next))


CHANGED = documented(401, 403, 404, 413, 422)


@router.put("/threads/{id}/subscription", status_code=204, responses=CHANGED)
async def follow_thread(id: Id, wanted: SubscriptionRequest, viewer: AnyMember, work: CurrentWork) -> Response:
    """Say what you want to hear of a thread: it counts before what you said about its board. Idempotent.

    Who writes in a thread follows it, unless they have said something else.
    """
    await subscriptions.follow_thread(work, viewer, id, wanted.mode)
    return Response(status_code=204)


@router.delete("/threads/{id}/subscription", status_code=204, responses=documented(401, 403, 422))
async def forget_thread(id: Id, viewer: AnyMember, work: CurrentWork) -> Response:
    """Follow a thread no more, and no less than its board. Idempotent, also where you can no longer see it."""
    await subscriptions.forget_thread(work, viewer, id)
    return Response(status_code=204)


@router.get("/boards/{slug}/subscription", response_model=BoardMode, responses=documented(401, 404, 422))
async def get_board_mode(request: Request, slug: Slug, viewer: AnyMember, reading: Reading) -> Response:
    """Read what you want to hear of a board."""
    mode = await subscriptions.find_board_mode(reading, viewer, slug)
    return cacheable_response(request, BoardMode(mode=mode), shared=False)


@router.put("/boards/{slug}/subscription", status_code=204, responses=CHANGED)
async def follow_board(slug: Slug, wanted: SubscriptionRequest, viewer: AnyMember, work: CurrentWork) -> Response:
    """Say what you want to hear of a board: of each new post in all its threads, or of none. Idempotent.

    Whatever you say, you are told of answers and mentions there, but in threads that are `off`.
    """
    await subscriptions.follow_board(work, viewer, slug, wanted.mode)
    return Response(status_code=204)


@router.delete("/boards/{slug}/subscription", status_code=204, responses=documented(401, 403, 422))
async def forget_board(slug: Slug, viewer: AnyMember, work: CurrentWork) -> Response:
    """Follow a board no more. Idempotent, also where you can no longer see it."""
    await subscriptions.forget_board(work, viewer, slug)
    return Response(status_code=204)


def _listed(row: Any) -> Subscription:
    thread = FollowedThread(id=row.thread_id, title=row.thread_title) if row.thread_id else None
    return Subscription(
        mode=row.mode,
        chosen_by=row.chosen_by,
        since=row.since,
        thread=thread,
        board=FollowedBoard(slug=row.board_slug, name=row.board_name),
    )
