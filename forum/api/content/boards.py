"""Boards over HTTP: the list of boards, one board, its threads, and opening a thread."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field
from typing_extensions import TypeAliasType

from forum.api.content.crisis_help import CrisisHelp, help_response
from forum.api.content.personal_details import Confirm, PersonalDetail, details_response
from forum.api.content.posts import PostInThread, post_response
from forum.api.content.threads import Thread, page_response, robots, thread_json
from forum.api.schemas import Next, RequestBody, ResponseBody
from forum.content import board_cards, boards
from forum.content.before_writing import before_you_write
from forum.content.board_cards import BoardCard
from forum.content.opening_hours import opening_of
from forum.content.posts.draft import Draft
from forum.content.threads import actions
from forum.content.threads.queries import list_on_board
from forum.http.caching import cacheable_response
from forum.http.current_member import AnyMember, CurrentViewer
from forum.http.fields import After, Asks, Body, Limit, Moment, Slug, Title, Warning_
from forum.http.idempotency_key import IdempotencyKey
from forum.http.problems import documented
from forum.http.responses import CREATED_WITH_LOCATION, json_response
from forum.http.services import CurrentWork, Now, Reading, Route

router = APIRouter(tags=["boards"], route_class=Route)

Audience = TypeAliasType(
    "Audience",
    Annotated[
        str, Field(description="Everyone, members, or a role", json_schema_extra={"enum": list(boards.AUDIENCES)})
    ],
)


class Board(ResponseBody):
    """A place for threads on one subject."""

    slug: str = Field(examples=["new-here"])
    name: str = Field(examples=["New here? Start here"])
    group: str = Field(description="The heading under which to list the board", examples=["Welcome"])
    description: str = Field(examples=["Say hello, and ask what you like"])
    help_html: str = Field(
        description="Who can help at once. Show it to guests before anything else. It is safe to show as it is",
        examples=['<p dir="auto">In danger? Call 999.</p>\n'],
    )
    readers: list[Audience] = Field(
        description="Who may read: you need to be in one of these groups", examples=[["everyone"]]
    )
    openers: list[Audience] = Field(description="Who may open threads", examples=[["member"]])
    repliers: list[Audience] = Field(description="Who may reply", examples=[["member"]])
    indexable: bool = Field(description="Whether search engines may index it")
    advised: bool = Field(description="Whether advisers answer here")
    archived: bool = Field(description="Whether nobody can write here any more")
    publication: boards.Publication = Field(
        description="When others see a new post: at once, or only after a moderator has read it (everybody's first "
        "posts, or all of them)"
    )
    before_you_write: str | None = Field(
        description="What to show beside the form for a new post: that posts, or first posts, wait for a moderator, or "
        "that the board is closed now. Null where posts appear at once",
        examples=[boards.HELD_BECAUSE[boards.Publication.HOLD_NEWCOMERS]],
    )
    is_open: bool = Field(description="Whether people look after it now; see `/boards/{slug}/now`")
    open_until: Moment | None = Field(
        description="Until when it is as `is_open` says. Null: for longer than a week, or always"
    )
    threads: int = Field(description="How many threads all readers of the board can see", examples=[12])
    posts: int = Field(description="How many posts in them all readers can see", examples=[120])
    last_post_at: Moment | None = Field(description="When the last post was written. Null before the first thread")


class BoardList(ResponseBody):
    """All boards that you may see, in order."""

    items: list[Board]
    next: None = Field(description="Always null: all boards are on one page")


class ThreadList(ResponseBody):
    """A page of threads."""

    items: list[Thread]
    next: Next


class ThreadRequest(RequestBody):
    """A new thread: its title and its first post."""

    title: Title
    body_markdown: Body
    content_warning: Warning_ | None = None
    confirm: Confirm | None = None
    asks: Asks = None


class OpenedThread(Thread):
    """The new thread, with its first post."""

    first_post: PostInThread
    help: CrisisHelp | None = Field(description="Who helps at once, if your words sound like danger; mostly null")
    findings: list[PersonalDetail] = Field(description="What in it may show who somebody is. Mostly empty")


@router.get("/boards", response_model=BoardList, responses=documented(422))
async def list_boards(request: Request, viewer: CurrentViewer, reading: Reading, now: Now) -> Response:
    """List the boards that you may see."""
    cards = await board_cards.list_board_cards(reading, viewer)
    return cacheable_response(request, BoardList(items=[board_response(card, now) for card in cards], next=None))


@router.get("/boards/{slug}", response_model=Board, responses=documented(404, 422))
async def get_board(request: Request, slug: Slug, viewer: CurrentViewer, reading: Reading, now: Now) -> Response:
    """Read about a board: who may read and write, and who can help at once."""
    card = await board_cards.get_board_card(reading, viewer, slug)
    return cacheable_response(request, board_response(card, now), headers=robots(card.board))


@router.get("/boards/{slug}/threads", response_model=ThreadList, responses=documented(404, 422))
async def list_threads(
    request: Request,
    slug: Slug,
    viewer: CurrentViewer,
    reading: Reading,
    *,
    limit: Limit = 20,
    after: After = None,
) -> Response:
    """List a board's threads: pinned threads first, then those with the newest posts."""
    page = await list_on_board(reading, viewer, slug, after, limit)
    return page_response(request, page, list(map(thread_json, page.threads)))


@router.post(
    "/boards/{slug}/threads",
    status_code=201,
    response_model=OpenedThread,
    responses=CREATED_WITH_LOCATION | documented(401, 403, 404, 409, 413, 422, 429),
)
async def open_thread(
    slug: Slug, wanted: ThreadRequest, viewer: AnyMember, key: IdempotencyKey, work: CurrentWork
) -> Response:
    """Open a thread with its first post. With an `Idempotency-Key`, you can safely send it twice.

    It can be asked about first, as a reply can: see there.
    """
    draft = Draft(wanted.body_markdown, None, wanted.content_warning, wanted.confirm, wanted.asks)
    opened = await actions.open_thread(work, viewer, slug, wanted.title, draft, repeat=key.of(wanted))
    body = OpenedThread(
        **thread_json(opened.thread),
        first_post=post_response(opened.first_post),
        help=help_response(opened.help),
        findings=details_response(opened.details),
    )
    return json_response(body, 201, {"Location": f"/api/v1/threads/{opened.thread.id}"})


def board_response(card: BoardCard, now: datetime) -> Board:
    """Return a board as readers see it at a time."""
    opening = opening_of(card.board, now)
    return Board.of_row(
        card.board,
        group=card.board.section,
        archived=card.board.archived_at is not None,
        before_you_write=before_you_write(card.board, now),
        is_open=opening.is_open,
        open_until=opening.until,
        threads=card.threads,
        posts=card.posts,
        last_post_at=card.last_post_at,
    )
