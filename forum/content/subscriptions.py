"""Which threads and boards members follow, and of which they want to hear nothing. Nobody sees another's.

Who follows a thread is told of each new post in it; who follows a board, of each new post in all its threads. A row
about a thread counts before one about its board. Without a row, one is told only of what is meant for oneself: an
answer, a mention, a quote; with `off` on the thread, of nothing at all. `off` on a board is what no row is: whoever
stops following it does not mean to miss an answer.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    Identity,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    and_,
    bindparam,
    case,
    delete,
    func,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Field, SQLModel, col

from forum.content import boards
from forum.content.boards import Board
from forum.content.threads.queries import get_thread_in_transaction, keyset_pages, read_page
from forum.content.threads.tables import Thread
from forum.content.threads.visibility import THREAD_VISIBLE
from forum.core import pagination
from forum.core.database import Moment, Prepared, Reader, check_one_of, query
from forum.core.errors import Invalid
from forum.core.pagination import Page
from forum.core.work import Work
from forum.members.queries import lock_own_row
from forum.members.viewer import VIEWER_ID, Viewer
from forum.permissions import Act, allow

MOST = 2000  # that one member chose: each is looked at with each new post


class Mode(StrEnum):
    """What a member wants to hear. In the app, `each` and `digest` are the same; they differ in mails alone."""

    EACH = "each"
    DIGEST = "digest"  # of the letters only the daily one counts it
    OFF = "off"


class ChosenBy(StrEnum):
    """How somebody came to follow: by the switch, or by writing in the thread."""

    SELF = "self"
    REPLY = "reply"


class Subscription(SQLModel, table=True):
    """What a member wants to hear of one thread or board."""

    __table_args__ = (
        CheckConstraint("num_nonnulls(thread_id, board_id) = 1", name="place"),
        check_one_of("mode", Mode),
        check_one_of("chosen_by", ChosenBy),
        # The place first: whoever follows it is looked for with each post.
        UniqueConstraint("thread_id", "member_id"),
        UniqueConstraint("board_id", "member_id"),
        Index("ix_subscription_page", "member_id", "id"),
    )

    id: int = Field(default=None, primary_key=True, sa_type=BigInteger, sa_column_args=[Identity(always=True)])
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE")
    thread_id: int | None = Field(default=None, sa_type=BigInteger, foreign_key="thread.id")
    board_id: int | None = Field(default=None, foreign_key="board.id")
    mode: str
    chosen_by: str
    since: datetime = Field(sa_type=Moment)


# Queries


def _mode(place: Any, of: Any, table: Any) -> ColumnElement[Any]:
    found = select(col(Subscription.mode)).where(col(Subscription.member_id) == VIEWER_ID, place == of)
    return found.correlate(table).scalar_subquery()


# For statements of Thread: the viewer's mode, null without a row; and whether they are told of each new post.
THREAD_MODE = _mode(col(Subscription.thread_id), col(Thread.id), Thread)
IS_TOLD = func.coalesce(THREAD_MODE, _mode(col(Subscription.board_id), col(Thread.board_id), Thread), "off") != Mode.OFF

# The threads that the viewer follows themselves; those of a board that they follow are not among them.
FOLLOWED = select(col(Subscription.thread_id)).where(
    col(Subscription.member_id) == VIEWER_ID,
    col(Subscription.thread_id).is_not(None),
    col(Subscription.mode) != Mode.OFF,
)

_SLUG, _THREAD_ID = bindparam("slug", type_=Text()), bindparam("thread_id", type_=BigInteger())
_OWN = (
    query(
        col(Subscription.id),
        col(Subscription.mode),
        col(Subscription.chosen_by),
        col(Subscription.since),
        col(Thread.id).label("thread_id"),
        col(Thread.title).label("thread_title"),
        col(Board.slug).label("board_slug"),
        col(Board.name).label("board_name"),
    )
    .outerjoin(Thread, col(Thread.id) == col(Subscription.thread_id))
    .join(Board, col(Board.id) == func.coalesce(col(Thread.board_id), col(Subscription.board_id)))
    .where(col(Subscription.member_id) == VIEWER_ID)
)
# What the viewer can no longer see is not listed, and comes back with its place.
_LISTED = keyset_pages(
    _OWN.where(boards.READABLE, or_(col(Subscription.thread_id).is_(None), THREAD_VISIBLE)),
    (col(Subscription.id),),
    falling=True,
)
_BY_ID = TypeAdapter(tuple[pagination.Identity])
_MODE_OF_BOARD = Prepared(
    select(col(Subscription.mode)).where(
        col(Subscription.member_id) == VIEWER_ID, col(Subscription.board_id) == bindparam("board_id", type_=Integer())
    )
)

# All that the viewer follows, for their copy; a place that they can no longer see without its title.
SUBSCRIPTIONS_OF = Prepared(
    _OWN.with_only_columns(
        col(Subscription.thread_id),
        case((THREAD_VISIBLE, col(Thread.title))).label("thread_title"),
        case((boards.READABLE, col(Board.slug))).label("board"),
        col(Subscription.mode),
        col(Subscription.chosen_by),
        col(Subscription.since),
    ).order_by(col(Subscription.id))
)


async def list_subscriptions(reader: Reader, viewer: Viewer, after: str | None, limit: int) -> Page:
    """Return a page of what the viewer follows or hears nothing of, the newest first. Raises Invalid for a cursor."""
    place = pagination.decode(after, _BY_ID) if after is not None else None
    rows = await read_page(reader, _LISTED, viewer, place, limit=limit + 1)
    return pagination.page_of(rows, limit, lambda row: (row.id,))


async def get_board_mode(reader: Reader, viewer: Viewer, board_id: int) -> Mode | None:
    """Return what the viewer wants to hear of a board that they see, or None where they never said."""
    row = await reader.row(_MODE_OF_BOARD, **viewer.query_parameters, board_id=board_id)
    return Mode(row.mode) if row else None


async def find_board_mode(reader: Reader, viewer: Viewer, slug: str) -> Mode | None:
    """Return what the viewer wants to hear of a board, or None where they never said. Raises NotFound."""
    return await get_board_mode(reader, viewer, (await boards.get_board(reader, viewer, slug)).id)


# Actions


async def follow_thread(work: Work, viewer: Viewer, thread_id: int, mode: Mode) -> None:
    """Have the viewer hear this much of a thread from now on. Idempotent.

    Raises NotFound, Forbidden, and Invalid for one more than `MOST`.
    """
    allow(Act.FOLLOW, viewer)
    thread = await get_thread_in_transaction(work.session, viewer, thread_id)
    await _choose(work, viewer, mode, col(Subscription.thread_id) == thread.id, thread_id=thread.id)


async def follow_board(work: Work, viewer: Viewer, slug: str, mode: Mode) -> None:
    """Have the viewer hear this much of a board from now on. Idempotent. Raises as `follow_thread` does."""
    allow(Act.FOLLOW, viewer)
    board = await boards.get_board_in_transaction(work.session, viewer, slug)
    await _choose(work, viewer, mode, col(Subscription.board_id) == board.id, board_id=board.id)


async def forget_thread(work: Work, viewer: Viewer, thread_id: int) -> None:
    """Delete what the viewer said about a thread, also where they can no longer see it. Idempotent."""
    await _forget(work, viewer, col(Subscription.thread_id) == thread_id)


async def forget_board(work: Work, viewer: Viewer, slug: str) -> None:
    """Delete what the viewer said about a board, also where they can no longer see it. Idempotent."""
    named = select(col(Board.id)).where(col(Board.slug) == slug).scalar_subquery()
    await _forget(work, viewer, col(Subscription.board_id) == named)


async def _choose(work: Work, viewer: Viewer, mode: Mode, is_place: ColumnElement[bool], **place: int) -> None:
    await _refuse_too_many(work, viewer, is_place)
    chosen = insert(Subscription).values(
        member_id=viewer.member_id, mode=mode, chosen_by=ChosenBy.SELF, since=work.now, **place
    )
    await work.session.execute(
        chosen.on_conflict_do_update(
            index_elements=[*place, "member_id"],
            set_={
                "mode": chosen.excluded.mode,
                "chosen_by": chosen.excluded.chosen_by,
                # Who follows already has followed all the time: a post that appeared before is told of.
                "since": case(
                    (col(Subscription.mode) == Mode.OFF, chosen.excluded.since), else_=col(Subscription.since)
                ),
            },
            where=col(Subscription.mode) != mode,
        )
    )


async def _refuse_too_many(work: Work, viewer: Viewer, is_place: ColumnElement[bool]) -> None:
    """Raise Invalid for one more than `MOST`. What came by writing does not count: writing is limited by itself."""
    await lock_own_row(work.session, viewer)  # of two at once, the second counts the first
    own = query(
        func.count().filter(col(Subscription.chosen_by) == ChosenBy.SELF).label("chosen"),
        func.count().filter(is_place).label("here"),
    ).where(col(Subscription.member_id) == viewer.member_id)
    row = (await work.session.execute(own)).one()
    if row.chosen >= MOST and not row.here:
        detail = f"You chose for {MOST:,} threads and boards what you are told. Please take one off the list first."
        raise Invalid(detail, "#", code="too_many_subscriptions")


async def _forget(work: Work, viewer: Viewer, is_place: ColumnElement[bool]) -> None:
    await work.session.execute(
        delete(Subscription).where(and_(col(Subscription.member_id) == viewer.member_id, is_place))
    )
