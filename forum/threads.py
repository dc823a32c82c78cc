"""Threads: what a talk is called, where it stands, whether it is open, and who waits in it."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Identity,
    Index,
    Integer,
    Text,
    and_,
    bindparam,
    func,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import Field, SQLModel, col

from forum import boards
from forum.boards import Board
from forum.core import audit, pagination
from forum.core.database import Moment, Prepared, Query, Reader, columns, query
from forum.core.errors import Invalid, NotFound, Stale
from forum.core.gate import Author, Gate, Submission
from forum.markup import without_handle
from forum.members.tables import Member
from forum.members.viewer import VIEWER_ID, Viewer

TITLE_MIN, TITLE_MAX = 3, 120
ERASED_TITLE = "Opened by a former member"
# The first of an advisory lock's two numbers; the second is the thread's.
_POSTS_LOCK = 0x706F7374


class State(StrEnum):
    """Whether a thread takes replies."""

    OPEN = "open"
    LOCKED = "locked"


class Standing(StrEnum):
    """Whether readers see a thread at all."""

    VISIBLE = "visible"
    HELD = "held"
    REMOVED = "removed"


class Thread(SQLModel, table=True):
    """A talk on a board, with what lists say of it, kept with each post."""

    __table_args__ = (
        CheckConstraint(f"char_length(title) BETWEEN {TITLE_MIN} AND {TITLE_MAX}", name="title"),
        CheckConstraint("state IN ('open', 'locked')", name="state"),
        CheckConstraint("visibility IN ('visible', 'held', 'removed')", name="visibility"),
        CheckConstraint("posts >= 0 AND posts <= last_number AND participants <= posts", name="counts"),
        Index("ix_thread_board_page", "board_id", "pinned", "last_post_at", "id"),
        Index("ix_thread_waiting", "waiting_since", "id", postgresql_where=text("waiting_since IS NOT NULL")),
    )

    id: int = Field(default=None, primary_key=True, sa_type=BigInteger, sa_column_args=[Identity(always=True)])
    board_id: int = Field(foreign_key="board.id")
    author_id: UUID = Field(foreign_key="member.id", index=True)
    title: str
    state: str = Field(default=State.OPEN)
    pinned: bool = False
    visibility: str = Field(default=Standing.VISIBLE)
    version: int = 1
    opened_at: datetime = Field(sa_type=Moment)
    changed_at: datetime = Field(sa_type=Moment)
    changed_by: UUID | None = Field(default=None, foreign_key="member.id")
    last_number: int = Field(default=0, description="The highest number given to a post, seen or not")
    posts: int = Field(default=0, description="Visible posts")
    participants: int = Field(default=0, description="Members with a visible post")
    last_post_number: int | None = None
    last_post_at: datetime = Field(sa_type=Moment, description="Of the last visible post; before one, of the opening")
    last_post_by: UUID | None = Field(default=None, foreign_key="member.id")
    adviser_replies: int = 0
    first_adviser_number: int | None = None
    latest_adviser_number: int | None = None
    waiting_since: datetime | None = Field(
        default=None,
        sa_type=Moment,
        description="Of the first member's post that no adviser has answered yet",
    )


# Where a list goes on: the sort key of its last row.
BY_LAST_POST = TypeAdapter(tuple[bool, pagination.Instant, pagination.Identity])
BY_WAITING = TypeAdapter(tuple[pagination.Instant, pagination.Identity])

_Author, _LastPoster = aliased(Member, name="author"), aliased(Member, name="last_poster")


# Predicates

# The thread, joined with its board, exists for the viewer.
VISIBLE = and_(
    boards.READABLE,
    or_(col(Thread.visibility) == Standing.VISIBLE, col(Thread.author_id) == VIEWER_ID, boards.MODERATED),
)


def takes_replies(thread: Thread, viewer: Viewer) -> bool:
    """Whether the thread takes a reply from the viewer: a locked one only from the board's moderators."""
    return thread.state == State.OPEN or viewer.moderates(thread.board_id)


# Queries

_SEEN = (
    query(
        *columns(Thread),
        col(Board.slug).label("board_slug"),
        col(Board.name).label("board_name"),
        col(Board.indexable).label("indexable"),
        col(_Author.handle).label("author_handle"),
        col(_Author.name).label("author_name"),
        col(_Author.title).label("author_title"),
        col(_LastPoster.handle).label("last_handle"),
        col(_LastPoster.name).label("last_name"),
        col(_LastPoster.title).label("last_title"),
    )
    .join(Board, col(Board.id) == col(Thread.board_id))
    .join(_Author, col(_Author.id) == col(Thread.author_id))
    .outerjoin(_LastPoster, col(_LastPoster.id) == col(Thread.last_post_by))
    .where(VISIBLE)
)
_LIMIT, _SLUG = bindparam("limit", type_=Integer()), bindparam("slug", type_=Text())


