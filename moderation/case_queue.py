"""The queue: which cases a moderator sees, worst first, and who is working on each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field, TypeAdapter
from sqlalchemy import ColumnElement, and_, func, literal, true, tuple_
from sqlalchemy import case as case_when
from sqlalchemy.orm import aliased
from sqlmodel import col

from forum.content import boards
from forum.content.boards import Board
from forum.content.posts.tables import Post, Visibility
from forum.content.threads.tables import Thread
from forum.core import pagination
from forum.core.database import Query, Record, columns, query
from forum.core.errors import NotFound
from forum.core.pagination import Page
from forum.core.work import Work
from forum.members.queries import named_columns
from forum.members.tables import Member, Role
from forum.members.viewer import Viewer
from moderation import case_deciders
from moderation.case_priority import Category
from moderation.cases import Case, CaseClaim, CaseKind, CaseState, with_board_of_case
from moderation.permissions import ModerationAct, allow, refusal

# What a cursor holds: the sort key of the last row of the page before, in the queue and among decided cases.
_Priority = Annotated[int, Field(ge=-(2**31), lt=2**31)]  # as its column
BY_PRIORITY = TypeAdapter(tuple[_Priority, pagination.Instant, UUID])
BY_DECISION = TypeAdapter(tuple[pagination.Instant, UUID])
EXCERPT = 200  # characters: enough to tell an advert from a threat

_Author, _Claimant = aliased(Member, name="author"), aliased(Member, name="claimant")

_VIEW = with_board_of_case(
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
).join(_Author, col(_Author.id) == col(Case.subject_persona_id))


class ClaimedBy(StrEnum):
    """Who is working on a case, as far as one can look for it."""

    ME = "me"
    NOBODY = "nobody"


@dataclass(frozen=True)
class QueueSearch:
    """Which cases somebody looks for: what is None may be anything."""

    state: CaseState = CaseState.OPEN
    category: Category | None = None
    board: str | None = None  # its slug
    claimed: ClaimedBy | None = None
    kind: CaseKind | None = None

    def conditions(self, viewer: Viewer) -> list[ColumnElement[bool]]:
        """Return the same, but the state, as conditions on a select of `select_visible`."""
        wanted = {Case.category: self.category, Board.slug: self.board, Case.kind: self.kind}
        found = [col(column) == value for column, value in wanted.items() if value is not None]
        if self.claimed == ClaimedBy.ME:
            found.append(col(CaseClaim.moderator_id) == viewer.id)
        if self.claimed == ClaimedBy.NOBODY:
            found.append(col(CaseClaim.case_id).is_(None))
        return found


@dataclass(frozen=True)
class QueueReading:
    """A page of the queue, how many cases of each category there are, and the boards to choose from."""

    page: Page
    counts: Sequence[Record]
    boards: Sequence[Record]


def sees_queue(viewer: Viewer) -> bool:
    """Return whether somebody has a queue: for what a page offers."""
    return refusal(ModerationAct.SEE_QUEUE, viewer) is None


def select_all(now: datetime) -> Query:
    """Return a select of every case, with the post's place and who is working on each."""
    current = and_(col(CaseClaim.case_id) == col(Case.id), col(CaseClaim.until) > now)
    return _VIEW.outerjoin(CaseClaim, current).outerjoin(_Claimant, col(_Claimant.id) == col(CaseClaim.moderator_id))


def select_visible(viewer: Viewer, now: datetime) -> Query:
    """Return a select of the cases that exist for the viewer, as `select_all` has them."""
    return select_all(now).where(case_deciders.visible_to(viewer, now))


def select_queue(viewer: Viewer, now: datetime, after: tuple[int, datetime, UUID] | None, limit: int) -> Query:
    """Return a select of open cases, worst first, then by when they are due."""
    key = (col(Case.priority), col(Case.due_at), col(Case.id))
    page = select_visible(viewer, now).where(_is(CaseState.OPEN))
    if after:
        page = page.where(tuple_(*key) > tuple_(*after))
    return page.order_by(*key).limit(literal(limit, literal_execute=True))


