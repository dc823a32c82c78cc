"""Boards over HTTP: which there are, their threads, opening one."""

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import Field
from typing_extensions import TypeAliasType

from forum.api.content.posts import PostInThread, allow_writing, links_allowed
from forum.api.content.posts import post_response as shown_post
from forum.api.content.threads import Thread, robots, thread_json
from forum.api.schemas import After, Body, Limit, Moment, Next, RequestBody, ResponseBody, Slug, Title, Warning_
from forum.content import boards
from forum.content.posts import actions
from forum.content.posts.context import context_on_board
from forum.content.posts.draft import drafted
from forum.content.posts.queries import get_post_in_transaction
from forum.content.threads.queries import (
    BY_LAST_POST,
    TOTALS,
    TOTALS_OF_BOARD,
    get_thread_in_transaction,
    list_on_board,
)
from forum.content.threads.tables import ThreadVisibility
from forum.core import pagination
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import CurrentMember, CurrentViewer, throttle_posting
from forum.http.idempotency_key import IdempotencyKey
from forum.http.problems import documented
from forum.http.responses import CREATED_WITH_LOCATION, json_response
from forum.http.services import AppServices, Now, Reading, Route, WorkSession
from forum.permissions import Act

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
    group: str = Field(description="The heading under which the board stands", examples=["Welcome"])
    description: str = Field(examples=["Say hello, and ask what you like"])
    help_html: str = Field(
        description="Who helps now: show it to guests before anything else. Safe to show as it is",
        examples=['<p dir="auto">In danger? Call 999.</p>\n'],
    )
    readers: list[Audience] = Field(description="Who may read: one of these is enough", examples=[["everyone"]])
    openers: list[Audience] = Field(description="Who may open threads", examples=[["member"]])
    repliers: list[Audience] = Field(description="Who may reply", examples=[["member"]])
    indexable: bool = Field(description="Whether search engines may index it")
    advised: bool = Field(description="Whether advisers answer here")
    threads: int = Field(description="Threads that everybody sees who sees the board", examples=[12])
    posts: int = Field(description="Posts in them that can be read", examples=[120])
    last_post_at: Moment | None = Field(description="Null before the first post")


class BoardList(ResponseBody):
    """Every board that you may see, in order."""

    items: list[Board]
    next: None = Field(description="Always null: boards are few")


class ThreadList(ResponseBody):
    """A page of threads."""

    items: list[Thread]
    next: Next


class NewThread(RequestBody):
    """A title and the first post."""

    title: Title
    body_markdown: Body
    content_warning: Warning_ | None = None


class OpenedThread(Thread):
    """The new thread, with the post that opened it."""

    first_post: PostInThread


@router.get("/boards", response_model=BoardList, responses=documented(422))
async def list_boards(request: Request, viewer: CurrentViewer, reading: Reading) -> Response:
    """List the boards that you may see."""
    rows = await reading.rows(boards.SEEN, **viewer.sight)
    totals = {row.board_id: row for row in await reading.rows(TOTALS)}
    return cacheable_response(request, BoardList(items=[_board(row, totals.get(row.id)) for row in rows], next=None))


@router.get("/boards/{slug}", response_model=Board, responses=documented(404, 422))
async def get_board(request: Request, slug: Slug, viewer: CurrentViewer, reading: Reading) -> Response:
    """Read a board's card."""
    board = await boards.one(reading, viewer, slug)
    totals = await reading.row(TOTALS_OF_BOARD, board_id=board.id)
    return cacheable_response(request, _board(board, totals), headers=robots(board))


@router.get("/boards/{slug}/threads", response_model=ThreadList, responses=documented(404, 422))
async def list_threads(
    request: Request,
    slug: Slug,
    viewer: CurrentViewer,
    reading: Reading,
    limit: Limit = 20,
    after: After = None,
) -> Response:
    """List a board's threads: pinned first, then by the latest post."""
    place = pagination.decode(after, BY_LAST_POST) if after is not None else None
    rows = await list_on_board(reading, viewer, slug, place, limit + 1)
    board = rows[0] if rows else await boards.one(reading, viewer, slug)
    going_on = _cursor(rows[limit - 1]) if len(rows) > limit else None
    page = {"items": list(map(thread_json, rows[:limit])), "next": going_on}
    everyone_sees_it = all(row.visibility == ThreadVisibility.VISIBLE for row in rows)
    return cacheable_response(
        request, page, shared=everyone_sees_it, headers={**robots(board), **next_link(request, going_on)}
    )


@router.post(
    "/boards/{slug}/threads",
    status_code=201,
    response_model=OpenedThread,
    responses=CREATED_WITH_LOCATION | documented(401, 403, 404, 409, 413, 422, 429),
)
async def open_thread(
    slug: Slug,
    wanted: NewThread,
    viewer: CurrentMember,
    key: IdempotencyKey,
    work: WorkSession,
    services: AppServices,
    now: Now,
) -> Response:
    """Open a thread with its first post."""
    repeat = key.of(wanted)
    post_id = await repeat.earlier(work, now) if repeat else None
    if post_id is None:
        await throttle_posting(services, viewer, now)
        draft = await drafted(wanted.body_markdown, content_warning=wanted.content_warning)
        place = await context_on_board(work, viewer, slug, draft, now)
        allow_writing(Act.OPEN_THREAD, services, viewer, place)
        allowed = links_allowed(services, viewer, now)
        post = await actions.open_thread(
            work, viewer, place, wanted.title, draft, services.gate, now, links_allowed=allowed
        )
        post_id = str(post.id)
        if repeat:
            await repeat.keep(work, post_id, now)
    first_post = await get_post_in_transaction(work, viewer, int(post_id))
    thread = await get_thread_in_transaction(work, viewer, first_post.thread_id)
    opened = OpenedThread(**thread_json(thread), first_post=shown_post(first_post))
    return json_response(opened, 201, {"Location": f"/api/v1/threads/{thread.id}"})


def _board(row: Any, totals: Any) -> Board:
    return Board(
        slug=row.slug,
        name=row.name,
        group=row.section,
        description=row.description,
        help_html=row.help_html,
        readers=row.readers,
        openers=row.openers,
        repliers=row.repliers,
        indexable=row.indexable,
        advised=row.advised,
        threads=totals.threads if totals else 0,
        posts=totals.posts if totals else 0,
        last_post_at=totals.last_post_at if totals else None,
    )


def _cursor(row: Any) -> str:
    return pagination.encode(row.pinned, row.last_post_at, row.id)
