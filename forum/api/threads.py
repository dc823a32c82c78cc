"""Threads over HTTP: read, retitle, lock, pin, move."""

from typing import Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum import posts, threads
from forum.api.dependencies import (
    CurrentMember,
    CurrentViewer,
    Now,
    Reading,
    TheHouse,
    Work,
    throttle_editing,
)
from forum.api.problems import documented
from forum.api.wire import Author, BoardSlug, Id, Identity, Moment, Number, Shown, Title, Wanted, answer, fresh
from forum.errors import NotFound
from forum.members import Viewer
from forum.permissions import Act, allow
from forum.threads import Thread as ThreadRow

router = APIRouter(tags=["threads"])


class BoardName(Shown):
    """The board a thread is on."""

    slug: str = Field(examples=["new-here"])
    name: str = Field(examples=["New here? Start here"])


class PostLink(Shown):
    """Where to find one post of a thread."""

    number: int = Field(examples=[7])
    href: str = Field(examples=["/api/v1/threads/42/posts?from=7"])


class LastPost(PostLink):
    """The latest post that everybody sees."""

    author: Author
    created_at: Moment


class AdviserReplies(Shown):
    """How many replies advisers wrote, the first, and the latest."""

    count: int = Field(examples=[2])
    first: PostLink | None
    latest: PostLink | None


class Thread(Shown):
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


class TitleChange(Wanted):
    """Another title for a thread."""

    version: Number = Field(description="The version that was on the screen", examples=[1])
    title: Title


class Move(Wanted):
    """Another board for a thread."""

    version: Number = Field(description="The version that was on the screen", examples=[1])
    board: BoardSlug


def shown(row: Any) -> dict[str, Any]:
    """The members of a Thread, from a row of `threads.visible`."""
    last = None
    if row.last_post_number:
        link = _link(row.id, row.last_post_number)
        last = LastPost(number=link.number, href=link.href, author=Author.of(row, "last"), created_at=row.last_post_at)
    return {
        "id": row.id,
        "board": BoardName(slug=row.board_slug, name=row.board_name),
        "title": row.title,
        "state": row.state,
        "pinned": row.pinned,
        "visibility": row.visibility,
        "version": row.version,
        "author": Author.of(row, "author"),
        "created_at": row.opened_at,
        "posts": row.posts,
        "participants": row.participants,
        "last_number": row.last_number,
        "last_post": last,
        "adviser_replies": AdviserReplies(
            count=row.adviser_replies,
            first=row.first_adviser_number and _link(row.id, row.first_adviser_number),
            latest=row.latest_adviser_number and _link(row.id, row.latest_adviser_number),
        ),
    }


def robots(row: Any) -> dict[str, str]:
    """What a page of this thread or board says to search engines: no, unless the board says yes."""
    return {} if row.indexable else {"X-Robots-Tag": "noindex"}


async def in_transaction(session: AsyncSession, viewer: Viewer, thread_id: int) -> Thread:
    """The thread as it stands in this transaction; NotFound when it does not exist for the viewer."""
    row = (await session.execute(threads.visible(viewer).where(col(ThreadRow.id) == thread_id))).one_or_none()
    if row is None:
        raise NotFound("There is no such thread.")
    return Thread(**shown(row))


@router.get("/threads/{id}", response_model=Thread, responses=documented(404, 422))
async def get_thread(request: Request, id: Id, viewer: CurrentViewer, reading: Reading) -> Response:
    """Read a thread's card; its posts are at `/threads/{id}/posts`."""
    row = await reading.row(threads.visible(viewer).where(col(ThreadRow.id) == id))
    if row is None:
        raise NotFound("There is no such thread.")
    everyone_sees_it = row.visibility == threads.Standing.VISIBLE
    return fresh(request, Thread(**shown(row)), shared=everyone_sees_it, headers=robots(row))


@router.patch(
    "/threads/{id}",
    response_model=Thread,
    responses=documented(401, 403, 404, 409, 413, 422, 429),
    dependencies=[Depends(throttle_editing)],
)
async def retitle_thread(
    id: Id, change: TitleChange, viewer: CurrentMember, work: Work, house: TheHouse, now: Now
) -> Response:
    """Change the title: for whoever opened the thread, and the board's moderators."""
    place = await posts.place_in_thread(work, viewer, id, posts.NO_WORDS, now)
    allow(Act.RETITLE_THREAD, viewer, place)
    await threads.retitle(work, viewer, id, change.version, change.title, house.gate, now)
    return answer(await in_transaction(work, viewer, id))


@router.put("/threads/{id}/lock", response_model=Thread, responses=documented(401, 403, 404, 422))
async def lock_thread(id: Id, viewer: CurrentMember, work: Work, now: Now) -> Response:
    """Close the comments. Done twice, it is as done once."""
    allow(Act.LOCK_THREAD, viewer, await posts.place_in_thread(work, viewer, id, posts.NO_WORDS, now))
    await threads.set_state(work, viewer, id, threads.State.LOCKED, now)
    return answer(await in_transaction(work, viewer, id))


@router.delete("/threads/{id}/lock", response_model=Thread, responses=documented(401, 403, 404, 422))
async def unlock_thread(id: Id, viewer: CurrentMember, work: Work, now: Now) -> Response:
    """Open the comments again. Done twice, it is as done once."""
    allow(Act.LOCK_THREAD, viewer, await posts.place_in_thread(work, viewer, id, posts.NO_WORDS, now))
    await threads.set_state(work, viewer, id, threads.State.OPEN, now)
    return answer(await in_transaction(work, viewer, id))


@router.put("/threads/{id}/pin", response_model=Thread, responses=documented(401, 403, 404, 422))
async def pin_thread(id: Id, viewer: CurrentMember, work: Work, now: Now) -> Response:
    """Keep the thread at the top of its board. Done twice, it is as done once."""
    allow(Act.PIN_THREAD, viewer, await posts.place_in_thread(work, viewer, id, posts.NO_WORDS, now))
    await threads.set_pinned(work, viewer, id, True, now)
    return answer(await in_transaction(work, viewer, id))


@router.delete("/threads/{id}/pin", response_model=Thread, responses=documented(401, 403, 404, 422))
async def unpin_thread(id: Id, viewer: CurrentMember, work: Work, now: Now) -> Response:
    """Let the thread go from the top of its board. Done twice, it is as done once."""
    allow(Act.PIN_THREAD, viewer, await posts.place_in_thread(work, viewer, id, posts.NO_WORDS, now))
    await threads.set_pinned(work, viewer, id, False, now)
    return answer(await in_transaction(work, viewer, id))


@router.put("/threads/{id}/board", response_model=Thread, responses=documented(401, 403, 404, 409, 413, 422))
async def move_thread(id: Id, move: Move, viewer: CurrentMember, work: Work, now: Now) -> Response:
    """Move the thread to another board: for those who moderate both."""
    allow(Act.MOVE_THREAD, viewer, await posts.place_in_thread(work, viewer, id, posts.NO_WORDS, now))
    target = await posts.place_on_board(work, viewer, move.board, posts.NO_WORDS, now)
    allow(Act.MOVE_THREAD, viewer, target)
    await threads.move(work, viewer, id, move.version, target.board, now)
    return answer(await in_transaction(work, viewer, id))


def _link(thread_id: int, number: int) -> PostLink:
    return PostLink(number=number, href=f"/api/v1/threads/{thread_id}/posts?from={number}")
