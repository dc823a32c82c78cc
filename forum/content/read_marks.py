"""Where members stopped reading: a mark for each member and thread. Marks are for oneself; nobody sees another's.

A thread is unread when somebody else wrote in it behind the mark, or when a post before the mark appeared since, which
a moderator had to read first. Nothing that was there when a member joined, or said "mark all as read", is unread.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ColumnElement,
    Integer,
    Text,
    and_,
    any_,
    bindparam,
    case,
    delete,
    exists,
    false,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    union,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import Field, SQLModel, col

from forum.content import subscriptions
from forum.content.boards import READABLE, Board
from forum.content.ignored import ignores
from forum.content.posts.tables import Post, Visibility, Voice
from forum.content.threads.queries import (
    SELECT_VISIBLE,
    get_thread,
    get_thread_in_transaction,
    is_beyond,
    keyset_pages,
    read_page,
    select_pages,
)
from forum.content.threads.tables import Thread
from forum.content.threads.visibility import THREAD_LISTED, THREAD_VISIBLE
from forum.core import pagination
from forum.core.database import Moment, Prepared, Query, Reader, query
from forum.core.errors import Invalid
from forum.core.pagination import Page
from forum.core.work import Work
from forum.members.tables import Member
from forum.members.viewer import VIEWER_ID, VIEWER_PERSONAS, Viewer

KEPT = timedelta(days=180)  # older marks go, and what is older is read


class ReadMark(SQLModel, table=True):
    """The highest number that a member has read in a thread, and when."""

    __tablename__ = "read_mark"
    __table_args__ = (CheckConstraint("read_number >= 0", name="number"), {"postgresql_with": {"fillfactor": 80}})

    member_id: UUID = Field(primary_key=True, foreign_key="member.id", ondelete="CASCADE")
    thread_id: int = Field(primary_key=True, sa_type=BigInteger, foreign_key="thread.id")
    read_number: int
    read_at: datetime = Field(sa_type=Moment)


class ThreadsOf(StrEnum):
    """Which threads a member asks for."""

    OPENED = "opened"
    WRITTEN = "written"
    FOLLOWED = "followed"
    UNREAD = "unread"


_Marked = aliased(ReadMark)

# Predicates, for statements that join ReadMark as below

_MARK = and_(col(ReadMark.member_id) == VIEWER_ID, col(ReadMark.thread_id) == col(Thread.id))
_READ_NUMBER = func.coalesce(col(ReadMark.read_number), 0)
_CAUGHT_UP_AT = select(col(Member.caught_up_at)).where(col(Member.id) == VIEWER_ID).scalar_subquery()
_READ_AT = func.greatest(_CAUGHT_UP_AT, func.coalesce(col(ReadMark.read_at), _CAUGHT_UP_AT))

_BY_OTHERS = not_(col(Post.author_id) == any_(VIEWER_PERSONAS))
_SHOWN_POST = (col(Post.visibility) == Visibility.VISIBLE, _BY_OTHERS)
# A post before the mark that a moderator published since.
_APPEARED = (
    exists()
    .where(col(Post.thread_id) == col(Thread.id), *_SHOWN_POST, col(Post.published_at) > _READ_AT)
    .correlate(Thread, ReadMark)
)
# A mark that was made since the member was caught up counts alone: whoever reads an old thread stops there, too.
_MARK_COUNTS = func.coalesce(col(ReadMark.read_at) >= _CAUGHT_UP_AT, false())
_WRITTEN_SINCE = and_(
    or_(_MARK_COUNTS, col(Thread.last_post_at) > _CAUGHT_UP_AT),
    col(Thread.last_post_number) > _READ_NUMBER,
    not_(col(Thread.last_post_by) == any_(VIEWER_PERSONAS)),
)
# Of a thread whose posts all wait or are gone, the first is neither true nor false.
UNREAD = func.coalesce(or_(_WRITTEN_SINCE, _APPEARED), false())

# Queries

_MARKED = SELECT_VISIBLE.outerjoin(ReadMark, _MARK).add_columns(
    _READ_NUMBER.label("read_number"), UNREAD.label("is_unread")
)
_LISTED = _MARKED.where(THREAD_LISTED)
_NEWEST_KEY = (col(Thread.last_post_at), col(Thread.id))
_BY_NEWEST = TypeAdapter(tuple[pagination.Instant, pagination.Identity])
# As an array: of a subquery, PostgreSQL takes it that going along all threads finds a page of them soon.
_WROTE_IN = func.array(
    select(col(Post.thread_id)).where(col(Post.author_id) == any_(VIEWER_PERSONAS)).distinct().scalar_subquery()
)
_SLUG = bindparam("slug", type_=Text())
# Of all boards, or of one: where no board is named, the parameter is null.
_ON_BOARD = or_(_SLUG.is_(None), col(Board.slug) == _SLUG)

_NEWEST = keyset_pages(_LISTED.where(_ON_BOARD), _NEWEST_KEY, falling=True)
# Where to look for what is unread: among threads with posts since the member was caught up, along an index and no
# further than a page is long; among those that they marked since, and those in which a post appeared since, which are
# few. Asked for all of it at once, PostgreSQL looks at every thread.
_SOUGHT = (
    query(col(Thread.id), col(Thread.board_id), col(Thread.last_post_at))
    .join(Board, col(Board.id) == col(Thread.board_id))
    .outerjoin(ReadMark, _MARK)
    .where(THREAD_VISIBLE, THREAD_LISTED)
)
_SINCE_CAUGHT_UP = (col(Thread.last_post_at) > _CAUGHT_UP_AT, _WRITTEN_SINCE)
_MARKED_SINCE = select(col(_Marked.thread_id)).where(
    col(_Marked.member_id) == VIEWER_ID, col(_Marked.read_at) >= _CAUGHT_UP_AT
)
# Without `IS NOT NULL`, PostgreSQL takes them for a third of all posts.
_APPEARED_SINCE = select(col(Post.thread_id)).where(
    col(Post.published_at).is_not(None), col(Post.published_at) > _CAUGHT_UP_AT
)
_FEW = (
    _SOUGHT.where(col(Thread.id).in_(_MARKED_SINCE), _WRITTEN_SINCE),
    _SOUGHT.where(col(Thread.id).in_(_APPEARED_SINCE), _APPEARED),
)
LONGEST_PAGE = 100


def _unread_pages() -> tuple[Prepared, Prepared]:
    """Return the statements of the first page of unread threads and of the page after a given row."""
    # A number and no parameter: with one, PostgreSQL does not know how soon it may stop.
    longest: ColumnElement[int] = literal_column(str(LONGEST_PAGE + 1))
    many = select_pages(_SOUGHT.where(_ON_BOARD, *_SINCE_CAUGHT_UP), _NEWEST_KEY, falling=True, limit=longest)
    few = [look.where(_ON_BOARD) for look in _FEW]
    beyond = [look.where(is_beyond(_NEWEST_KEY, falling=True)) for look in few]

    def within(looks: Sequence[Query]) -> Prepared:
        places = [look.subquery().c for look in looks]
        newest = union(*(select(place.last_post_at, place.id) for place in places)).subquery()
        # Names and boards are read for one page alone, not for all that was found.
        page = select(newest.c.id).order_by(newest.c.last_post_at.desc(), newest.c.id.desc())
        chosen = page.limit(bindparam("limit", type_=Integer()))
        return Prepared(_MARKED.where(col(Thread.id).in_(chosen)).order_by(*(column.desc() for column in _NEWEST_KEY)))

    return within([many[0], *few]), within([many[1], *beyond])


_UNREAD = _unread_pages()
_OPENED = keyset_pages(_MARKED.where(col(Thread.author_id) == any_(VIEWER_PERSONAS)), _NEWEST_KEY, falling=True)
_WRITTEN = keyset_pages(_MARKED.where(col(Thread.id) == any_(_WROTE_IN)), _NEWEST_KEY, falling=True)
_FOLLOWED = keyset_pages(_MARKED.where(col(Thread.id).in_(subscriptions.FOLLOWED)), _NEWEST_KEY, falling=True)
_OF_MEMBER = {
    ThreadsOf.OPENED: _OPENED,
    ThreadsOf.WRITTEN: _WRITTEN,
    ThreadsOf.FOLLOWED: _FOLLOWED,
    ThreadsOf.UNREAD: _UNREAD,
}

_THREAD_ID = bindparam("thread_id", type_=BigInteger())
_FIRST, _LAST = bindparam("first", type_=Integer()), bindparam("last", type_=Integer())


def _first_number(*conditions: ColumnElement[bool]) -> ColumnElement[int]:
    found = select(func.min(Post.number)).where(col(Post.thread_id) == col(Thread.id), *_SHOWN_POST, *conditions)
    return found.correlate(Thread, ReadMark).scalar_subquery()


# Two looks, each along an index: for either condition at once, PostgreSQL reads the thread from its first post.
_UNREAD_FROM = func.least(
    _first_number(
        col(Post.number) > _READ_NUMBER,
        or_(_MARK_COUNTS, func.coalesce(Post.published_at, Post.created_at) > _CAUGHT_UP_AT),
    ),
    _first_number(col(Post.published_at) > _READ_AT),
)
_OWN_NUMBERS = (
    select(func.array_agg(Post.number))
    .where(
        col(Post.thread_id) == col(Thread.id),
        col(Post.author_id) == any_(VIEWER_PERSONAS),
        col(Post.number).between(_FIRST, _LAST),
    )
    .correlate(Thread)
    .scalar_subquery()
)
# Of visible posts only: nobody learns from it who wrote what was removed or waits.
_IGNORED_NUMBERS = (
    select(func.array_agg(Post.number))
    .where(
        col(Post.thread_id) == col(Thread.id),
        col(Post.visibility) == Visibility.VISIBLE,
        col(Post.voice) != Voice.ADVISER,
        ignores(VIEWER_ID, col(Post.author_id)),
        col(Post.number).between(_FIRST, _LAST),
    )
    .correlate(Thread)
    .scalar_subquery()
)
_MINE = Prepared(
    query(
        col(Thread.id),
        col(ReadMark.read_number),
        _UNREAD_FROM.label("unread_from"),
        _OWN_NUMBERS.label("own"),
        subscriptions.THREAD_MODE.label("subscription"),
        subscriptions.IS_TOLD.label("is_told"),
        _IGNORED_NUMBERS.label("ignored"),
    )
    .select_from(Thread)
    .outerjoin(ReadMark, _MARK)
    .where(col(Thread.id) == _THREAD_ID)
)

_MARKS = Prepared(
    query(
        col(Thread.id).label("thread_id"),
        _READ_NUMBER.label("read_number"),
        UNREAD.label("is_unread"),
        case((UNREAD, _UNREAD_FROM)).label("unread_from"),
    )
    .select_from(Thread)
    .join(Board, col(Board.id) == col(Thread.board_id))
    .outerjoin(ReadMark, _MARK)
    .where(THREAD_VISIBLE, col(Thread.id) == any_(bindparam("thread_ids", type_=ARRAY(BigInteger()))))
    .order_by(col(Thread.id))
)


def _newest_news(*conditions: Any) -> ColumnElement[Any]:
    """Return the newest unread thread of a board: with an order, PostgreSQL goes along the index until it finds one."""
    found = (
        select(col(Thread.id))
        .select_from(Thread)
        .outerjoin(ReadMark, _MARK)
        .where(col(Thread.board_id) == col(Board.id), THREAD_LISTED, *_SINCE_CAUGHT_UP, *conditions)
        .order_by(col(Thread.last_post_at).desc())
        .limit(literal_column("1"))
    )
    return found.correlate(Board).scalar_subquery()


# Boards with something unread, by their ids.
_BOARDS_WITH_NEWS = Prepared(
    query(col(Board.id).label("board_id")).where(
        READABLE,
        or_(
            _newest_news(~col(Thread.pinned)).is_not(None),
            _newest_news(col(Thread.pinned)).is_not(None),
            col(Board.id).in_(union_all(*(select(look.subquery().c.board_id) for look in _FEW))),
        ),
    )
)

# The viewer's own marks, for their copy.
MARKS_OF = Prepared(
    query(col(ReadMark.thread_id), col(ReadMark.read_number), col(ReadMark.read_at))
    .where(col(ReadMark.member_id) == VIEWER_ID)
    .order_by(col(ReadMark.thread_id))
)


class OwnPlace(NamedTuple):
    """What a thread is for a member: how far they read it, which posts are theirs, what they want to hear of it."""

    read_number: int | None
    unread_from: int | None  # the first unread number
    own: Sequence[int] = ()
    ignored: Sequence[int] = ()  # the numbers of posts by people whom they ignore
    subscription: str | None = None
    is_told: bool = False  # of each new post, by this subscription or that of the board


NOTHING_READ = OwnPlace(None, None)


async def get_own_place(reader: Reader, viewer: Viewer, thread_id: int, first: int, last: int) -> OwnPlace:
    """Return what a thread that the viewer sees is for them, and what its posts `first` to `last` are for them."""
    if viewer.id is None:
        return NOTHING_READ
    place = {"thread_id": thread_id, "first": first, "last": last}
    row = await reader.row(_MINE, **viewer.query_parameters, **place)
    if row is None:
        return NOTHING_READ
    own, ignored = sorted(row.own or ()), sorted(row.ignored or ())
    return OwnPlace(row.read_number, row.unread_from, own, ignored, row.subscription, is_told=row.is_told)


async def find_unread(reader: Reader, viewer: Viewer, thread_id: int) -> int | None:
    """Return the first number that the viewer has not read, or None. Raises NotFound."""
    await get_thread(reader, viewer, thread_id)
    return (await get_own_place(reader, viewer, thread_id, 0, 0)).unread_from


async def list_marks(reader: Reader, viewer: Viewer, thread_ids: Sequence[int]) -> Sequence[Any]:
    """Return how far the viewer has read each of these threads, in the order of their ids.

    Threads that they do not see are left out. A guest has no marks.
    """
    if viewer.id is None or not thread_ids:
        return ()
    return await reader.rows(_MARKS, **viewer.query_parameters, thread_ids=list(thread_ids))


async def list_own_threads(reader: Reader, viewer: Viewer, kind: ThreadsOf, after: str | None, limit: int) -> Page:
    """Return a page of the viewer's threads of one kind, those with the newest posts first.

    Raises Invalid for an unknown cursor.
    """
    return await _list(reader, viewer, _OF_MEMBER[kind], after, limit, slug=None)


async def list_newest(
    reader: Reader, viewer: Viewer, after: str | None, limit: int, *, slug: str | None = None, unread: bool = False
) -> Page:
    """Return a page of threads across all boards or on one, those with the newest posts first; or of the unread ones.

    A guest has read everything. Raises Invalid for an unknown cursor.
    """
    return await _list(reader, viewer, _UNREAD if unread else _NEWEST, after, limit, slug=slug)


async def list_boards_with_news(reader: Reader, viewer: Viewer) -> frozenset[int]:
    """Return the ids of the boards on which something is unread for the viewer; a guest has read everything."""
    if viewer.id is None:
        return frozenset()
    rows = await reader.rows(_BOARDS_WITH_NEWS, **viewer.query_parameters)
    return frozenset(row.board_id for row in rows)


async def _list(
    reader: Reader,
    viewer: Viewer,
    pages: tuple[Prepared, Prepared],
    after: str | None,
    limit: int,
    *,
    slug: str | None,
) -> Page:
    sort_key = pagination.decode(after, _BY_NEWEST) if after is not None else None
    rows = await read_page(reader, pages, viewer, sort_key, slug=slug, limit=limit + 1)
    return pagination.page_of(rows, limit, lambda row: (row.last_post_at, row.id))


# Actions


async def mark_read(work: Work, viewer: Viewer, thread_id: int, number: int, *, back: bool = False) -> None:
    """Remember up to which number the viewer has read a thread. A smaller number than is known changes nothing.

    With `back`, the mark goes back to the number: "unread from here". Idempotent. It may be lost when the server loses
    its power in the next second: nobody waits for the disk because of it.

    Raises NotFound, and Invalid for a number that the thread has not reached.
    """
    thread = await get_thread_in_transaction(work.session, viewer, thread_id)
    if number > thread.last_number:
        detail = f"The thread has {thread.last_number} posts."
        raise Invalid(detail, "#/number", code="number_not_reached")
    await work.session.execute(select(func.set_config("synchronous_commit", "off", True)))
    marked = insert(ReadMark).values(
        member_id=viewer.member_id, thread_id=thread_id, read_number=number, read_at=work.now
    )
    wanted = marked.excluded
    is_new = literal(back) | (wanted.read_number >= col(ReadMark.read_number))
    await work.session.execute(
        marked.on_conflict_do_update(
            index_elements=[col(ReadMark.member_id), col(ReadMark.thread_id)],
            set_={"read_number": wanted.read_number, "read_at": wanted.read_at},
            where=is_new,
        )
    )


async def mark_all_read(work: Work, viewer: Viewer) -> None:
    """Have the viewer read everything that there is by now. Idempotent."""
    await work.session.execute(
        update(Member)
        .where(col(Member.id) == viewer.member_id, col(Member.caught_up_at) < work.now)
        .values(caught_up_at=work.now)
    )


async def delete_old_marks(session: AsyncSession, now: datetime) -> None:
    """Delete the marks that are older than `KEPT`; what is older counts as read from then on."""
    then = now - KEPT
    await session.execute(update(Member).where(col(Member.caught_up_at) < then).values(caught_up_at=then))
    await session.execute(delete(ReadMark).where(col(ReadMark.read_at) < then))
