"""The queue: which cases a moderator sees, worst first, and who is working on each."""

from datetime import datetime
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import and_, literal, tuple_
from sqlalchemy import case as case_when
from sqlalchemy.orm import aliased
from sqlmodel import col

from forum.content.boards import Board
from forum.content.posts.tables import Post
from forum.content.threads.tables import Thread
from forum.core import pagination
from forum.core.database import Query, Record, columns, query
from forum.core.errors import NotFound
from forum.core.pagination import Page
from forum.core.work import Work
from forum.members.queries import named_columns
from forum.members.tables import Member
from forum.members.viewer import Viewer
from moderation import case_deciders
from moderation.cases import Case, CaseClaim, CaseState, with_board_of_case
from moderation.permissions import ModerationAct, allow

# What a cursor into the queue holds: the sort key of the last row of the page before.
BY_PRIORITY = TypeAdapter(tuple[int, pagination.Instant, UUID])

_Author, _Claimant = aliased(Member, name="author"), aliased(Member, name="claimant")

_VIEW = with_board_of_case(
    query(
        *columns(Case),
        col(Thread.id).label("thread_id"),
        col(Thread.title).label("thread_title"),
        case_when((col(Post.number) == 1, col(Thread.title_revision))).label("title_revision"),
        col(Post.number).label("post_number"),
        col(Post.revision).label("post_revision"),
        col(Board.id).label("board_id"),
        col(Board.slug).label("board_slug"),
        col(Board.name).label("board_name"),
        col(_Author.id).label("author_id"),
        *named_columns(_Author, "author"),
        *named_columns(_Claimant, "claimant"),
        col(CaseClaim.until).label("claimed_until"),
    )
).join(_Author, col(_Author.id) == col(Case.subject_persona_id))


def select_visible(viewer: Viewer, now: datetime) -> Query:
    """Return a select of the cases that exist for the viewer, with the post's place and who is working on each."""
    current = and_(col(CaseClaim.case_id) == col(Case.id), col(CaseClaim.until) > now)
    return (
        _VIEW.outerjoin(CaseClaim, current)
        .outerjoin(_Claimant, col(_Claimant.id) == col(CaseClaim.moderator_id))
        .where(case_deciders.visible_to(viewer, now))
    )


def select_queue(viewer: Viewer, now: datetime, after: tuple[int, datetime, UUID] | None, limit: int) -> Query:
    """Return a select of open cases, worst first, then by when they are due."""
    key = (col(Case.priority), col(Case.due_at), col(Case.id))
    # As literals: with parameters in their place, PostgreSQL plans anew for each request, because a plan for
    # any state cannot use the queue's index, nor one for any limit know how soon it may stop.
    page = select_visible(viewer, now).where(col(Case.state) == literal(CaseState.OPEN.value, literal_execute=True))
    if after:
        page = page.where(tuple_(*key) > tuple_(*after))
    return page.order_by(*key).limit(literal(limit, literal_execute=True))


async def list_queue(work: Work, moderator: Viewer, after: str | None, limit: int) -> Page:
    """Return a page of the open cases that exist for the moderator, worst first.

    Raises Forbidden for whoever moderates nothing, Invalid for a cursor that is not one of this list.
    """
    allow(ModerationAct.SEE_QUEUE, moderator)
    key = pagination.decode(after, BY_PRIORITY) if after is not None else None
    rows = (await work.session.execute(select_queue(moderator, work.now, key, limit + 1))).all()
    return pagination.page_of(rows, limit, lambda row: (row.priority, row.due_at, str(row.id)))


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
