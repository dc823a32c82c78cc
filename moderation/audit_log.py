"""The log of what staff did. Moderators of a board read what happened there, others read all of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, TypeAdapter
from sqlalchemy import ARRAY, ColumnElement, Integer, String, Text, Uuid, and_, any_, bindparam, cast, exists, or_
from sqlmodel import col

from forum.content import boards
from forum.content.boards import Board
from forum.content.posts.tables import Post
from forum.content.posts.visibility import with_board_of_post
from forum.content.threads.tables import Thread
from forum.core import pagination
from forum.core.audit import AuditEntry
from forum.core.database import Moment, Prepared, Query, Reader, columns, query
from forum.core.errors import Invalid
from forum.core.pagination import Page
from forum.core.work import Transactions
from forum.members import names
from forum.members.queries import named_columns
from forum.members.tables import Member, Role
from forum.members.viewer import VIEWER_ID, VIEWER_PERSONAS, Viewer
from moderation import case_deciders
from moderation.cases import Case, with_board_of_case
from moderation.decisions import Decision
from moderation.measures.tables import AppliedMeasure
from moderation.permissions import ModerationAct, allow

LogPlace = tuple[datetime, int]
# What a cursor into the log holds: a moment, and how many entries of it were shown.
BY_TIME = TypeAdapter(tuple[pagination.Instant, Annotated[int, Field(ge=0, le=10_000)]])


def _is_visible(*, everywhere: bool) -> ColumnElement[bool]:
    """Return the condition that the viewer may read an entry.

    Moderators of a board read what happened there; nobody reads what belongs to a case about themselves.
    """
    if everywhere:
        return ~_is_about()
    here = and_(boards.MODERATED, boards.READABLE)
    on_board = {
        "post": with_board_of_post(query(cast(col(Post.id), String))),
        "case": with_board_of_case(query(cast(col(Case.id), String))),
        "thread": query(cast(col(Thread.id), String)).join(Board, col(Board.id) == col(Thread.board_id)),
    }
    somewhere_here = (_has_subject(kind, ids.where(here)) for kind, ids in on_board.items())
    return and_(or_(*somewhere_here), ~_is_about())


def _is_about() -> ColumnElement[bool]:
    """Return the condition that an entry is of a case about the viewer: the case, their post, or what it did to a
    thread.
    """
    case_ids = query(cast(col(Case.id), String)).where(case_deciders.IS_ABOUT)
    post_ids = query(cast(col(Post.id), String)).where(col(Post.author_id) == any_(VIEWER_PERSONAS))
    taken = and_(col(AppliedMeasure.applied_at) == col(AuditEntry.at), col(Decision.id) == AppliedMeasure.decision_id)
    undone = and_(col(AppliedMeasure.undone_at) == col(AuditEntry.at), col(Decision.id) == AppliedMeasure.undone_by)
    by_decision = exists().where(
        col(AuditEntry.subject_kind) == "thread",
        cast(col(AppliedMeasure.thread_id), String) == col(AuditEntry.subject_id),
        col(AppliedMeasure.member_id) == VIEWER_ID,
        col(Decision.decided_by) == col(AuditEntry.actor_id),
        or_(taken, undone),
    )
    by_somebody_else = col(AuditEntry.actor_id).is_distinct_from(VIEWER_ID)
    return or_(
        _has_subject("case", case_ids),
        and_(_has_subject("post", post_ids), by_somebody_else),
        by_decision.correlate_except(AppliedMeasure, Decision),
    )


def _has_subject(kind: str, ids: Query) -> ColumnElement[bool]:
    return and_(col(AuditEntry.subject_kind) == kind, col(AuditEntry.subject_id).in_(ids))


# What can be looked for: conditions on AuditEntry joined with its actor, each with a parameter.
_SOUGHT = {
    "act": col(AuditEntry.act) == bindparam("act", type_=Text()),
    "actor": col(Member.handle) == bindparam("actor", type_=Text()),
    "subject_kind": col(AuditEntry.subject_kind) == bindparam("subject_kind", type_=Text()),
    "subject_id": col(AuditEntry.subject_id) == bindparam("subject_id", type_=Text()),
}


@dataclass(frozen=True)
class LogSearch:
    """What somebody looks for in the log: what is None may be anything."""

    act: str | None = None
    actor: str | None = None
    subject_kind: str | None = None
    subject_id: str | None = None

    @property
    def values(self) -> dict[str, str]:
        """What is looked for, by the name of its parameter."""
        wanted = {
            "act": self.act,
            "actor": self.actor and names.folded(self.actor),
            "subject_kind": self.subject_kind,
            "subject_id": self.subject_id,
        }
        return {name: value for name, value in wanted.items() if value is not None}


@dataclass(frozen=True)
class LogReading:
    """A page of the log, and which of the cases in it the viewer can open: administrators see few of them."""

    page: Page
    case_ids: frozenset[str]


_CASES = with_board_of_case(query(col(Case.id)).where(col(Case.id) == any_(bindparam("case_ids", type_=ARRAY(Uuid())))))


async def read_log(
    transactions: Transactions, viewer: Viewer, search: LogSearch, after: str | None, limit: int
) -> LogReading:
    """Return a page of the log, as its screen shows it. Raises as `list_entries` does."""
    page = await list_entries(transactions.reader, viewer, search, after, limit)
    named = [UUID(row.subject_id) for row in page.rows if row.subject_kind == "case"]
    async with transactions.begin() as work:
        seen = await case_deciders.list_visible(work, viewer, _CASES, case_ids=named)
    return LogReading(page, frozenset(str(row.id) for row in seen))


async def list_entries(reader: Reader, viewer: Viewer, search: LogSearch, after: str | None, limit: int) -> Page:
    """Return a page of what was searched for in the log, newest first.

    Raises Forbidden, and Invalid for a cursor that is not one of this list or half of a subject.
    """
    allow(ModerationAct.READ_LOG, viewer)
    place = pagination.decode(after, BY_TIME) if after is not None else None
    if (search.subject_kind is None) != (search.subject_id is None):
        detail = "Send both `subject_kind` and `subject_id`, or neither."
        raise Invalid(detail, "query/subject_id", code="subject_incomplete")
    everywhere = bool(viewer.roles & {Role.MODERATOR, Role.ADMINISTRATOR})
    page = _prepare_page(frozenset(search.values), everywhere=everywhere, is_first=place is None)
    last = {"last_moment": place[0], "seen": place[1]} if place else {}
    rows = await reader.rows(page, **viewer.query_parameters, **search.values, **last, limit=limit + 1)
    return _page(rows, place, limit)


def _page(rows: Sequence[Any], place: LogPlace | None, limit: int) -> Page:
    """Return a page, whose cursor counts what was shown of one moment.

    It does not have the number of an entry: a gap between two numbers would say that something is not shown.
    """
    shown = rows[:limit]
    if len(rows) <= limit:
        return Page(shown, None)
    at = shown[-1].at
    of_this_moment = sum(row.at == at for row in shown)
    seen_before = place[1] if place and place[0] == at else 0
    return Page(shown, pagination.encode(at, seen_before + of_this_moment))


@cache
def _prepare_page(sought: frozenset[str], *, everywhere: bool, is_first: bool) -> Prepared:
    """Return the statement for a page, the first or a later one, of entries that are looked for by these names."""
    page = (
        query(*columns(AuditEntry), *named_columns(Member, "actor"))
        .outerjoin(Member, col(Member.id) == col(AuditEntry.actor_id))
        .where(_is_visible(everywhere=everywhere), *(_SOUGHT[name] for name in sorted(sought)))
    )
    if not is_first:
        until = col(AuditEntry.at) <= bindparam("last_moment", type_=Moment())
        page = page.where(until).offset(bindparam("seen", type_=Integer()))
    newest_first = page.order_by(col(AuditEntry.at).desc(), col(AuditEntry.number).desc())
    return Prepared(newest_first.limit(bindparam("limit", type_=Integer())))
