"""Notes from shift to shift: what moderators of a board leave for those who come next. Nobody changes one.

They are deleted after 90 days: what must be known for longer is a note on its case.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import BigInteger, Index, delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.content import boards
from forum.content.boards import Board
from forum.core import pagination
from forum.core.database import Moment, Record, new_id, query
from forum.core.export_section import ExportSection, items_of
from forum.core.idempotency import Repeat
from forum.core.pagination import Page
from forum.core.work import Work
from forum.members.queries import named_columns
from forum.members.tables import Member
from forum.members.viewer import Viewer
from moderation.permissions import ModerationAct, allow

NOTE_MAX = 5000
KEPT_FOR = timedelta(days=90)
NOTES_SHOWN = 20
BY_ID = TypeAdapter(tuple[UUID])


class HandoverNote(SQLModel, table=True):
    """What a moderator leaves for the next shift on a board."""

    __tablename__ = "handover_note"
    __table_args__ = (Index("ix_handover_note_page", "board_id", "id"),)

    id: UUID = Field(default_factory=new_id, primary_key=True)
    board_id: int = Field(sa_type=BigInteger, foreign_key="board.id", ondelete="CASCADE")
    author_id: UUID = Field(foreign_key="member.id", index=True)
    text: str
    at: datetime = Field(sa_type=Moment)


@dataclass(frozen=True)
class HandoverPlace:
    """A board, as the conditions of permissions want it."""

    board: Any


@dataclass(frozen=True)
class Handover:
    """The notes on one board, or none where nobody chose one of several, and the boards to choose from."""

    board: Any
    boards: Sequence[Record]
    page: Page | None


_BOARDS = (
    query(col(Board.slug), col(Board.name))
    .where(boards.READABLE, boards.MODERATED)
    .order_by(col(Board.position), col(Board.id))
)


async def read_handover(work: Work, moderator: Viewer, slug: str | None, after: str | None) -> Handover:
    """Return the notes on a board, newest first; without a board, those on the only one, if it is so.

    Raises as `list_notes` does.
    """
    allow(ModerationAct.SEE_QUEUE, moderator)
    listed = (await work.session.execute(_BOARDS, moderator.query_parameters)).all()
    slug = slug or (listed[0].slug if len(listed) == 1 else None)
    if slug is None:
        return Handover(None, listed, None)
    board = await boards.get_board_in_transaction(work.session, moderator, slug)
    page = await list_notes(work, moderator, slug, after, NOTES_SHOWN)
    return Handover(board, listed, page)


async def list_notes(work: Work, moderator: Viewer, slug: str, after: str | None, limit: int) -> Page:
    """Return a page of the notes on a board, newest first.

    Raises NotFound, Forbidden for whoever does not moderate it, and Invalid for a cursor of another list.
    """
    board = await _get_board(work, moderator, slug)
    before = pagination.decode(after, BY_ID) if after is not None else None
    notes = (
        query(col(HandoverNote.id), col(HandoverNote.text), col(HandoverNote.at), *named_columns(Member, "author"))
        .join(Member, col(Member.id) == col(HandoverNote.author_id))
        .where(col(HandoverNote.board_id) == board.id)
        .order_by(col(HandoverNote.id).desc())
        .limit(limit + 1)
    )
    if before:
        notes = notes.where(col(HandoverNote.id) < before[0])
    rows = (await work.session.execute(notes)).all()
    return pagination.page_of(rows, limit, lambda row: (str(row.id),))


async def add_note(
    work: Work, moderator: Viewer, slug: str, words: str, *, repeat: Repeat | None = None
) -> HandoverNote:
    """Leave a note for the next shift on a board. A `repeat` returns the note that it made.

    Raises NotFound, Forbidden for whoever does not moderate it, and what `Repeat.earlier` raises.
    """
    board = await _get_board(work, moderator, slug)
    if repeat and (earlier := await repeat.earlier(work)):
        return await work.session.get_one(HandoverNote, UUID(earlier))
    note = HandoverNote(board_id=board.id, author_id=moderator.member_id, text=words, at=work.now)
    work.session.add(note)
    await work.session.flush()
    if repeat:
        await repeat.keep(work, note.id)
    return note


async def export_own(session: AsyncSession, viewer: Viewer, _now: datetime) -> Sequence[ExportSection]:
    """Return the notes that the viewer left."""
    notes = query(col(HandoverNote.text), col(HandoverNote.at), col(Board.slug).label("board"))
    theirs = notes.join(Board, col(Board.id) == col(HandoverNote.board_id))
    own = theirs.where(col(HandoverNote.author_id) == viewer.id).order_by(col(HandoverNote.id))
    rows = (await session.execute(own)).all()
    return (ExportSection("handover_notes", "What you left for the next shift", items_of(rows)),)


async def delete_old(session: AsyncSession, now: datetime) -> None:
    """Delete notes that nobody needs any more."""
    await session.execute(delete(HandoverNote).where(col(HandoverNote.at) < now - KEPT_FOR))


async def _get_board(work: Work, moderator: Viewer, slug: str) -> Any:
    allow(ModerationAct.SEE_QUEUE, moderator)
    board = await boards.get_board_in_transaction(work.session, moderator, slug)
    allow(ModerationAct.HAND_OVER, moderator, HandoverPlace(board))
    return board
