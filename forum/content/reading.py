"""What one screen needs to read: a board with its threads, a thread with its posts, and what may be done there."""

from collections import namedtuple
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from pydantic_core import from_json
from sqlalchemy import BigInteger, Text, bindparam, case, cast, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import col

from forum.content import announcements, board_cards, boards, drafts, own_marks, read_marks, subscriptions
from forum.content.before_writing import BeforeWriting, before_writing
from forum.content.board_cards import BoardCard
from forum.content.boards import Board
from forum.content.opening_hours import Opening, opening_of
from forum.content.own_marks import OwnMarks
from forum.content.posts import thread_page
from forum.content.posts.queries import PostView
from forum.content.posts.tables import NUMBER_MAX, Post, Voice
from forum.content.posts.thread_page import PageRequest, PageStatements, PostPage
from forum.content.read_marks import OwnPlace
from forum.content.resources import queries as resources
from forum.content.resources.queries import AttachedResources, ResourceView
from forum.content.subscriptions import Mode
from forum.content.threads import claims, queries
from forum.content.threads.queries import ThreadPage
from forum.content.threads.tables import Thread, ThreadState
from forum.core.database import Prepared, Reader, columns
from forum.core.errors import NotFound
from forum.members.tables import Standing
from forum.members.viewer import Viewer
from forum.permissions import Act, Refusal, allow, why_not

THREADS_A_PAGE = POSTS_A_PAGE = 20


@dataclass(frozen=True)
class ReadingPlace:
    """Where somebody reads, as the conditions of permissions want it. The action reads it again, and decides."""

    standing: Standing
    board: Any
    opening: Opening
    thread: Any = None
    verified: bool = True
    post: Any = None


@dataclass(frozen=True)
class BoardReading:
    """A board, a page of its threads, what is announced, and why the viewer may not open one, if so."""

    card: BoardCard
    announcements: Sequence[Any]
    page: ThreadPage
    marks: Mapping[int, Any]  # of the viewer, by the threads' ids
    no_thread_because: Refusal | None
    before: BeforeWriting
    is_told: bool  # the viewer is told of each new post on it
    resources: Sequence[ResourceView]
    may_attach: bool  # places of help


@dataclass(frozen=True)
class ThreadReading:
    """A thread, a page of its posts, its board, and why the viewer may not reply, if so."""

    thread: Any
    board: Any
    page: PostPage
    no_reply_because: Refusal | None
    before: BeforeWriting
    moderates: bool
    place: OwnPlace  # how far the viewer has read it, and which posts of the page are their own
    has_draft: bool  # the viewer began to write a reply
    may_edit: bool  # their own posts here
    may_retitle: bool
    has_earlier_titles: bool  # that the viewer may read
    may_react: bool  # to posts of others
    may_advise: bool
    claim: Any  # who keeps it to answer it, for advisers; or None
    may_endorse: bool  # posts of members
    may_say_helped: bool  # it is their own thread, and it waits for an adviser
    marks: OwnMarks  # what the viewer did with the posts of this page
    resources: Sequence[ResourceView]
    may_attach: bool  # places of help


async def read_board(reader: Reader, viewer: Viewer, slug: str, after: str | None, now: datetime) -> BoardReading:
    """Return a board with a page of its threads. Raises NotFound, and Invalid for an unknown cursor."""
    card = await board_cards.get_board_card(reader, viewer, slug)
    page = await queries.list_on_board(reader, viewer, slug, after, THREADS_A_PAGE)
    before = before_writing(card.board, viewer, now)
    place = ReadingPlace(viewer.standing, card.board, before.opening)
    standing = await announcements.list_announcements(reader, now)
    marks = {
        mark.thread_id: mark
        for mark in await read_marks.list_marks(reader, viewer, [thread.id for thread in page.threads])
    }
    mode = await subscriptions.get_board_mode(reader, viewer, card.board.id) if viewer.id else None
    is_told = mode not in {None, Mode.OFF}
    attached = await resources.list_on_board(reader, card.board.id)
    return BoardReading(
        card,
        standing,
        page,
        marks,
        why_not(Act.OPEN_THREAD, viewer, place),
        before,
        is_told,
        resources=attached,
        may_attach=_may_attach(viewer, place, attached),
    )


