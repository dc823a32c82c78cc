"""The threads that wait for an adviser, in lanes: what somebody asks, longest wait first, and below it the news."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from markupsafe import Markup
from pydantic import TypeAdapter
from sqlalchemy import Boolean, ColumnElement, Text, and_, bindparam, func, or_
from sqlalchemy.orm import aliased
from sqlmodel import col

from forum.content.boards import Board
from forum.content.lanes import NEWS_DAYS
from forum.content.posts.tables import Post
from forum.content.threads.queries import SELECT_VISIBLE, keyset_pages, read_page
from forum.content.threads.tables import Thread, ThreadState
from forum.content.threads.visibility import THREAD_SHOWN
from forum.core import pagination
from forum.core.database import Moment, Prepared, Reader, query
from forum.core.pagination import Page
from forum.core.settings import Settings
from forum.core.working_time import calendar_of
from forum.members.queries import author_columns, authors
from forum.members.viewer import Viewer
from forum.permissions import Act, allow, why_not

COUNTED = 100  # counting stops here: more would tell nobody more
FIRST_WORDS = 200  # characters: enough to choose by
_QUOTE = re.compile(r"<blockquote>(?:(?!<blockquote>).)*?</blockquote>", re.DOTALL)  # an innermost one


class WaitingLane(StrEnum):
    """A part of the list."""

    ASKED = "asked"
    NEWS = "news"


@dataclass(frozen=True)
class WaitingFilter:
    """Which of the threads that wait are wanted."""

    lane: WaitingLane = WaitingLane.ASKED
    board: str | None = None  # a slug
    organisation: str | None = None  # of the adviser who answered last
    late: bool = False  # only those for which the target is over


@dataclass(frozen=True)
class WaitingThread:
    """A thread that waits, with the post that does, and for how long."""

    row: Any
    since: datetime
    number: int
    working_days: int
    target: int | None  # working days; news has none

    @property
    def is_late(self) -> bool:
        """Whether it has waited longer than an answer may take."""
        return self.target is not None and self.working_days > self.target

    @property
    def words(self) -> str:
        """How the post that waits begins; empty where a note stands before it."""
        return "" if self.row.waiting_warning else first_words(self.row.waiting_html or "")


_SINCE = {WaitingLane.ASKED: col(Thread.asked_since), WaitingLane.NEWS: col(Thread.news_since)}
_NUMBERS = {WaitingLane.ASKED: col(Thread.asked_number), WaitingLane.NEWS: col(Thread.news_number)}
_BY_WAITING = TypeAdapter(tuple[pagination.Instant, pagination.Identity])
_BOARD, _ORGANISATION = bindparam("board", type_=Text()), bindparam("organisation", type_=Text())
_ONLY_LATE, _LATE_BEFORE = bindparam("only_late", type_=Boolean()), bindparam("late_before", type_=Moment())
_NEWS_AFTER = bindparam("news_after", type_=Moment())
_Answer, _ASKER = aliased(Post), authors("asker")
_TAKES_ANSWERS = and_(col(Thread.state) == ThreadState.OPEN, THREAD_SHOWN, col(Board.advised))
_IS_IN: dict[WaitingLane, ColumnElement[bool]] = {
    WaitingLane.ASKED: col(Thread.asked_since).is_not(None),
    # What asks something is in the other lane.
    WaitingLane.NEWS: and_(col(Thread.news_since) > _NEWS_AFTER, col(Thread.asked_since).is_(None)),
}
_IS_WANTED = and_(
    or_(_BOARD.is_(None), col(Board.slug) == _BOARD),
    or_(_ORGANISATION.is_(None), col(_Answer.adviser_organisation) == _ORGANISATION),
    or_(~_ONLY_LATE, col(Thread.asked_since) < _LATE_BEFORE),
)


def _pages(lane: WaitingLane) -> tuple[Prepared, Prepared]:
    """Return the statements of a lane's pages: each thread with the post that waits and the last adviser's answer."""
    rows = (
        SELECT_VISIBLE.add_columns(
            col(Post.content_warning).label("waiting_warning"),
            col(Post.body_html).label("waiting_html"),
            *author_columns(_ASKER, "asker"),
        )
        .outerjoin(Post, and_(col(Post.thread_id) == col(Thread.id), col(Post.number) == _NUMBERS[lane]))
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
        SELECT_VISIBLE.where(_TAKES_ANSWERS, _IS_IN[WaitingLane.ASKED]).limit(COUNTED).subquery()
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
    }
    if lane == WaitingLane.NEWS:
        values["news_after"] = calendar.late_before(now, NEWS_DAYS)
    rows = await read_page(reader, _WAITING[lane], adviser, sort_key, limit=limit + 1, **values)
    found = pagination.page_of(rows, limit, lambda row: (_since(row, lane), row.id))
    target = settings.answer_days if lane == WaitingLane.ASKED else None
    waiting = [
        WaitingThread(
            row,
            _since(row, lane),
            row.asked_number if lane == WaitingLane.ASKED else row.news_number,
            calendar.days_between(_since(row, lane), now),
            target,
        )
        for row in found.rows
    ]
    return Page(waiting, found.next)


async def count_waiting(reader: Reader, viewer: Viewer) -> int | None:
    """Return how many threads ask something, at most `COUNTED`; None for those who may not see the list."""
    if viewer.id is None or why_not(Act.SEE_WAITING_THREADS, viewer):
        return None
    return int((await reader.row(_COUNT, **viewer.query_parameters)).waiting)


def first_words(body_html: str) -> str:
    """Return how a post begins, as plain text without what it quotes."""
    before, without = "", body_html
    while before != without:  # quotes stand in quotes
        before, without = without, _QUOTE.sub(" ", without)
    words = Markup(without.replace("<", " <")).striptags()  # noqa: S704 - only its text is kept
    if len(words) <= FIRST_WORDS:
        return words
    return words[:FIRST_WORDS].rpartition(" ")[0] + " …"


def _since(row: Any, lane: WaitingLane) -> datetime:
    since: datetime = row.asked_since if lane == WaitingLane.ASKED else row.news_since
    return since
