"""The log of what staff did, for those who may read it: the audit record, each board's to its moderators."""

from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, String, and_, cast, or_, select, true
from sqlmodel import col

from forum.content import boards
from forum.content.boards import Board
from forum.content.posts.tables import Post
from forum.content.threads.tables import Thread
from forum.core import pagination
from forum.core.audit import AuditEntry
from forum.core.database import Query, columns, query
from forum.members import names
from forum.members.tables import Member, Role
from forum.members.viewer import Viewer
from moderation.cases import Case

BY_NUMBER = TypeAdapter(tuple[pagination.Identity])


def visible_to(viewer: Viewer) -> ColumnElement[bool]:
    """The condition that an entry is the viewer's to read: all, or what happened on the boards they moderate."""
    if viewer.roles & {Role.MODERATOR, Role.ADMINISTRATOR}:
        return true()
    here = boards.moderated_by(viewer)
    posts = select(cast(col(Post.id), String)).join(Thread, col(Thread.id) == col(Post.thread_id))
    cases = (
        select(cast(col(Case.id), String))
        .join(Post, col(Post.id) == col(Case.post_id))
        .join(Thread, col(Thread.id) == col(Post.thread_id))
    )
    threads = select(cast(col(Thread.id), String))
    on_board: dict[str, Any] = {"post": posts, "case": cases, "thread": threads}
    return or_(
        *(
            and_(
                col(AuditEntry.subject_kind) == kind,
                col(AuditEntry.subject_id).in_(ids.join(Board, col(Board.id) == col(Thread.board_id)).where(here)),
            )
            for kind, ids in on_board.items()
        )
    )


@dataclass(frozen=True)
class Sought:
    """What somebody looks for in the log: what is None may be anything."""

    act: str | None = None
    actor: str | None = None
    subject_kind: str | None = None
    subject_id: str | None = None

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        """The same, on AuditEntry joined with its actor."""
        wanted = {
            AuditEntry.act: self.act,
            Member.handle: self.actor and names.folded(self.actor),
            AuditEntry.subject_kind: self.subject_kind,
            AuditEntry.subject_id: self.subject_id,
        }
        return [col(column) == value for column, value in wanted.items() if value is not None]


def entries(viewer: Viewer, before: tuple[int] | None, limit: int, sought: Sought) -> Query:
    """A page of what was sought in the log, newest first."""
    page = (
        query(
            *columns(AuditEntry),
            col(Member.handle).label("actor_handle"),
            col(Member.name).label("actor_name"),
            col(Member.title).label("actor_title"),
        )
        .outerjoin(Member, col(Member.id) == col(AuditEntry.actor_id))
        .where(visible_to(viewer), *sought.conditions)
    )
    if before:
        page = page.where(col(AuditEntry.number) < before[0])
    return page.order_by(col(AuditEntry.number).desc()).limit(limit)