async def read_thread(
    reader: Reader, viewer: Viewer, thread_id: int, wanted: PageRequest, now: datetime
) -> ThreadReading:
    """Return a thread with a page of its posts. Raises NotFound, and Invalid for an unknown cursor."""
    thread, board, page = await _read_page(reader, viewer, thread_id, wanted)
    before = before_writing(board, viewer, now)
    place = ReadingPlace(viewer.standing, board, before.opening, ThreadPlace(thread))
    own, is_member = replace(place, post=AnyOwnPost(viewer)), viewer.id is not None
    draft = await drafts.find_draft(reader, viewer, drafts.in_thread(thread_id), now)
    may_advise = is_member and why_not(Act.ADVISE, viewer, place) is None and thread.state == ThreadState.OPEN
    attached = await resources.list_in_thread(reader, thread_id)
    return ThreadReading(
        thread,
        board,
        page,
        why_not(Act.REPLY, viewer, place),
        before,
        viewer.moderates(board.id),
        place=await read_marks.get_own_place(reader, viewer, thread_id, *_span(page)),
        has_draft=draft is not None,
        may_edit=is_member and why_not(Act.EDIT_POST, viewer, own) is None,
        may_retitle=is_member and why_not(Act.RETITLE_THREAD, viewer, place) is None,
        has_earlier_titles=is_member and thread.title_revision > 1 and why_not(Act.READ_TITLES, viewer, place) is None,
        may_react=is_member and why_not(Act.REACT, viewer, replace(place, post=OTHERS_POST)) is None,
        may_advise=may_advise,
        claim=await claims.find_claim(reader, thread_id, now) if may_advise else None,
        may_endorse=is_member and why_not(Act.ENDORSE, viewer, replace(place, post=OTHERS_POST)) is None,
        may_say_helped=is_member and _waits(thread, board) and why_not(Act.MARK_ANSWERED, viewer, place) is None,
        marks=await own_marks.get_own_marks(reader, viewer, thread_id, _span(page), now),
        resources=attached,
        may_attach=_may_attach(viewer, place, attached),
    )


async def read_board_to_attach(reader: Reader, adviser: Viewer, slug: str, now: datetime) -> AttachedResources:
    """Return a board with the places of help that stand there and that could. Raises NotFound and Forbidden."""
    board = await boards.get_board(reader, adviser, slug)
    place = ReadingPlace(adviser.standing, board, opening_of(board, now))
    return await _choices(reader, adviser, place, board, await resources.list_on_board(reader, board.id))


async def read_thread_to_attach(reader: Reader, adviser: Viewer, thread_id: int, now: datetime) -> AttachedResources:
    """Return a thread with the places of help that stand there and that could. Raises NotFound and Forbidden."""
    thread = await queries.get_thread(reader, adviser, thread_id)
    board = await boards.get_board(reader, adviser, thread.board_slug)
    place = ReadingPlace(adviser.standing, board, opening_of(board, now), ThreadPlace(thread))
    return await _choices(reader, adviser, place, thread, await resources.list_in_thread(reader, thread_id))


def _may_attach(viewer: Viewer, place: ReadingPlace, attached: Sequence[ResourceView]) -> bool:
    """Return whether the viewer chooses which places of help stand there; where nobody writes, they go."""
    act = Act.DETACH_RESOURCE if attached else Act.ATTACH_RESOURCE
    return viewer.id is not None and why_not(act, viewer, place) is None


async def _choices(
    reader: Reader, adviser: Viewer, at: ReadingPlace, place: Any, attached: Sequence[ResourceView]
) -> AttachedResources:
    allow(Act.DETACH_RESOURCE, adviser, at)
    if why_not(Act.ATTACH_RESOURCE, adviser, at):
        return AttachedResources(place, attached, ())
    ids = {entry.id for entry in attached}
    listing = await resources.list_resources(reader, adviser)
    return AttachedResources(place, attached, [entry for entry in listing.entries if entry.id not in ids])


def _waits(thread: Any, board: Any) -> bool:
    """Return whether a thread waits for an adviser, after somebody answered."""
    return board.advised and thread.posts > 1 and bool(thread.asked_since or thread.news_since)


def _span(page: PostPage) -> tuple[int, int]:
    """Return the first and the last number on a page."""
    return (page.posts[0].number, page.posts[-1].number) if page.posts else (0, 0)


@dataclass(frozen=True)
class AnyOwnPost:
    """Any post of the viewer's own that readers see, as the conditions of permissions want it."""

    viewer: Viewer
    is_shown: bool = True
    voice: str = Voice.MEMBER

    @property
    def author_id(self) -> UUID:
        """Who wrote it."""
        return self.viewer.member_id


@dataclass(frozen=True)
class AnyPostOfOthers:
    """Any post of somebody else's that readers see, as the conditions of permissions want it."""

    author_id: UUID | None = None
    voice: str = Voice.MEMBER


OTHERS_POST = AnyPostOfOthers()

