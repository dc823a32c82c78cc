"""The queue: which cases a moderator sees, worst first, and who is working on each."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, TypeAdapter
from sqlalchemy import ColumnElement, Integer, Text, Uuid, and_, bindparam, exists, func, literal, or_, tuple_
from sqlalchemy import case as case_when
from sqlalchemy.orm import aliased
from sqlmodel import col

from forum.content import boards
from forum.content.boards import Board
from forum.content.posts.tables import HeldEdit, HeldState, Post, Visibility
from forum.content.threads.tables import Thread
from forum.core import pagination
from forum.core.database import Moment, Query, Record, columns, query
from forum.core.errors import NotFound
from forum.core.pagination import Page
from forum.core.work import Work
from forum.members.queries import named_columns
from forum.members.tables import Member, Role
from forum.members.viewer import VIEWER_ID, Viewer
from moderation import own_safety
from moderation.case_deciders import NOW, is_for_another, list_visible
from moderation.case_priority import Category
from moderation.cases import Case, CaseClaim, CaseKind, CasePost, CaseState, with_board_of_case
from moderation.permissions import ModerationAct, allow, refusal

# What a cursor holds: the sort key of the last row of the page before, in the queue and among decided cases.
_Priority = Annotated[int, Field(ge=-(2**31), lt=2**31)]  # as its column
BY_PRIORITY = TypeAdapter(tuple[_Priority, pagination.Instant, UUID])
BY_DECISION = TypeAdapter(tuple[pagination.Instant, UUID])
EXCERPT = 200  # characters: enough to tell an advert from a threat

_Held = aliased(Post, name="held")
_Author, _Claimant = aliased(Member, name="author"), aliased(Member, name="claimant")

# Every case, with the post's place and who is working on each. Each select of them is built once, with parameters:
# building one takes longer than all the rest of a request.
ALL_CASES = (
    with_board_of_case(
        query(
            *columns(Case),
            col(Thread.id).label("thread_id"),
            col(Thread.title).label("thread_title"),
            case_when((col(Post.number) == 1, col(Thread.title_revision))).label("title_revision"),
            col(Post.number).label("post_number"),
            col(Post.revision).label("post_revision"),
            case_when((col(Post.visibility) != Visibility.WITHDRAWN, func.left(Post.body_markdown, EXCERPT))).label(
                "excerpt"
            ),
            col(Board.id).label("board_id"),
            col(Board.slug).label("board_slug"),
            col(Board.name).label("board_name"),
            col(_Author.id).label("author_id"),
            *named_columns(_Author, "author"),
            *named_columns(_Claimant, "claimant"),
            col(CaseClaim.until).label("claimed_until"),
        )
    )
    .join(_Author, col(_Author.id) == col(Case.subject_persona_id))
    .outerjoin(CaseClaim, and_(col(CaseClaim.case_id) == col(Case.id), col(CaseClaim.until) > NOW))
    .outerjoin(_Claimant, col(_Claimant.id) == col(CaseClaim.moderator_id))
)


def _is(state: CaseState) -> ColumnElement[bool]:
    # State and limit are literals: with parameters in their place, PostgreSQL plans anew for each request, because a
    # plan for any state cannot use an index of one, nor a plan for any limit know how soon it may stop.
    return col(Case.state) == literal(state.value, literal_execute=True)


_BY_PRIORITY = (col(Case.priority), col(Case.due_at), col(Case.id))
_BY_DECISION = (col(Case.decided_at), col(Case.id))
_BY_AGE = (col(Case.opened_at), col(Case.id))
_LIMIT = bindparam("limit", type_=Integer(), literal_execute=True)
_PRIORITY, _MOMENT = bindparam("last_priority", type_=Integer()), bindparam("last_moment", type_=Moment())
_LAST_ID = bindparam("last_id", type_=Uuid())

# Open cases, worst first, then by when they are due.
OPEN_CASES = ALL_CASES.where(_is(CaseState.OPEN)).order_by(*_BY_PRIORITY).limit(_LIMIT)
# Decided cases, the newest decision first.
_DECIDED = ALL_CASES.where(_is(CaseState.DECIDED)).order_by(*(key.desc() for key in _BY_DECISION)).limit(_LIMIT)
# What was written and waits for a moderator, the oldest first: the list of a morning.
_WAITING = ALL_CASES.where(_is(CaseState.OPEN)).order_by(*_BY_AGE).limit(_LIMIT)
_PAGES = {CaseState.OPEN: OPEN_CASES, CaseState.DECIDED: _DECIDED}
# What follows the last case of the page before.
_FOLLOWING = {
    CaseState.OPEN: tuple_(*_BY_PRIORITY) > tuple_(_PRIORITY, _MOMENT, _LAST_ID),
    CaseState.DECIDED: tuple_(*_BY_DECISION) < tuple_(_MOMENT, _LAST_ID),
}

_AFTER_WAITING = tuple_(*_BY_AGE) > tuple_(_MOMENT, _LAST_ID)

_ONE = ALL_CASES.where(col(Case.id) == bindparam("case_id", type_=Uuid()))

_IS_LATE = and_(col(Case.state) == CaseState.OPEN, col(Case.due_at) <= NOW)
_COUNTS = ALL_CASES.with_only_columns(
    col(Case.category),
    func.count().label("cases"),
    func.count().filter(_IS_LATE).label("late"),
    maintain_column_froms=True,
).group_by(col(Case.category))

_BOARDS = query(col(Board.slug), col(Board.name)).where(boards.READABLE).order_by(col(Board.position), col(Board.id))
_MODERATED_BOARDS = _BOARDS.where(boards.MODERATED)


class ClaimedBy(StrEnum):
    """Who is working on a case, as far as one can look for it."""

    ME = "me"
    NOBODY = "nobody"


_EDIT_WAITS = exists().where(col(HeldEdit.post_id) == col(CasePost.post_id), col(HeldEdit.state) == HeldState.WAITING)
_IS_HELD = exists().where(col(_Held.id) == col(CasePost.post_id), col(_Held.visibility) == Visibility.HELD)
_HOLDS_SOMETHING = exists().where(
    col(CasePost.case_id) == col(Case.id),
    or_(_IS_HELD.correlate(CasePost), _EDIT_WAITS.correlate(CasePost)),
)

# What can be looked for: conditions on a select of cases, some with a parameter.
_SOUGHT = {
    "category": col(Case.category) == bindparam("category", type_=Text()),
    "board": col(Board.slug) == bindparam("board", type_=Text()),
    "kind": col(Case.kind) == bindparam("kind", type_=Text()),
    "not_left_out": or_(
        ~own_safety.VIEWER_LEAVES_IT_OUT,
        ~is_for_another(lambda member_id: own_safety.leaves_out(member_id, col(Case.category))),
    ),
    "waiting": and_(col(Case.kind) != CaseKind.APPEAL, _HOLDS_SOMETHING.correlate(Case)),
    ClaimedBy.ME: col(CaseClaim.moderator_id) == VIEWER_ID,
    ClaimedBy.NOBODY: col(CaseClaim.case_id).is_(None),
}


@dataclass(frozen=True)
class QueueSearch:
    """Which cases somebody looks for: what is None may be anything."""

    state: CaseState = CaseState.OPEN
    category: Category | None = None
    board: str | None = None  # its slug
    claimed: ClaimedBy | None = None
    kind: CaseKind | None = None
    waiting: bool = False  # with something that readers do not see yet: oldest first
    not_left_out: bool = False  # without what the viewer leaves to others, where there are others

    @property
    def is_by_age(self) -> bool:
        """Whether the oldest case comes first."""
        return self.waiting and self.state == CaseState.OPEN

    @property
    def leaves_out(self) -> bool:
        """Whether what the viewer leaves to others is left out: not where they ask for a category, or their own."""
        return self.state == CaseState.OPEN and self.category is None and self.claimed != ClaimedBy.ME

    @property
    def values(self) -> dict[str, str]:
        """What is looked for by a value, by the name of its parameter."""
        wanted = {"category": self.category, "board": self.board, "kind": self.kind}
        return {name: value for name, value in wanted.items() if value is not None}

    @property
    def sought(self) -> frozenset[str]:
        """By what is looked for, besides the state."""
        more = {self.claimed} if self.claimed else set[str]()
        flags = {"waiting": self.waiting, "not_left_out": self.not_left_out}
        return frozenset(self.values) | more | {name for name, is_so in flags.items() if is_so}


@dataclass(frozen=True)
class QueueReading:
    """A page of the queue, how many cases of each category there are, and the boards to choose from."""

    page: Page
    counts: Sequence[Record]
    boards: Sequence[Record]
    left_out: Collection[Category]  # by the viewer
    suggests_break: bool


def sees_queue(viewer: Viewer) -> bool:
    """Return whether somebody has a queue: for what a page offers."""
    return refusal(ModerationAct.SEE_QUEUE, viewer) is None


@cache
def _select_page(state: CaseState, sought: frozenset[str], *, is_first: bool) -> Query:
    is_by_age = "waiting" in sought and state == CaseState.OPEN
    page, after = (_WAITING, _AFTER_WAITING) if is_by_age else (_PAGES[state], _FOLLOWING[state])
    return page.where(*_conditions(sought), *([] if is_first else [after]))


@cache
def _select_counts(state: CaseState, sought: frozenset[str]) -> Query:
    return _COUNTS.where(_is(state), *_conditions(sought))


def _conditions(sought: frozenset[str]) -> list[ColumnElement[bool]]:
    return [_SOUGHT[name] for name in sorted(sought)]


async def list_cases(work: Work, moderator: Viewer, search: QueueSearch, after: str | None, limit: int) -> Page:
    """Return a page of the cases that somebody looks for, of those that exist for them.

    Open ones come worst first, decided ones with the newest decision first; what waits, oldest first.

    Raises Forbidden for whoever moderates nothing, Invalid for a cursor that is not one of this list.
    """
    allow(ModerationAct.SEE_QUEUE, moderator)
    if search.leaves_out and await own_safety.list_left_out(work.session, moderator.member_id):
        search = replace(search, not_left_out=True)
    last = _last(search, after) if after is not None else {}
    page = _select_page(search.state, search.sought, is_first=after is None)
    rows = await list_visible(work, moderator, page, **search.values, **last, limit=limit + 1)
    return pagination.page_of(rows, limit, _key_of_age if search.is_by_age else _key_of)


def _last(search: QueueSearch, after: str) -> dict[str, Any]:
    """Return where the page before ended. Raises Invalid."""
    if search.state == CaseState.OPEN and not search.is_by_age:
        priority, moment, case_id = pagination.decode(after, BY_PRIORITY)
        return {"last_priority": priority, "last_moment": moment, "last_id": case_id}
    moment, case_id = pagination.decode(after, BY_DECISION)
    return {"last_moment": moment, "last_id": case_id}


def _key_of_age(row: Record) -> tuple[object, ...]:
    return (row.opened_at, str(row.id))


def _key_of(row: Record) -> tuple[object, ...]:
    return (row.decided_at, str(row.id)) if row.decided_at else (row.priority, row.due_at, str(row.id))


async def count_cases(work: Work, moderator: Viewer, search: QueueSearch) -> Sequence[Record]:
    """Return how many cases of each category somebody would find, of those that exist for them, and how many are late.

    Raises Forbidden for whoever moderates nothing.
    """
    allow(ModerationAct.SEE_QUEUE, moderator)
    counted = _select_counts(search.state, search.sought)
    counts = {row.category: row for row in await list_visible(work, moderator, counted, **search.values)}
    return [counts[category] for category in Category if category in counts]


async def read_queue(work: Work, moderator: Viewer, search: QueueSearch, after: str | None, limit: int) -> QueueReading:
    """Return what the screen of the queue shows. Raises as `list_cases` does."""
    page = await list_cases(work, moderator, search, after, limit)
    counts = await count_cases(work, moderator, replace(search, category=None))
    # Administrators decide where no moderator can.
    theirs = _BOARDS if Role.ADMINISTRATOR in moderator.roles else _MODERATED_BOARDS
    found = await work.session.execute(theirs, moderator.query_parameters)
    left_out = await own_safety.list_left_out(work.session, moderator.member_id)
    return QueueReading(page, counts, found.all(), left_out, await own_safety.suggests_break(work, moderator))


async def get_visible_case(work: Work, viewer: Viewer, case_id: UUID) -> Record:
    """Return a case with its post's place. Raises NotFound when it does not exist for the viewer."""
    found = await find_visible_case(work, viewer, case_id)
    if found is None:
        raise NotFound("There is no such case.", code="case_not_found")
    return found


async def find_visible_case(work: Work, viewer: Viewer, case_id: UUID) -> Record | None:
    """Return a case with its post's place, if it exists for the viewer."""
    return next(iter(await list_visible(work, viewer, _ONE, case_id=case_id)), None)


async def get_workable_case(work: Work, moderator: Viewer, case_id: UUID) -> Record:
    """Return a case that the moderator may work on. Raises NotFound when it does not exist for them, and Forbidden."""
    allow(ModerationAct.WORK_ON_CASE, moderator)
    return await get_visible_case(work, moderator, case_id)
