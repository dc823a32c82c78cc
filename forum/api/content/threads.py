"""Threads over HTTP: read, change the title, lock, pin, move."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.content.crisis_help import CrisisHelp, help_response
from forum.api.content.personal_details import Confirm, PersonalDetail, details_response
from forum.api.content.resources import ResourceEntry
from forum.api.schemas import Author, RequestBody, ResponseBody
from forum.content.posts.queries import waiting_as_json
from forum.content.resources.queries import get_thread_with_resources
from forum.content.threads import actions, queries
from forum.content.threads.tables import LOCK_REASON_MAX, ThreadState
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import AnyMember, CurrentMember, CurrentViewer
from forum.http.fields import BoardSlug, Id, Identity, Line, Moment, Number, RevisionNumber, Title
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import CurrentWork, Reading, Route

router = APIRouter(tags=["threads"], route_class=Route)


class BoardName(ResponseBody):
    """The board of a thread."""

    slug: str = Field(examples=["new-here"])
    name: str = Field(examples=["New here? Start here"])


class PostLink(ResponseBody):
    """The number of a post in the thread, and the path of the page that begins with it."""

    number: int = Field(examples=[7])
    href: str = Field(examples=["/api/v1/threads/42/posts?from=7"])


class LastPost(PostLink):
    """The newest post that all readers can see."""

    author: Author
    created_at: Moment


class AdviserReplies(ResponseBody):
    """How many replies advisers wrote, with the first and the newest."""

    count: int = Field(examples=[2])
    first: PostLink | None
    latest: PostLink | None


class WaitingTitle(ResponseBody):
    """A title that waits for a moderator. Until one publishes it, readers see the one that was approved."""

    title: str = Field(examples=["What happens at a first conference, and who is there?"])
    held_because: str = Field(examples=["A moderator reads it first."])
    written_at: Moment


class Thread(ResponseBody):
    """A thread on a board."""

    id: Identity = Field(examples=[42])
    board: BoardName
    title: str = Field(examples=["What happens at a first conference?"])
    state: Literal["open", "locked"] = Field(description="In a `locked` thread only moderators can reply")
    lock_reason: str | None = Field(
        description="Why it is locked, in a moderator's words: show it where people would reply. Null without one",
        examples=["We are reading what was reported here, and open it again tomorrow."],
    )
    pinned: bool = Field(description="Whether it stays at the top of its board")
    visibility: Literal["visible", "held", "removed"] = Field(
        description="`held`: it waits for a moderator. `removed`: readers cannot see it"
    )
    version: int = Field(
        description="Send it with a change, so that you do not undo somebody else's change", examples=[1]
    )
    author: Author
    created_at: Moment
    posts: int = Field(description="How many posts all readers can see", examples=[7])
    participants: int = Field(description="How many members wrote those posts", examples=[3])
    last_number: int = Field(
        description="The highest number of a post. You may not see every post up to it", examples=[7]
    )
    last_post: LastPost | None = Field(description="Null when readers can see no post")
    adviser_replies: AdviserReplies
    title_revision: int = Field(
        description="Send it with a report of the first post: it says which title", examples=[1]
    )
    waiting: WaitingTitle | None = Field(
        description="The title that waits for a moderator: for the member who opened the thread and moderators"
    )


class ReadThread(Thread):
    """A thread with what stands in it besides its posts."""

    resources: list[ResourceEntry] = Field(description="Who helps elsewhere, as advisers say in this thread")


class RetitledThread(Thread):
    """The thread with its new title, with help if that sounds like danger."""

    help: CrisisHelp | None = Field(description="Who helps at once, if your words sound like danger; mostly null")
    findings: list[PersonalDetail] = Field(description="What in it may show who somebody is. Mostly empty")


class TitleRevision(ResponseBody):
    """One title of a thread."""

    number: int = Field(examples=[1])
    sealed: bool = Field(description="Whether a moderator took it away: then only moderators can read it, one by one")
    title: str | None = Field(description="Null when sealed", examples=["What happens at a conference?"])
    written_at: Moment


class TitleRevisionList(ResponseBody):
    """All titles of a thread, the present one last."""

    items: list[TitleRevision]
    next: None = Field(description="Always null: all revisions are on one page")


class TitleChange(RequestBody):
    """A new title for a thread."""

    version: Number = Field(description="The `version` of the thread that was on the screen", examples=[1])
    title: Title
    confirm: Confirm | None = None


class Move(RequestBody):
    """A new board for a thread."""

    version: Number = Field(description="The `version` of the thread that was on the screen", examples=[1])
    board: BoardSlug


class Lock(RequestBody):
    """Why a thread is locked."""

    reason: Line | None = Field(
        None,
        min_length=1,
        max_length=LOCK_REASON_MAX,
        description="What everybody who reads the thread is told. Without it, the reason that there is stays",
        examples=["We are reading what was reported here, and open it again tomorrow."],
    )


def thread_response(thread: Any) -> Thread:
    """Return a thread as readers see it."""
    return Thread.model_validate(thread_json(thread))


def thread_json(thread: Any) -> dict[str, Any]:
    """Return a thread as JSON members: a page is made of these, because a model for each costs most of its time."""
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
        "lock_reason": thread.lock_reason if thread.state == ThreadState.LOCKED else None,
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
        "title_revision": thread.title_revision,
        "waiting": waiting_as_json(thread.waiting),
    }


def robots(row: Any) -> dict[str, str]:
    """Return the header that forbids search engines to index a page, unless the board allows it."""
    return {} if row.indexable else {"X-Robots-Tag": "noindex"}


def page_response(request: Request, page: Any, items: Sequence[Mapping[str, Any]], **more: Any) -> Response:
    """Return a page of threads or posts with what else belongs to it, and forbid search engines to index it unless the
    board allows it.
    """
    headers = {**robots(page), **next_link(request, page.next)}
    body = {"items": items, "next": page.next, **more}
    return cacheable_response(request, body, shared=page.is_shared, headers=headers)


@router.get("/threads/{id}", response_model=ReadThread, responses=documented(404, 422))
async def get_thread(request: Request, id: Id, viewer: CurrentViewer, reading: Reading) -> Response:
    """Read about a thread. Its posts are at `/threads/{id}/posts`."""
    read = await get_thread_with_resources(reading, viewer, id)
    resources = [ResourceEntry.model_validate(entry) for entry in read.resources]
    body = ReadThread(**thread_json(read.thread), resources=resources)
    shared = queries.is_shared(read.thread)
    return cacheable_response(request, body, shared=shared, headers=robots(read.thread))


@router.patch("/threads/{id}", response_model=RetitledThread, responses=documented(401, 403, 404, 409, 413, 422, 429))
async def retitle_thread(id: Id, change: TitleChange, viewer: AnyMember, work: CurrentWork) -> Response:
    """Change the title. For the member who opened the thread and the board's moderators.

    It may have to wait for a moderator: then `title` is still the old one, and `waiting` has the new one. It can be
    asked about first, as a reply can.
    """
    new = actions.NewTitle(change.version, change.title, change.confirm)
    retitled = await actions.retitle_thread(work, viewer, id, new)
    findings = details_response(retitled.details)
    body = RetitledThread(**thread_json(retitled.thread), help=help_response(retitled.help), findings=findings)
    return json_response(body)


@router.get("/threads/{id}/revisions", response_model=TitleRevisionList, responses=documented(401, 403, 404, 422))
async def list_titles(request: Request, id: Id, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Read all titles of a thread. For the member who opened it and the board's moderators."""
    items = [TitleRevision.model_validate(row) for row in await actions.list_titles(work, viewer, id)]
    return cacheable_response(request, TitleRevisionList(items=items, next=None), shared=False)