def _page(seen: Query, key: Sequence[Any], *, falling: bool) -> tuple[Prepared, Prepared]:
    """The first page in the order of `key`, and one that goes on `after` a row."""
    ordered = seen.order_by(*(column.desc() if falling else column for column in key)).limit(_LIMIT)
    after = tuple_(*(bindparam(f"after_{place}", type_=column.type) for place, column in enumerate(key)))
    beyond = tuple_(*key) < after if falling else tuple_(*key) > after
    return Prepared(ordered), Prepared(ordered.where(beyond))


_ONE = Prepared(_SEEN.where(col(Thread.id) == bindparam("thread_id", type_=BigInteger())))

_ON_BOARD = _page(
    _SEEN.where(col(Thread.board_id) == select(col(Board.id)).where(col(Board.slug) == _SLUG).scalar_subquery()),
    (col(Thread.pinned), col(Thread.last_post_at), col(Thread.id)),
    falling=True,
)
_WAITING = _page(
    _SEEN.where(
        col(Thread.waiting_since).is_not(None),
        col(Thread.state) == State.OPEN,
        col(Thread.visibility) == Standing.VISIBLE,
        col(Board.advised),
    ),
    (col(Thread.waiting_since), col(Thread.id)),
    falling=False,
)

_TOTALS = (
    query(
        col(Thread.board_id),
        func.count().label("threads"),
        func.sum(Thread.posts).label("posts"),
        func.max(Thread.last_post_at).label("last_post_at"),
    )
    .where(col(Thread.visibility) == Standing.VISIBLE)
    .group_by(col(Thread.board_id))
)
# Of each board, and of one: how many threads and posts can be seen, and when the last post was written.
TOTALS = Prepared(_TOTALS)
TOTALS_OF_BOARD = Prepared(_TOTALS.where(col(Thread.board_id) == bindparam("board_id", type_=Integer())))


# The threads that the viewer opened, oldest first.
OPENED_BY = Prepared(
    query(
        col(Thread.id),
        col(Board.slug).label("board"),
        col(Thread.title),
        col(Thread.state),
        col(Thread.visibility),
        col(Thread.opened_at),
    )
    .join(Board, col(Board.id) == col(Thread.board_id))
    .where(VISIBLE, col(Thread.author_id) == VIEWER_ID)
    .order_by(col(Thread.id))
)


async def one(reader: Reader, viewer: Viewer, thread_id: int) -> Any:
    """A thread with the names of its board and its people; NotFound when it does not exist for the viewer."""
    return _found(await reader.row(_ONE, **viewer.sight, thread_id=thread_id))


async def in_transaction(session: AsyncSession, viewer: Viewer, thread_id: int) -> Any:
    """The same, as the thread stands in this transaction."""
    values = {**viewer.sight, "thread_id": thread_id}
    return _found((await session.execute(_ONE.query, values)).one_or_none())


def _found(row: Any) -> Any:
    if row is None:
        raise NotFound("There is no such thread.")
    return row


async def on_board(
    reader: Reader, viewer: Viewer, slug: str, after: tuple[bool, datetime, int] | None, limit: int
) -> Sequence[Any]:
    """A page of a board's threads: pinned first, then by the latest post."""
    return await _read(reader, _ON_BOARD, viewer, after, slug=slug, limit=limit)


async def waiting(reader: Reader, viewer: Viewer, after: tuple[datetime, int] | None, limit: int) -> Sequence[Any]:
    """Open threads that wait for an adviser, longest first."""
    return await _read(reader, _WAITING, viewer, after, limit=limit)


async def _read(
    reader: Reader, pages: tuple[Prepared, Prepared], viewer: Viewer, after: tuple[Any, ...] | None, **values: Any
) -> Sequence[Any]:
    first, further = pages
    if after is None:
        return await reader.rows(first, **viewer.sight, **values)
    place = {f"after_{number}": value for number, value in enumerate(after)}
    return await reader.rows(further, **viewer.sight, **values, **place)


async def hold(session: AsyncSession, thread_id: int) -> Thread:
    """The thread as it is now, its row ours until the commit. Take it late: every other reply waits for it."""
    found = select(Thread).where(col(Thread.id) == thread_id).with_for_update(key_share=True)
    return (await session.execute(found, execution_options={"populate_existing": True})).scalar_one()


