"""Notes on a member: what moderators tell each other about somebody. Nobody changes or deletes one."""

from datetime import datetime
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import Index
from sqlmodel import Field, SQLModel, col

from forum.core import pagination
from forum.core.database import Moment, new_id, query
from forum.core.idempotency import Repeat
from forum.core.pagination import Page
from forum.core.work import Work
from forum.members.queries import get_member, named_columns
from forum.members.tables import Member
from forum.members.viewer import Viewer
from moderation.permissions import ModerationAct, allow

NOTE_MAX = 5000
BY_ID = TypeAdapter(tuple[UUID])


class MemberNote(SQLModel, table=True):
    """What a moderator tells the other moderators about a member."""

    __tablename__ = "member_note"
    __table_args__ = (Index("ix_member_note_page", "member_id", "id"),)

    id: UUID = Field(default_factory=new_id, primary_key=True)
    member_id: UUID = Field(foreign_key="member.id", description="About whom")
    author_id: UUID = Field(foreign_key="member.id")
    text: str
    at: datetime = Field(sa_type=Moment)


async def list_notes(work: Work, moderator: Viewer, handle: str, after: str | None, limit: int) -> Page:
    """Return a page of the notes on a member, newest first.

    Raises Forbidden, also for the member themselves, whatever their role, NotFound, and Invalid for a cursor of another
    list.
    """
    member = await _get_subject(work, moderator, handle)
    before = pagination.decode(after, BY_ID) if after is not None else None
    notes = (
        query(col(MemberNote.id), col(MemberNote.text), col(MemberNote.at), *named_columns(Member, "author"))
        .join(Member, col(Member.id) == col(MemberNote.author_id))
        .where(col(MemberNote.member_id) == member.id)
        .order_by(col(MemberNote.id).desc())
        .limit(limit + 1)
    )
    if before:
        notes = notes.where(col(MemberNote.id) < before[0])
    rows = (await work.session.execute(notes)).all()
    return pagination.page_of(rows, limit, lambda row: (str(row.id),))


async def add_note(
    work: Work, moderator: Viewer, handle: str, words: str, *, repeat: Repeat | None = None
) -> MemberNote:
    """Write a note on a member for the other moderators. A `repeat` returns the note that it made.

    Raises Forbidden as `list_notes` does, NotFound, and what `Repeat.earlier` raises.
    """
    member = await _get_subject(work, moderator, handle)
    if repeat and (earlier := await repeat.earlier(work)):
        return await work.session.get_one(MemberNote, UUID(earlier))
    note = MemberNote(member_id=member.id, author_id=moderator.member_id, text=words, at=work.now)
    work.session.add(note)
    await work.session.flush()
    if repeat:
        await repeat.keep(work, note.id)
    return note


async def _get_subject(work: Work, moderator: Viewer, handle: str) -> Member:
    member = await get_member(work.session, handle)
    allow(ModerationAct.KEEP_NOTES, moderator, member)
    return member