def select_decided(viewer: Viewer, now: datetime, before: tuple[datetime, UUID] | None, limit: int) -> Query:
    """Return a select of decided cases, the newest decision first."""
    key = (col(Case.decided_at), col(Case.id))
    page = select_visible(viewer, now).where(_is(CaseState.DECIDED))
    if before:
        page = page.where(tuple_(*key) < tuple_(*before))
    return page.order_by(*(column.desc() for column in key)).limit(literal(limit, literal_execute=True))


def _is(state: CaseState) -> ColumnElement[bool]:
    # State and limit are literals: with parameters in their place, PostgreSQL plans anew for each request, because a
    # plan for any state cannot use an index of one, nor a plan for any limit know how soon it may stop.
    return col(Case.state) == literal(state.value, literal_execute=True)


async def list_cases(work: Work, moderator: Viewer, search: QueueSearch, after: str | None, limit: int) -> Page:
    """Return a page of the cases that somebody looks for, of those that exist for them.

    Open ones come worst first, decided ones with the newest decision first. Raises Forbidden for whoever moderates
    nothing, Invalid for a cursor that is not one of this list.
    """
    allow(ModerationAct.SEE_QUEUE, moderator)
    if search.state == CaseState.OPEN:
        key = pagination.decode(after, BY_PRIORITY) if after is not None else None
        page = select_queue(moderator, work.now, key, limit + 1)
    else:
        before = pagination.decode(after, BY_DECISION) if after is not None else None
        page = select_decided(moderator, work.now, before, limit + 1)
    rows = (await work.session.execute(page.where(*search.conditions(moderator)))).all()
    return pagination.page_of(rows, limit, _key_of)


def _key_of(row: Record) -> tuple[object, ...]:
    return (row.decided_at, str(row.id)) if row.decided_at else (row.priority, row.due_at, str(row.id))


async def count_cases(work: Work, moderator: Viewer, search: QueueSearch) -> Sequence[Record]:
    """Return how many cases of each category somebody would find, of those that exist for them, and how many are late.

    Raises Forbidden for whoever moderates nothing.
    """
    allow(ModerationAct.SEE_QUEUE, moderator)
    is_late = and_(col(Case.state) == CaseState.OPEN, col(Case.due_at) <= work.now)
    counted = (
        select_visible(moderator, work.now)
        .where(_is(search.state), *search.conditions(moderator))
        .with_only_columns(
            col(Case.category),
            func.count().label("cases"),
            func.count().filter(is_late).label("late"),
            maintain_column_froms=True,
        )
        .group_by(col(Case.category))
    )
    counts = {row.category: row for row in (await work.session.execute(counted)).all()}
    return [counts[category] for category in Category if category in counts]


async def read_queue(work: Work, moderator: Viewer, search: QueueSearch, after: str | None, limit: int) -> QueueReading:
    """Return what the screen of the queue shows. Raises as `list_cases` does."""
    page = await list_cases(work, moderator, search, after, limit)
    counts = await count_cases(work, moderator, replace(search, category=None))
    is_administrator = Role.ADMINISTRATOR in moderator.roles  # who decides where no moderator can
    theirs = true() if is_administrator else boards.moderated_by(moderator)
    listed = query(col(Board.slug), col(Board.name)).where(theirs, boards.readable_by(moderator))
    found = await work.session.execute(listed.order_by(col(Board.position), col(Board.id)))
    return QueueReading(page, counts, found.all())


async def get_visible_case(work: Work, viewer: Viewer, case_id: UUID) -> Record:
    """Return a case with its post's place. Raises NotFound when it does not exist for the viewer."""
    found = await work.session.execute(select_visible(viewer, work.now).where(col(Case.id) == case_id))
    row = found.one_or_none()
    if row is None:
        raise NotFound("There is no such case.", code="case_not_found")
    return row


async def get_workable_case(work: Work, moderator: Viewer, case_id: UUID) -> Record:
    """Return a case that the moderator may work on. Raises NotFound when it does not exist for them, and Forbidden."""
    allow(ModerationAct.WORK_ON_CASE, moderator)
    return await get_visible_case(work, moderator, case_id)
