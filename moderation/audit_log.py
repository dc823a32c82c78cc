"""The log of what staff did. Moderators of a board read what happened there, others read all of it."""

from dataclasses import dataclass

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, String, and_, cast, or_, true
from sqlmodel import col

from forum.content import boards
from forum.content.boards import Board
from forum.content.posts.tables import Post
from forum.content.posts.visibility import with_board_of_post
from forum.content.threads.tables import Thread
from forum.core import pagination
from forum.core.audit import AuditEntry
from forum.core.database import Prepared, Query, Reader, columns, query
from forum.core.errors import Invalid
from forum.core.pagination import Page
from forum.members import names
from forum.members.queries import named_columns
from forum.members.tables import Member, Role
from forum.members.viewer import Viewer
from moderation.cases import Case, with_board_of_case
from moderation.permissions import ModerationAct, allow

BY_NUMBER = TypeAdapter(tuple[pagination.Identity])


def visible_to(viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition that the viewer may read an entry. Moderators of a board read what happened there."""
    if viewer.roles & {Role.MODERATOR, Role.ADMINISTRATOR}:
        return true()
    here = boards.moderated_by(viewer)
    on_board = {
        "post": with_board_of_post(query(cast(col(Post.id), String))),
        "case": with_board_of_case(query(cast(col(Case.id), String))),
        "thread": query(cast(col(Thread.id), String)).join(Board, col(Board.id) == col(Thread.board_id)),
    }
    return or_(
        *(
            and_(
                col(AuditEntry.subject_kind) == kind,
                col(AuditEntry.subject_id).in_(ids.where(here)),
            )
            for kind, ids in on_board.items()
        )
    )


@dataclass(frozen=True)
class LogSearch:
    """What somebody looks for in the log: what is None may be anything."""

    act: str | None = None
    actor: str | None = None
    subject_kind: str | None = None
    subject_id: str | None = None

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        """The same as conditions on AuditEntry joined with its actor."""
        wanted = {
            AuditEntry.act: self.act,
            Member.handle: self.actor and names.folded(self.actor),
            AuditEntry.subject_kind: self.subject_kind,
            AuditEntry.subject_id: self.subject_id,
        }
        return [col(column) == value for column, value in wanted.items() if value is not None]


async def list_entries(reader: Reader, viewer: Viewer, search: LogSearch, after: str | None, limit: int) -> Page:
    """Return a page of what was searched for in the log, newest first.

    Raises Forbidden, and Invalid for a cursor that is not one of this list or half of a subject.
    """
    allow(ModerationAct.READ_LOG, viewer)
    before = pagination.decode(after, BY_NUMBER) if after is not None else None
    if (search.subject_kind is None) != (search.subject_id is None):
        detail = "Send both `subject_kind` and `subject_id`, or neither."
        raise Invalid(detail, "query/subject_id", code="subject_incomplete")
    rows = await reader.rows(Prepared(_select_entries(viewer, before, limit + 1, search)))
    return pagination.page_of(rows, limit, lambda row: (row.number,))


def _select_entries(viewer: Viewer, before: tuple[int] | None, limit: int, search: LogSearch) -> Query:
    page = (
        query(
            *columns(AuditEntry),
            *named_columns(Member, "actor"),
        )
        .outerjoin(Member, col(Member.id) == col(AuditEntry.actor_id))
        .where(visible_to(viewer), *search.conditions)
    )
    if before:
        page = page.where(col(AuditEntry.number) < before[0])
    return page.order_by(col(AuditEntry.number).desc()).limit(limit)