async def hold_posts(session: AsyncSession, thread_id: int, *, alone: bool = False) -> None:
    """Whoever changes posts of a thread says so first: authors side by side, a moderator `alone`, until the commit.

    A decision on one post may change all that quote it. Without this, two decisions, or a decision and a
    withdrawal, could each hold a row that the other waits for.
    """
    lock = func.pg_advisory_xact_lock if alone else func.pg_advisory_xact_lock_shared
    await session.execute(select(lock(_POSTS_LOCK, thread_id % 2**31)))


# Verbs


async def retitle(
    session: AsyncSession,
    viewer: Viewer,
    author: Author,
    thread_id: int,
    version: int,
    title: str,
    gate: Gate,
    now: datetime,
) -> None:
    """Give a thread another title; `author` is what the gate knows of the viewer.

    Raises Stale when it changed since the `version` on the screen, and Invalid when the gate would not
    publish the new title: a title cannot be half visible.
    """
    thread = await hold(session, thread_id)
    await refuse_stale(session, thread, version)
    board = await session.get_one(Board, thread.board_id)
    submission = Submission(author, (title,), board.publication)
    verdict = await gate.judge(session, submission)
    if verdict.held_because:
        raise Invalid(verdict.held_because, "#/title")
    thread.title = title
    await _changed(session, thread, viewer, now, "thread.retitled")
    await gate.record(session, ("thread", thread.id), verdict, now)


async def rename(session: AsyncSession, moderator: Viewer, thread: Thread, title: str, now: datetime) -> None:
    """Give a thread, whose row the caller holds, another title on the house's behalf."""
    thread.title = title
    await _changed(session, thread, moderator, now, "thread.renamed")


async def set_state(session: AsyncSession, viewer: Viewer, thread_id: int, state: State, now: datetime) -> None:
    """Lock a thread ("comments are closed") or open it again; done twice, it is as done once."""
    thread = await hold(session, thread_id)
    if thread.state != state:
        thread.state = state
        await _changed(session, thread, viewer, now, f"thread.{state}")


async def set_pinned(session: AsyncSession, viewer: Viewer, thread_id: int, pinned: bool, now: datetime) -> None:
    """Keep a thread at the top of its board, or let it go; done twice, it is as done once."""
    thread = await hold(session, thread_id)
    if thread.pinned != pinned:
        thread.pinned = pinned
        await _changed(session, thread, viewer, now, "thread.pinned" if pinned else "thread.unpinned")


async def move(
    session: AsyncSession, viewer: Viewer, thread_id: int, version: int, board: Board, now: datetime
) -> None:
    """Move a thread to another board; Stale when it changed since the `version` on the screen."""
    thread = await hold(session, thread_id)
    await refuse_stale(session, thread, version)
    if thread.board_id != board.id:
        details: audit.Details = {"from": thread.board_id, "to": board.id}
        thread.board_id = board.id
        await _changed(session, thread, viewer, now, "thread.moved", details)


async def forget_handle(session: AsyncSession, handle: str) -> None:
    """Take a handle out of every title that mentions it."""
    naming = select(Thread).where(col(Thread.title).icontains(f"@{handle}", autoescape=True)).order_by(col(Thread.id))
    for thread in (await session.execute(naming.with_for_update(key_share=True))).scalars().all():
        thread.title = without_handle(thread.title, handle)
    await session.flush()


async def erase_title(session: AsyncSession, thread: Thread, now: datetime) -> None:
    """Give a thread, whose row the caller holds, a title that says nothing: whoever opened it erased their words."""
    if thread.title != ERASED_TITLE:
        thread.title, thread.version = ERASED_TITLE, thread.version + 1
        thread.changed_at, thread.changed_by = now, thread.author_id
        await session.flush()


def with_titles(author_id: UUID) -> Query:
    """The ids of the threads that a member opened and that have a title still."""
    titled = (col(Thread.author_id) == author_id, col(Thread.title) != ERASED_TITLE)
    return query(col(Thread.id)).where(*titled).order_by(col(Thread.id))


async def refuse_stale(session: AsyncSession, thread: Thread, version: int) -> None:
    """Raise Stale, with who changed the thread and when, unless `version` is the one it has."""
    if thread.version == version:
        return
    changer = await session.get(Member, thread.changed_by) if thread.changed_by else None
    raise Stale(
        "This thread was changed while you were looking at it. Read it again.",
        current=thread.version,
        changed_by=changer.name if changer else None,
        changed_at=thread.changed_at,
    )


async def _changed(
    session: AsyncSession,
    thread: Thread,
    viewer: Viewer,
    now: datetime,
    act: str,
    details: audit.Details | None = None,
) -> None:
    thread.version += 1
    thread.changed_at, thread.changed_by = now, viewer.id
    await session.flush()
    if viewer.id != thread.author_id or act != "thread.retitled":
        await audit.record(
            session, actor_id=viewer.id, act=act, subject=("thread", thread.id), now=now, details=details
        )