@router.get("/threads/{id}/revisions/{number}", response_model=TitleRevision, responses=documented(401, 403, 404, 422))
async def read_sealed_title(
    request: Request, id: Id, number: RevisionNumber, viewer: CurrentMember, work: CurrentWork
) -> Response:
    """Read a title that a moderator took away. For the board's moderators; that you read it is recorded."""
    row = await actions.read_sealed_title(work, viewer, id, number)
    return cacheable_response(request, TitleRevision.model_validate(row), shared=False)


@router.put("/threads/{id}/lock", response_model=Thread, responses=documented(401, 403, 404, 413, 422, 429))
async def lock_thread(id: Id, viewer: CurrentMember, work: CurrentWork, lock: Lock | None = None) -> Response:
    """Lock the thread, so that only moderators can reply. For the board's moderators. Idempotent."""
    reason = lock.reason if lock else None
    return json_response(thread_response(await actions.lock_thread(work, viewer, id, reason)))


@router.delete("/threads/{id}/lock", response_model=Thread, responses=documented(401, 403, 404, 422))
async def unlock_thread(id: Id, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Unlock the thread, so that members can reply again. For the board's moderators. Idempotent."""
    return json_response(thread_response(await actions.unlock_thread(work, viewer, id)))


@router.put("/threads/{id}/pin", response_model=Thread, responses=documented(401, 403, 404, 422))
async def pin_thread(id: Id, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Pin the thread to the top of its board. For the board's moderators. Idempotent."""
    return json_response(thread_response(await actions.pin_thread(work, viewer, id)))


@router.delete("/threads/{id}/pin", response_model=Thread, responses=documented(401, 403, 404, 422))
async def unpin_thread(id: Id, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Unpin the thread. For the board's moderators. Idempotent."""
    return json_response(thread_response(await actions.unpin_thread(work, viewer, id)))


@router.put("/threads/{id}/board", response_model=Thread, responses=documented(401, 403, 404, 409, 413, 422))
async def move_thread(id: Id, move: Move, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Move the thread to another board. For those who moderate both boards."""
    return json_response(thread_response(await actions.move_thread(work, viewer, id, move.version, move.board)))


def _link(thread_id: int, number: int | None) -> dict[str, Any] | None:
    return {"number": number, "href": f"/api/v1/threads/{thread_id}/posts?from={number}"} if number else None
