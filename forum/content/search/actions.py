"""Search for something, and read what is found: the words stand in a row for an hour, and in no address."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import or_, select
from sqlalchemy.exc import DBAPIError
from sqlmodel import col

from forum.content import boards
from forum.content.boards import Board
from forum.content.search import queries
from forum.content.search.jobs import KEPT_FOR
from forum.content.search.queries import Results
from forum.content.search.tables import QUERY_MAX, Search, Sort
from forum.core.database import Query, query
from forum.core.errors import Invalid, NotFound
from forum.core.rate_limits import network
from forum.core.text import has_seen
from forum.core.work import Work
from forum.members.queries import get_member
from forum.members.tables import Member
from forum.members.viewer import Viewer


@dataclass(frozen=True)
class WantedSearch:
    """What somebody searches for, as they typed it."""

    query: str
    board: str | None = None
    author: str | None = None
    by_advisers: bool = False
    in_titles: bool = False
    since: date | None = None
    until: date | None = None
    sort: Sort = Sort.NEWEST


class SearchView(NamedTuple):
    """What was searched for, with the names of the board and of the author."""

    id: UUID
    query: str
    board_slug: str | None
    board_name: str | None
    author_handle: str | None
    author_name: str | None
    by_advisers: bool
    in_titles: bool
    since: date | None
    until: date | None
    sort: str
    made_at: datetime

    @property
    def expires_at(self) -> datetime:
        """When it is forgotten."""
        return self.made_at + KEPT_FOR


class SearchReading(NamedTuple):
    """What was searched for, a page of what is found, and the boards that can be chosen."""

    search: SearchView
    results: Results
    boards: Sequence[Board]


_VIEW = (
    query(
        col(Search.id),
        col(Search.query),
        col(Board.slug).label("board_slug"),
        col(Board.name).label("board_name"),
        col(Member.handle).label("author_handle"),
        col(Member.name).label("author_name"),
        *(col(getattr(Search, name)) for name in SearchView._fields[6:]),
    )
    .outerjoin(Board, (col(Board.id) == col(Search.board_id)) & boards.READABLE)
    .outerjoin(Member, col(Member.id) == col(Search.author_id))
)


async def search(work: Work, viewer: Viewer, wanted: WantedSearch, address: str) -> SearchView:
    """Keep what somebody searches for, for one hour, under an id that nobody can guess.

    Raises Invalid for words that say nothing, for too many, and for a board or an author who is not there for them.
    """
    await work.count_try(_limit(viewer), "search", viewer.id or network(address))
    _refuse_impossible(wanted)
    board = await _find_board(work, viewer, wanted.board) if wanted.board else None
    author = await _find_author(work, wanted.author) if wanted.author else None
    row = Search(
        id=uuid4(),  # not by its time, as other ids are: whoever has a guest's can read it
        member_id=viewer.id,
        query=wanted.query,
        board_id=board.id if board else None,
        author_id=author.id if author else None,
        by_advisers=wanted.by_advisers,
        in_titles=wanted.in_titles,
        since=wanted.since,
        until=wanted.until,
        sort=wanted.sort,
        made_at=work.now,
    )
    work.session.add(row)
    await work.session.flush()
    return await _view(work, viewer, row.id)


async def read_results(work: Work, viewer: Viewer, search_id: UUID, after: str | None, address: str) -> SearchReading:
    """Return what was searched for, and a page of what it finds at this moment.

    Raises NotFound once it is forgotten, and for somebody else's; Invalid for an unknown cursor; Overloaded after two
    seconds.
    """
    await work.count_try(_limit(viewer), "search-results", viewer.id or network(address))
    queries.refuse_unknown_cursor(after)
    view = await _view(work, viewer, search_id)
    row = (await work.session.execute(select(Search).where(col(Search.id) == search_id))).scalar_one()
    readable = select(Board).where(boards.READABLE).order_by(col(Board.position), col(Board.id))
    choices = (await work.session.execute(readable, viewer.query_parameters)).scalars().all()
    try:
        await queries.begin_bounded(work.session)
        results = await queries.find(work.session, viewer, row, after, work.settings.time_zone)
    except DBAPIError as error:
        raise queries.too_long(error) or error from None
    return SearchReading(view, results, choices)


def select_searches(viewer: Viewer) -> Query:
    """Return a query of what the viewer searched for within the hour: for their copy."""
    return _VIEW.where(col(Search.member_id) == viewer.id).order_by(col(Search.made_at))


def _limit(viewer: Viewer) -> str:
    return "search" if viewer.id else "guest_search"


def _refuse_impossible(wanted: WantedSearch) -> None:
    if not has_seen(wanted.query):
        raise Invalid("Say what you look for.", "#/query", code="blank")
    if len(wanted.query) > QUERY_MAX:
        raise Invalid(f"A search has at most {QUERY_MAX} characters.", "#/query", code="too_long")
    if wanted.since and wanted.until and wanted.since > wanted.until:
        raise Invalid("The first day is after the last.", "#/since", code="days_crossed")


async def _find_board(work: Work, viewer: Viewer, slug: str) -> Board:
    try:
        board: Board = await boards.get_board_in_transaction(work.session, viewer, slug)
    except NotFound as missing:  # the same for one that is hidden
        raise Invalid("There is no such board.", "#/board", code="unknown_board") from missing
    return board


async def _find_author(work: Work, handle: str) -> Member:
    try:
        return await get_member(work.session, handle)
    except NotFound as missing:
        raise Invalid("There is nobody of this name.", "#/author", code="unknown_author") from missing


async def _view(work: Work, viewer: Viewer, search_id: UUID) -> SearchView:
    # A guest's is for whoever has its id: the browser that searched has nothing else that is its own.
    theirs = or_(col(Search.member_id).is_(None), col(Search.member_id) == viewer.id)
    found = _VIEW.where(col(Search.id) == search_id, theirs, col(Search.made_at) > work.now - KEPT_FOR)
    row = (await work.session.execute(found, viewer.query_parameters)).one_or_none()
    if row is None:
        raise NotFound("There is no such search any more. Please search again.", code="search_not_found")
    return SearchView._make(row)
