"""The threads that wait for an adviser, in lanes: what somebody asks, longest wait first, and below it the news."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Boolean, ColumnElement, Text, and_, bindparam, case, func, or_
from sqlalchemy.orm import aliased
from sqlmodel import col

from forum.content.boards import Board
from forum.content.lanes import NEWS_DAYS, Lane
from forum.content.posts.tables import Post, Visibility
from forum.content.search.plain import plain_lines
from forum.content.threads.claims import ThreadClaim, is_running
from forum.content.threads.queries import SELECT_VISIBLE, keyset_pages, read_page
from forum.content.threads.tables import Thread, ThreadState
from forum.content.threads.visibility import THREAD_SHOWN
from forum.core import pagination
from forum.core.database import Moment, Prepared, Reader, query
from forum.core.pagination import Page
from forum.core.settings import Settings
from forum.core.working_time import WorkingCalendar, calendar_of
from forum.members.advisers import Adviser
from forum.members.queries import author_columns, authors, named_columns
from forum.members.tables import Member
from forum.members.viewer import VIEWER_ID, Viewer
from forum.permissions import Act, allow, why_not

COUNTED = 100  # counting stops here: more would tell nobody more
FIRST_WORDS = 200  # characters: enough to choose by


class WaitingLane(StrEnum):
    """A part of the list."""

    ASKED = "asked"
    NEWS = "news"
    MINE = "mine"
    CLAIMED = "claimed"


@dataclass(frozen=True)
class WaitingFilter:
    """Which of the threads that wait are wanted."""

    lane: WaitingLane = WaitingLane.ASKED
    board: str | None = None  # a slug
    organisation: str | None = None  # of the adviser who keeps it or answered last
    late: bool = False  # only those for which the target is over


@dataclass(frozen=True)
class WaitingThread:
    """A thread that waits, with the post that does, and for how long."""

    row: Any
    lane: Lane | None  # None for a thread that is kept and waits no more
    since: datetime | None
    number: int
    working_days: int
    target: int | None  # working days; news has none
    is_mine: bool  # the viewer keeps it

    @property
    def is_late(self) -> bool:
        """Whether it has waited longer than an answer may take."""
        return self.target is not None and self.working_days > self.target

    @property
    def words(self) -> str:
        """How the post that waits begins; empty where a note stands before it."""
        return "" if self.row.waiting_warning else first_words(self.row.waiting_html or "")


_SINCE = {
    WaitingLane.ASKED: col(Thread.asked_since),
    WaitingLane.NEWS: col(Thread.news_since),
    WaitingLane.MINE: col(ThreadClaim.since),
    WaitingLane.CLAIMED: col(ThreadClaim.since),
}
_NUMBER = func.coalesce(col(Thread.asked_number), col(Thread.news_number), 1)  # of the post that waits
_KEYS = {
    WaitingLane.ASKED: "asked_since",
    WaitingLane.NEWS: "news_since",
    WaitingLane.MINE: "kept_since",
    WaitingLane.CLAIMED: "kept_since",
}
_BY_WAITING = TypeAdapter(tuple[pagination.Instant, pagination.Identity])
_BOARD, _ORGANISATION = bindparam("board", type_=Text()), bindparam("organisation", type_=Text())
_ONLY_LATE, _LATE_BEFORE = bindparam("only_late", type_=Boolean()), bindparam("late_before", type_=Moment())
_NEWS_AFTER = bindparam("news_after", type_=Moment())
_NOW = bindparam("now", type_=Moment())
_Answer, _Holder, _HolderBadge, _ASKER = aliased(Post), aliased(Member), aliased(Adviser), authors("asker")
# A thread that somebody keeps may have nothing that waits: then its first post stands there, if readers see it.
_IS_SEEN = col(Post.visibility) == Visibility.VISIBLE
_WAITING_WORDS = {"waiting_warning": col(Post.content_warning), "waiting_html": col(Post.body_html)}
_IS_KEPT = col(ThreadClaim.thread_id).is_not(None)  # the join takes claims that count
_TAKES_ANSWERS = and_(col(Thread.state) == ThreadState.OPEN, THREAD_SHOWN, col(Board.advised))
_IS_IN: dict[WaitingLane, ColumnElement[bool]] = {
    WaitingLane.ASKED: and_(col(Thread.asked_since).is_not(None), ~_IS_KEPT),
    # What asks something is in the other lane.
    WaitingLane.NEWS: and_(col(Thread.news_since) > _NEWS_AFTER, col(Thread.asked_since).is_(None), ~_IS_KEPT),
    WaitingLane.MINE: and_(_IS_KEPT, col(ThreadClaim.member_id) == VIEWER_ID),
    WaitingLane.CLAIMED: _IS_KEPT,
}
_IS_WANTED = and_(
    or_(_BOARD.is_(None), col(Board.slug) == _BOARD),
    or_(
        _ORGANISATION.is_(None),
        col(_Answer.adviser_organisation) == _ORGANISATION,
        and_(_IS_KEPT, col(_HolderBadge.organisation) == _ORGANISATION),
    ),
    or_(~_ONLY_LATE, col(Thread.asked_since) < _LATE_BEFORE),
)


def _pages(lane: WaitingLane) -> tuple[Prepared, Prepared]:
    """Return the statements of a lane's pages: each thread with the post that waits and the last adviser's answer."""
    rows = (
        SELECT_VISIBLE.add_columns(
            *(case((_IS_SEEN, words)).label(name) for name, words in _WAITING_WORDS.items()),
            *author_columns(_ASKER, "asker"),
            *named_columns(_Holder, "holder"),
            col(_Holder.id).label("holder_id"),
            col(_HolderBadge.organisation).label("holder_organisation"),
            *(col(ThreadClaim.since).label("kept_since"), col(ThreadClaim.until).label("kept_until")),
        )
        .outerjoin(ThreadClaim, and_(col(ThreadClaim.thread_id) == col(Thread.id), is_running(_NOW)))
        .outerjoin(_Holder, col(_Holder.id) == col(ThreadClaim.member_id))
        .outerjoin(_HolderBadge, col(_HolderBadge.member_id) == col(ThreadClaim.member_id))
        .outerjoin(Post, and_(col(Post.thread_id) == col(Thread.id), col(Post.number) == _NUMBER))
        .outerjoin(_ASKER, _ASKER.c.id == col(Post.author_id))
        .outerjoin(
            _Answer,
            and_(col(_Answer.thread_id) == col(Thread.id), col(_Answer.number) == col(Thread.latest_adviser_number)),
        )
        .where(_TAKES_ANSWERS, _IS_IN[lane], _IS_WANTED)
    )
    return keyset_pages(rows, (_SINCE[lane], col(Thread.id)), falling=False)


_WAITING = {lane: _pages(lane) for lane in WaitingLane}
_COUNT = Prepared(
    query(func.count().label("waiting")).select_from(
        SELECT_VISIBLE.outerjoin(ThreadClaim, and_(col(ThreadClaim.thread_id) == col(Thread.id), is_running(_NOW)))
        .where(_TAKES_ANSWERS, _IS_IN[WaitingLane.ASKED])
        .order_by(col(Thread.asked_since), col(Thread.id))  # by the index of the lane
        .limit(COUNTED)
        .subquery()
    )
)


async def list_waiting(
    reader: Reader,
    adviser: Viewer,
    wanted: WaitingFilter,
    page: tuple[str | None, int],
    *,
    now: datetime,
    settings: Settings,
) -> Page:
    """Return a page (after a cursor, of so many) of the open threads in a lane, each with the post that waits.

    For advisers, moderators and administrators. Raises Forbidden, and Invalid for an unknown cursor.
    """
    allow(Act.SEE_WAITING_THREADS, adviser)
    after, limit = page
    sort_key = pagination.decode(after, _BY_WAITING) if after is not None else None
    calendar, lane = calendar_of(settings), wanted.lane
    values = {
        "board": wanted.board,
        "organisation": wanted.organisation,
        "only_late": wanted.late,
        "late_before": calendar.late_before(now, settings.answer_days),
        "now": now,
    }
    if lane == WaitingLane.NEWS:
        values["news_after"] = calendar.late_before(now, NEWS_DAYS)
    rows = await read_page(reader, _WAITING[lane], adviser, sort_key, limit=limit + 1, **values)
    found = pagination.page_of(rows, limit, lambda row: (getattr(row, _KEYS[lane]), row.id))
    waiting = [_waiting(row, adviser, calendar, settings.answer_days, now) for row in found.rows]
    return Page(waiting, found.next)


async def count_waiting(reader: Reader, viewer: Viewer, now: datetime) -> int | None:
    """Return how many threads ask something and are kept by nobody, at most `COUNTED`.

    None for those who may not see the list.
    """
    if viewer.id is None or why_not(Act.SEE_WAITING_THREADS, viewer):
        return None
    return int((await reader.row(_COUNT, **viewer.query_parameters, now=now)).waiting)


def first_words(body_html: str) -> str:
    """Return how a post begins, as plain text without what it quotes; each paragraph is a line.

    Lines are kept apart because one can be written from right to left and the next from left to right.
    """
    words = "\n".join(plain_lines(body_html))
    if len(words) <= FIRST_WORDS:
        return words
    return re.sub(r"\s\S*\Z", "", words[:FIRST_WORDS]) + " …"


def _waiting(row: Any, viewer: Viewer, calendar: WorkingCalendar, target: int, now: datetime) -> WaitingThread:
    since, lane, number = row.asked_since or row.news_since, None, 1
    if since:
        lane = Lane.ASKED if row.asked_since else Lane.NEWS
        number = row.asked_number if row.asked_since else row.news_number
    days = calendar.days_between(since, now) if since else 0
    is_mine = row.holder_id is not None and row.holder_id == viewer.id
    return WaitingThread(row, lane, since, number, days, target if row.asked_since else None, is_mine)
