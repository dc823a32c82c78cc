"""Threads over HTTP: read, retitle, lock, pin, move."""

from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.schemas import Author, BoardSlug, Id, Identity, Moment, Number, RequestBody, ResponseBody, Title
from forum.content.threads import actions, queries
from forum.content.threads.tables import ThreadVisibility
from forum.http.caching import cacheable_response
from forum.http.current_member import CurrentMember, CurrentViewer
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import CurrentWork, Reading, Route

router = APIRouter(tags=["threads"], route_class=Route)


class BoardName(ResponseBody):
    """The board a thread is on."""

    slug: str = Field(examples=["new-here"])
    name: str = Field(examples=["New here? Start here"])


class PostLink(ResponseBody):
    """Where to find one post of a thread."""

    number: int = Field(examples=[7])
    href: str = Field(examples=["/api/v1/threads/42/posts?from=7"])


class LastPost(PostLink):
    """The latest post that everybody sees."""

    author: Author
    created_at: Moment


class AdviserReplies(ResponseBody):
    """How many replies advisers wrote, the first, and the latest."""

    count: int = Field(examples=[2])
    first: PostLink | None
    latest: PostLink | None


class Thread(ResponseBody):
    """A talk on a board."""

    id: Identity = Field(examples=[42])
    board: BoardName
    title: str = Field(examples=["What happens at a first conference?"])
    state: Literal["open", "locked"] = Field(description="`locked`: comments are closed")
    pinned: bool = Field(description="Whether it stays at the top of its board")
    visibility: Literal["visible", "held", "removed"] = Field(description="`held` waits for a moderator")
    version: int = Field(description="Send it with a change: it says what was on your screen", examples=[1])
    author: Author
    created_at: Moment
    posts: int = Field(description="How many posts can be read", examples=[7])
    participants: int = Field(description="How many members wrote them", examples=[3])
    last_number: int = Field(
        description="The highest number of a post; some numbers may not be for your eyes", examples=[7]
    )
    last_post: LastPost | None = Field(description="Null when none can be read")
    adviser_replies: AdviserReplies


class TitleChange(RequestBody):
    """Another title for a thread."""

    version: Number = Field(description="The version that was on the screen", examples=[1])
    title: Title


class Move(RequestBody):
    """Another board for a thread."""

    version: Number = Field(description="The version that was on the screen", examples=[1])
    board: BoardSlug


def thread_response(thread: Any) -> Thread:
    """A thread as readers see it."""
    return Thread.model_validate(thread_json(thread))


def thread_json(thread: Any) -> dict[str, Any]:
    """The same as plain members, of which pages are made."""
    last = thread.last_post_number and {
        **(_link(thread.id, thread.last_post_number) or {}),
        "author": {"handle": thread.last_handle, "name": thread.last_name, "title": thread.last_title},
        "created_at": thread.last_post_at,
    }
    return {
        "id": thread.id,
        "board": {"slug": thread.board_slug, "name": thread.board_name},
        "title": thread.title,
        "state": thread.state,
        "pinned": thread.pinned,
        "visibility": thread.visibility,
        "version": thread.version,
        "author": {"handle": thread.author_handle, "name": thread.author_name, "title": thread.author_title},
        "created_at": thread.opened_at,
        "posts": thread.posts,
        "participants": thread.participants,
        "last_number": thread.last_number,
        "last_post": last,
        "adviser_replies": {
            "count": thread.adviser_replies,
            "first": _link(thread.id, thread.first_adviser_number),
            "latest": _link(thread.id, thread.latest_adviser_number),
        },
    }


def robots(row: Any) -> dict[str, str]:
    """What a page of this thread or board says to search engines: no, unless the board says yes."""
    return {} if row.indexable else {"X-Robots-Tag": "noindex"}


@router.get("/threads/{id}", response_model=Thread, responses=documented(404, 422))
async def get_thread(request: Request, id: Id, viewer: CurrentViewer, reading: Reading) -> Response:
    """Read a thread's card; its posts are at `/threads/{id}/posts`."""
    thread = await queries.get_thread(reading, viewer, id)
    is_shared = thread.visibility == ThreadVisibility.VISIBLE
    return cacheable_response(request, thread_response(thread), shared=is_shared, headers=robots(thread))


@router.patch("/threads/{id}", response_model=Thread, responses=documented(401, 403, 404, 409, 413, 422, 429))
async def retitle_thread(id: Id, change: TitleChange, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Change the title: for whoever opened the thread, and the board's moderators."""
    return json_response(thread_response(await actions.retitle_thread(work, viewer, id, change.version, change.title)))


@router.put("/threads/{id}/lock", response_model=Thread, responses=documented(401, 403, 404, 422))
async def lock_thread(id: Id, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Lock the thread: it takes no more replies. Idempotent."""
    return json_response(thread_response(await actions.lock_thread(work, viewer, id)))


@router.delete("/threads/{id}/lock", response_model=Thread, responses=documented(401, 403, 404, 422))
async def unlock_thread(id: Id, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Open the thread for replies again. Idempotent."""
    return json_response(thread_response(await actions.unlock_thread(work, viewer, id)))


@router.put("/threads/{id}/pin", response_model=Thread, responses=documented(401, 403, 404, 422))
async def pin_thread(id: Id, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Keep the thread at the top of its board. Idempotent."""
    return json_response(thread_response(await actions.pin_thread(work, viewer, id)))


@router.delete("/threads/{id}/pin", response_model=Thread, responses=documented(401, 403, 404, 422))
async def unpin_thread(id: Id, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Stop keeping the thread at the top of its board. Idempotent."""
    return json_response(thread_response(await actions.unpin_thread(work, viewer, id)))


@router.put("/threads/{id}/board", response_model=Thread, responses=documented(401, 403, 404, 409, 413, 422))
async def move_thread(id: Id, move: Move, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Move the thread to another board: for those who moderate both."""
    return json_response(thread_response(await actions.move_thread(work, viewer, id, move.version, move.board)))


def _link(thread_id: int, number: int | None) -> dict[str, Any] | None:
    return {"number": number, "href": f"/api/v1/threads/{thread_id}/posts?from={number}"} if number else None