# A thread, its board and its posts in one statement: a page of a thread is what is read most. The first post brings
# the thread and the board along, as one value.
_BOARD = tuple(columns(Board))
_THREAD_NAMES = [column.name for column in queries.SELECT_VISIBLE.selected_columns]
_ThreadLine = namedtuple("_ThreadLine", _THREAD_NAMES)  # type: ignore[misc]  # names of a table
_BoardLine = namedtuple("_BoardLine", [column.name for column in _BOARD])  # type: ignore[misc]  # names of a table
_SELECT_PLACE = queries.SELECT_VISIBLE.add_columns(*(column.label(f"its_{column.name}") for column in _BOARD)).where(
    col(Thread.id) == bindparam("thread_id", type_=BigInteger())
)
_COLUMNS = _SELECT_PLACE.cte("its_place").c
# JSON as text: within a row, asyncpg does not decode it as `Reader` told it to.
_AS_ROW = func.row(*(cast(column, Text) if isinstance(column.type, JSONB) else column for column in _COLUMNS))
_PLACE = Prepared(select(_AS_ROW.label("place")))
_IS_FIRST = func.row_number().over(order_by=col(Post.number)) == 1
_WITH_PLACE = case((_IS_FIRST, select(_AS_ROW).scalar_subquery())).label("place")
_PostLine = namedtuple("_PostLine", [*PostView._fields, "place"])  # type: ignore[misc]  # names of a table
_STATEMENTS = PageStatements(
    Prepared(thread_page.SELECT_NUMBERED.add_columns(_WITH_PLACE), _PostLine),
    Prepared(thread_page.SELECT_BY_ADVISERS.add_columns(_WITH_PLACE), _PostLine),
)


async def _read_page(reader: Reader, viewer: Viewer, thread_id: int, wanted: PageRequest) -> tuple[Any, Any, PostPage]:
    """Return a thread, its board and a page of its posts. Raises NotFound, and Invalid for an unknown cursor."""
    page = await thread_page.get_page(reader, viewer, thread_id, wanted, _STATEMENTS)
    lines: Sequence[Any] = page.posts
    first = lines[0] if lines else await reader.row(_PLACE, **viewer.query_parameters, thread_id=thread_id)
    if first is None:
        raise NotFound("There is no such thread.", code="thread_not_found")
    thread: Any = _ThreadLine._make(first.place[: -len(_BOARD)])
    if thread.waiting:
        thread = thread._replace(waiting=from_json(thread.waiting))
    board: Any = _BoardLine._make(first.place[-len(_BOARD) :])
    if board.hours:
        board = board._replace(hours=from_json(board.hours))
    return thread, board, page._replace(posts=[PostView._make(line[:-1]) for line in lines])


# What somebody may do with a thread, by the name that clients know.
ACTS: Mapping[str, Act] = {
    "reply": Act.REPLY,
    "react": Act.REACT,
    "retitle": Act.RETITLE_THREAD,
    "lock": Act.LOCK_THREAD,
    "pin": Act.PIN_THREAD,
    "move": Act.MOVE_THREAD,
    "subscribe": Act.FOLLOW,
}


class Span(NamedTuple):
    """The numbers of some posts in a row."""

    first: int
    last: int

    @classmethod
    def of_page(cls, first: int, limit: int) -> "Span":
        """Return the numbers that a page can have which begins with `first`."""
        return cls(min(first, NUMBER_MAX), min(first + limit - 1, NUMBER_MAX))


@dataclass(frozen=True)
class OwnReading:
    """What a thread is for one viewer: how far they read it, what they did and began there, what they may not do."""

    thread: Any
    place: OwnPlace
    marks: OwnMarks
    draft: Any  # of a reply, or None
    refusals: Mapping[str, Refusal | None]


async def read_own(reader: Reader, viewer: Viewer, thread_id: int, span: Span, now: datetime) -> OwnReading:
    """Return what a thread is for the viewer, and what the posts of a span are for them. Raises NotFound."""
    thread = await queries.get_thread(reader, viewer, thread_id)
    board = await boards.get_board(reader, viewer, thread.board_slug)
    place = await read_marks.get_own_place(reader, viewer, thread_id, *span)
    marks = await own_marks.get_own_marks(reader, viewer, thread_id, span, now)
    draft = await drafts.find_draft(reader, viewer, drafts.in_thread(thread_id), now)
    opening = opening_of(board, now)
    subject = ReadingPlace(viewer.standing, board, opening, ThreadPlace(thread), post=OTHERS_POST)
    refusals = {name: _refusal(act, viewer, subject) for name, act in ACTS.items()}
    return OwnReading(thread, place, marks, draft, refusals)


def _refusal(act: Act, viewer: Viewer, subject: ReadingPlace) -> Refusal | None:
    return Refusal("not_signed_in", f"Sign in to {act}.") if viewer.id is None else why_not(act, viewer, subject)


@dataclass(frozen=True)
class ThreadPlace:
    """A thread as it was read, with what the conditions of permissions want of it."""

    row: Any

    @property
    def board_id(self) -> int:
        """The board of the thread."""
        return int(self.row.board_id)

    @property
    def author_id(self) -> Any:
        """Who opened it."""
        return self.row.author_id

    @property
    def state(self) -> str:
        """Whether it is open or locked."""
        return str(self.row.state)

    @property
    def is_gone(self) -> bool:
        """Whether readers can see nothing of it any more."""
        return bool(self.row.visibility == "removed")
