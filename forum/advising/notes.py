"""Notes of advisers on a thread, and that it needs no answer, with the reason. Nobody changes one.

Advisers of the writer's organisation read them, and safeguarding leads; moderators do not. Whoever a note is about can
ask for it: a lead reads it first. They are deleted after a year, and when whoever opened the thread leaves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import BigInteger, CheckConstraint, Index, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.advising.claims import open_thread_for_advice
from forum.content.posts.context import ReplyContext, context_in_thread
from forum.content.posts.draft import NO_WORDS
from forum.content.posts.lanes import settle
from forum.content.posts.tables import Post
from forum.content.threads.changes import lock_thread_row, refuse_stale_thread
from forum.content.threads.claims import find_claim_in_transaction
from forum.content.threads.tables import Thread, ThreadState
from forum.core import audit, pagination
from forum.core.database import Moment, check_one_of, new_id, query
from forum.core.errors import Invalid
from forum.core.export_section import ExportSection, items_of
from forum.core.gate import Submission
from forum.core.idempotency import Repeat
from forum.core.pagination import Page
from forum.core.work import Work
from forum.members.aliases import is_persona_of
from forum.members.queries import named_columns
from forum.members.tables import Member, Role
from forum.members.viewer import Viewer
from forum.permissions import Act, allow, why_not

NOTE_MAX = 2000
KEPT_FOR = timedelta(days=365)
BY_ID = TypeAdapter(tuple[UUID])


class NoAnswerReason(StrEnum):
    """Why a thread needs no answer of an adviser."""

    THANKS = "thanks"
    ANSWERED_BY_MEMBER = "answered_by_member"
    OFF_TOPIC = "off_topic"
    ELSEWHERE = "elsewhere"


class AdviserNote(SQLModel, table=True):
    """What an adviser noted on a thread; with a reason: that it needs no answer."""

    __tablename__ = "adviser_note"
    __table_args__ = (
        check_one_of("reason", NoAnswerReason),
        CheckConstraint("num_nonnulls(reason, text) >= 1", name="said"),
        CheckConstraint(f"char_length(text) BETWEEN 1 AND {NOTE_MAX}", name="text"),
        Index("ix_adviser_note_page", "thread_id", "id"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    thread_id: int = Field(sa_type=BigInteger, foreign_key="thread.id", ondelete="CASCADE")
    author_id: UUID = Field(foreign_key="member.id", index=True)
    organisation: str | None = Field(description="Of the adviser who wrote it, as it was then; null for others")
    reason: str | None = None
    text: str | None = None
    at: datetime = Field(sa_type=Moment)


@dataclass(frozen=True)
class NoAnswer:
    """That a thread, which was at this version, needs no answer."""

    version: int
    reason: NoAnswerReason
    note: str | None = None
    up_to: int | None = None  # the last number on the screen: what was written since still waits


@dataclass(frozen=True)
class ThreadWithNotes:
    """A thread as advisers see it: who keeps it, and the notes on it, as far as the reader may."""

    thread: Thread
    board: Any
    claim: Any
    keeps_it: bool
    notes: Page | None  # None for whoever may not read them
    may_write: bool
    may_advise: bool


async def read_thread_with_notes(
    work: Work, reader: Viewer, thread_id: int, after: str | None, limit: int
) -> ThreadWithNotes:
    """Return a thread to advisers and safeguarding leads. Raises as `list_notes` does."""
    context = await context_in_thread(work, reader, thread_id, NO_WORDS)
    may_read = why_not(Act.READ_ADVISER_NOTES, reader, context) is None
    if not may_read:
        allow(Act.ADVISE, reader, context)
    claim = await find_claim_in_transaction(work.session, thread_id, work.now)
    return ThreadWithNotes(
        context.thread,
        context.board,
        claim,
        keeps_it=claim is not None and claim.member_id == reader.id,
        notes=await list_notes(work, reader, thread_id, after, limit) if may_read else None,
        may_write=why_not(Act.WRITE_ADVISER_NOTE, reader, context) is None,
        may_advise=why_not(Act.ADVISE, reader, context) is None and context.thread.state == ThreadState.OPEN,
    )


async def list_notes(work: Work, reader: Viewer, thread_id: int, after: str | None, limit: int) -> Page:
    """Return a page of the notes on a thread that the reader may read, newest first.

    Raises NotFound, Forbidden, and Invalid for a cursor of another list.
    """
    context = await context_in_thread(work, reader, thread_id, NO_WORDS)
    allow(Act.READ_ADVISER_NOTES, reader, context)
    before = pagination.decode(after, BY_ID) if after is not None else None
    notes = (
        query(
            *(col(AdviserNote.id), col(AdviserNote.reason), col(AdviserNote.text), col(AdviserNote.at)),
            *named_columns(Member, "author"),
        )
        .join(Member, col(Member.id) == col(AdviserNote.author_id))
        .where(col(AdviserNote.thread_id) == thread_id)
        .order_by(col(AdviserNote.id).desc())
        .limit(limit + 1)
    )
    if Role.SAFEGUARDING_LEAD not in reader.roles:
        of_theirs = col(AdviserNote.organisation) == (context.badge.organisation if context.badge else None)
        notes = notes.where(or_(of_theirs, col(AdviserNote.author_id) == reader.member_id))
    if before:
        notes = notes.where(col(AdviserNote.id) < before[0])
    rows = (await work.session.execute(notes)).all()
    return pagination.page_of(rows, limit, lambda row: (str(row.id),))


async def add_note(
    work: Work, adviser: Viewer, thread_id: int, words: str, *, repeat: Repeat | None = None
) -> AdviserNote:
    """Leave a note on a thread. A `repeat` returns the note that it made.

    Raises NotFound, Forbidden, Invalid for words that the gate would hold, and what `Repeat.earlier` raises.
    """
    context = await context_in_thread(work, adviser, thread_id, NO_WORDS)
    allow(Act.WRITE_ADVISER_NOTE, adviser, context)
    if repeat and (earlier := await repeat.earlier(work)):
        return await work.session.get_one(AdviserNote, UUID(earlier))
    note = await _save(work, adviser, context, words)
    if repeat:
        await repeat.keep(work, note.id)
    return note


async def need_no_answer(work: Work, adviser: Viewer, thread_id: int, wanted: NoAnswer) -> None:
    """Say that a thread needs no answer of an adviser, and why. The next post that asks something waits again.

    Raises NotFound, Forbidden, Stale when the thread is no longer at that version, Conflict for a locked one, and
    Invalid for a note that the gate would hold.
    """
    context = await open_thread_for_advice(work, adviser, thread_id)
    up_to = wanted.up_to or context.thread.last_number
    did_wait = await settle(work.session, thread_id, col(Post.number) <= up_to)
    thread = await lock_thread_row(work.session, thread_id)
    if not did_wait and await _is_said_already(work, adviser, thread_id, wanted):
        return  # a double tap
    await refuse_stale_thread(work.session, thread, wanted.version)
    await _save(work, adviser, context, wanted.note, wanted.reason)
    subject, details = ("thread", thread_id), {"reason": str(wanted.reason)}
    await audit.record(
        work.session,
        actor_id=adviser.id,
        act="thread.needs_no_answer",
        subject=subject,
        now=work.now,
        details={**details},
    )


async def _is_said_already(work: Work, adviser: Viewer, thread_id: int, wanted: NoAnswer) -> bool:
    newest = select(AdviserNote).where(col(AdviserNote.thread_id) == thread_id).order_by(col(AdviserNote.id).desc())
    note = (await work.session.execute(newest.limit(1))).scalar_one_or_none()
    said = (adviser.member_id, wanted.reason, wanted.note or None)
    return note is not None and (note.author_id, note.reason, note.text) == said


async def export_own(session: AsyncSession, viewer: Viewer, _now: datetime) -> Sequence[ExportSection]:
    """Return the notes that the viewer wrote, and when others were written on their threads."""
    own = query(col(AdviserNote.thread_id), col(AdviserNote.reason), col(AdviserNote.text), col(AdviserNote.at)).where(
        col(AdviserNote.author_id) == viewer.id
    )
    about = (
        query(col(AdviserNote.thread_id), col(AdviserNote.at))
        .join(Thread, col(Thread.id) == col(AdviserNote.thread_id))
        .where(col(Thread.author_id).in_(viewer.personas), col(AdviserNote.author_id) != viewer.id)
    )
    written = (await session.execute(own.order_by(col(AdviserNote.id)))).all()
    others = (await session.execute(about.order_by(col(AdviserNote.id)))).all()
    told = "When advisers wrote something down on your threads. Ask us for their words: somebody reads them first"
    return (
        ExportSection("adviser_notes", "What you wrote down on threads as an adviser", items_of(written)),
        ExportSection("notes_on_threads", told, items_of(others)),
    )


async def forget_notes_about(session: AsyncSession, member_id: UUID) -> None:
    """Delete the notes on the threads that a member opened who leaves."""
    theirs = select(col(Thread.id)).where(is_persona_of(col(Thread.author_id), member_id))
    await session.execute(delete(AdviserNote).where(col(AdviserNote.thread_id).in_(theirs)))


async def delete_old(session: AsyncSession, now: datetime) -> None:
    """Delete notes that nobody needs any more, and those on threads of somebody who left."""
    left = (
        select(col(Thread.id))
        .join(Member, col(Member.id) == col(Thread.author_id))
        .where(col(Member.left_at).is_not(None))
    )
    is_over = or_(col(AdviserNote.at) < now - KEPT_FOR, col(AdviserNote.thread_id).in_(left))
    await session.execute(delete(AdviserNote).where(is_over))


async def _save(
    work: Work, adviser: Viewer, context: ReplyContext, words: str | None, reason: NoAnswerReason | None = None
) -> AdviserNote:
    if words:
        judged = await work.gate.judge(work.session, Submission(context.author, (words,)))
        if judged.held_because:
            raise Invalid(judged.held_because, "#/note" if reason else "#/text", code="note_would_be_held")
    note = AdviserNote(
        thread_id=context.thread.id,
        author_id=adviser.member_id,
        organisation=context.badge.organisation if context.badge else None,
        reason=reason,
        text=words or None,
        at=work.now,
    )
    work.session.add(note)
    await work.session.flush()
    return note
