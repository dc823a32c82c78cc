"""Where you stopped reading, over HTTP: marks, your threads, what is unread, and what you may do in a thread."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, StrictBool

from forum.api.content.crisis_help import ThreadHelp
from forum.api.content.drafts import SavedDraft, draft_of
from forum.api.content.threads import Thread, thread_json
from forum.api.schemas import Next, RequestBody, ResponseBody
from forum.content import read_marks, reading
from forum.content.addressed_help import find_help_beside
from forum.content.reactions.tables import ReactionKind
from forum.content.read_marks import ThreadsOf
from forum.content.reading import Span
from forum.content.subscriptions import Mode
from forum.core.pagination import Page
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import AnyMember, CurrentViewer
from forum.http.fields import After, BoardSlug, Id, Identity, Limit, SoughtId
from forum.http.problems import documented
from forum.http.services import CurrentWork, Now, Reading, Route, services_of
from forum.notifications import read_threads
from forum.permissions import Refusal

router = APIRouter(tags=["threads"], route_class=Route)


class Permission(ResponseBody):
    """Whether you may do something, and otherwise why not."""

    allowed: bool
    because: str | None = Field(
        description="The `code` of the problem that you would get. Null when you may", examples=["thread_locked"]
    )
    detail: str | None = Field(
        description="The same for people", examples=["This thread is locked. You can read it, but not write in it."]
    )

    @classmethod
    def of_refusal(cls, refusal: Refusal | None) -> "Permission":
        """Return the permission that a refusal takes away."""
        if refusal is None:
            return cls(allowed=True, because=None, detail=None)
        return cls(allowed=False, because=refusal.code, detail=refusal.detail)


class Permissions(ResponseBody):
    """What you may do in a thread."""

    reply: Permission
    react: Permission = Field(description="To posts of others")
    retitle: Permission
    lock: Permission
    pin: Permission
    move: Permission
    subscribe: Permission = Field(description="Choose what you want to hear of it")


class ThreadForYou(ResponseBody):
    """What a thread is for you. Nobody else sees it."""

    thread: Thread = Field(description="So that a page of it is two requests: this one, and that for its posts")
    may: Permissions
    read_number: int | None = Field(
        description="The highest number that you said you have read. Null before you did", examples=[7]
    )
    unread_from: int | None = Field(
        description="The first post that you have not read. Null when there is none", examples=[8]
    )
    draft: SavedDraft | None = Field(description="The reply that you began to write. Null when there is none")
    own: list[int] = Field(description="The numbers of your own posts among those asked for", examples=[[3]])
    ignored: list[int] = Field(
        description="The numbers, among those asked for, of posts by people whom you ignore: show them folded",
        examples=[[5]],
    )
    subscription: Mode | None = Field(
        description="What you want to hear of this thread. Null when you never said, nor wrote here", examples=["each"]
    )
    told: bool = Field(
        description="Whether you are told of each new post here, by this subscription or by that of the board"
    )
    reactions: dict[int, list[ReactionKind]] = Field(
        description="How you reacted to which of the posts asked for, by their numbers", examples=[{"7": ["hug"]}]
    )
    bookmarks: list[int] = Field(description="The numbers of the posts asked for that you saved", examples=[[7]])
    reaction_kinds: list[ReactionKind] = Field(
        description="How one can react to posts in this forum", examples=[["thank", "hug", "helpful", "same_here"]]
    )
    help: ThreadHelp | None = Field(
        description="Who helps, where something in this thread may be hard for you to read: show it above the posts. "
        "It is there for a week, or until you put it away. Null for almost everybody"
    )


class MarkedThread(Thread):
    """A thread, and how far you have read it."""

    read_number: int = Field(description="Up to which number you have read it; 0 when you have not", examples=[7])
    unread: bool = Field(description="Whether something in it is new for you")


class MarkedThreadList(ResponseBody):
    """A page of threads, those with the newest posts first."""

    items: list[MarkedThread]
    next: Next


class ReadUpTo(RequestBody):
    """How far you have read a thread."""

    number: Annotated[int, Field(ge=0, lt=2**31, strict=True)] = Field(
        description="The highest number that you have read", examples=[12]
    )
    back: StrictBool = Field(
        False, description="Whether the mark may go back to this number: “unread from here”", examples=[False]
    )


class Mark(ResponseBody):
    """How far you have read a thread."""

    thread_id: Identity = Field(examples=[42])
    read_number: int = Field(description="Up to which number you have read it; 0 when you have not", examples=[7])
    unread: bool = Field(description="Whether something in it is new for you")
    unread_from: int | None = Field(description="The first post that is new for you. Null when none is", examples=[8])


class MarkList(ResponseBody):
    """The threads that were asked for and that you see, by their ids."""

    items: list[Mark]
    next: None = Field(description="Always null: you named them all")


_OF = Query(description="`opened` by you, `written` in by you, `followed` by you, or `unread`", examples=["unread"])


@router.get("/threads", response_model=MarkedThreadList, responses=documented(422))
async def list_newest_threads(
    request: Request,
    viewer: CurrentViewer,
    reading: Reading,
    *,
    limit: Limit = 20,
    after: After = None,
    board: Annotated[BoardSlug | None, Query(description="Only of this board", examples=["court"])] = None,
    unread: Annotated[bool, Query(description="Only those in which something is new for you", examples=[True])] = False,
) -> Response:
    """List threads of all boards that you may see, those with the newest posts first. For guests nothing is unread."""
    page = await read_marks.list_newest(reading, viewer, after, limit, slug=board, unread=unread)
    return _page(request, page)


@router.get("/me/threads", response_model=MarkedThreadList, responses=documented(401, 422))
async def list_my_threads(
    request: Request,
    viewer: AnyMember,
    reading: Reading,
    *,
    kind: Annotated[ThreadsOf, _OF] = ThreadsOf.UNREAD,
    limit: Limit = 20,
    after: After = None,
) -> Response:
    """List the threads that you opened, wrote in, follow, or have not read, those with the newest posts first."""
    return _page(request, await read_marks.list_own_threads(reading, viewer, kind, after, limit))


@router.get("/me/marks", response_model=MarkList, responses=documented(401, 422))
async def list_marks(
    request: Request,
    viewer: AnyMember,
    reading: Reading,
    thread: Annotated[
        list[SoughtId],
        Query(min_length=1, max_length=100, description="Which threads: `?thread=7&thread=8`", examples=[[7]]),
    ],
) -> Response:
    """Read how far you have read several threads: for the list of a board, which is the same for all readers."""
    rows = await read_marks.list_marks(reading, viewer, thread)
    items = [Mark.of_row(row, unread=row.is_unread) for row in rows]
    return cacheable_response(request, MarkList(items=items, next=None), shared=False)


@router.put("/me/threads/read", status_code=204, responses=documented(401, 403, 422))
async def mark_all_read(viewer: AnyMember, work: CurrentWork) -> Response:
    """Mark everything that there is by now as read, and what you were told of it. Idempotent."""
    await read_threads.mark_all_read(work, viewer)
    return Response(status_code=204)


@router.put("/threads/{id}/read", status_code=204, responses=documented(401, 403, 404, 413, 422))
async def mark_thread_read(id: Id, mark: ReadUpTo, viewer: AnyMember, work: CurrentWork) -> Response:
    """Say how far you have read a thread. A smaller number than before changes nothing, unless `back` says so.

    What you were told of these posts is read with them. Idempotent. Nothing is marked by reading: scanners and browsers
    read ahead.
    """
    await read_threads.mark_thread_read(work, viewer, id, mark.number, back=mark.back)
    return Response(status_code=204)


@router.get("/threads/{id}/mine", response_model=ThreadForYou, responses=documented(404, 422))
async def get_my_thread(
    request: Request,
    id: Id,
    viewer: CurrentViewer,
    reader: Reading,
    now: Now,
    *,
    first: Annotated[int, Query(alias="from", ge=1, lt=2**31, description="As of the page of posts", examples=[1])] = 1,
    limit: Limit = 20,
) -> Response:
    """Read what a thread is for you: what you may do, where you stopped, which posts are yours. For guests too.

    With `/threads/{id}/posts`, from the same number on, it is all that a page of a thread shows.
    """
    own = await reading.read_own(reader, viewer, id, Span.of_page(first, limit), now)
    may = {name: Permission.of_refusal(refusal) for name, refusal in own.refusals.items()}
    settings = services_of(request).settings
    kinds = list(map(ReactionKind, settings.reactions))
    draft = draft_of(own.draft) if own.draft else None
    mine = {**own.place._asdict(), **own.marks._asdict()}
    told = mine.pop("is_told")
    help_ = ThreadHelp.model_validate(find_help_beside(settings, now).as_json()) if mine.pop("is_helped") else None
    thread = Thread(**thread_json(own.thread))
    body = ThreadForYou(
        thread=thread, may=Permissions(**may), draft=draft, told=told, reaction_kinds=kinds, help=help_, **mine
    )
    return cacheable_response(request, body, shared=False)


def marked_json(thread: object) -> dict[str, object]:
    """Return a thread with its mark as JSON members."""
    marks = {"read_number": getattr(thread, "read_number", 0), "unread": bool(getattr(thread, "is_unread", False))}
    return thread_json(thread) | marks


def _page(request: Request, page: Page) -> Response:
    body = {"items": [marked_json(row) for row in page.rows], "next": page.next}
    return cacheable_response(request, body, shared=False, headers=next_link(request, page.next))
