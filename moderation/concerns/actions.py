"""What leads do with a concern: write its chronology, assess, review and close it, and erase it in the end.

Nothing that was written is changed: a correction is another entry, an assessment another version.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from forum.core.database import Record
from forum.core.errors import Conflict, Invalid, NotFound
from forum.core.idempotency import Repeat
from forum.core.work import Work
from forum.members.queries import changed_since, get_member
from forum.members.roles import has_role
from forum.members.tables import Member, Role
from forum.members.viewer import Viewer
from forum.notifications import inbox
from moderation.concerns import dates, evidence, journal, telling
from moderation.concerns.queries import select_entries
from moderation.concerns.raising import ConcernBasis, refuse_missing_reason
from moderation.concerns.tables import (
    Concern,
    ConcernAssessment,
    ConcernCase,
    ConcernDisclosure,
    ConcernEntry,
    ConcernExclusion,
    ConcernPerson,
    ConcernPost,
    ConcernState,
)
from moderation.concerns.visibility import get_concern


@dataclass(frozen=True)
class EntryDraft:
    """An entry of the chronology: what happened and when, or which earlier entry it corrects."""

    text: str
    happened_at: datetime | None = None
    corrects: UUID | None = None


async def add_entry(
    work: Work, lead: Viewer, concern_id: UUID, draft: EntryDraft, *, repeat: Repeat | None = None
) -> Record:
    """Add an entry to the chronology, and return it. A `repeat` returns the entry that it made.

    Raises Forbidden, NotFound, Conflict for a closed concern, Invalid for an entry of the future or a correction of
    what is not here, and what `Repeat.earlier` raises.
    """
    await _get_open(work, lead, concern_id)
    entry_id = UUID(earlier) if repeat and (earlier := await repeat.earlier(work)) else None
    if entry_id is None:
        if draft.happened_at and draft.happened_at > work.now:
            raise Invalid("This time has not come yet.", "#/happened_at", code="time_to_come")
        await _refuse_foreign_entry(work, concern_id, draft.corrects)
        entry = ConcernEntry(
            concern_id=concern_id,
            author_id=lead.member_id,
            text=draft.text,
            happened_at=draft.happened_at,
            corrects=draft.corrects,
            written_at=work.now,
        )
        work.session.add(entry)
        entry_id = entry.id
        journal.record(work.session, concern_id, lead.id, "entry_added", work.now, entry=str(entry_id))
        await work.session.flush()
        if repeat:
            await repeat.keep(work, entry_id)
    this = select_entries(concern_id).where(col(ConcernEntry.id) == entry_id)
    return (await work.session.execute(this)).one()


async def assess(work: Work, lead: Viewer, concern_id: UUID, number: int, said: ConcernBasis) -> None:
    """Write another version of the assessment. `number` is of the one that was on the screen.

    Raises Forbidden, NotFound, Stale when somebody wrote one meanwhile, Conflict for a closed concern, and Invalid for
    consent that was not sought without the reason.
    """
    await _get_open(work, lead, concern_id)
    refuse_missing_reason(said)
    newest = select(ConcernAssessment).where(col(ConcernAssessment.concern_id) == concern_id)
    last = (await work.session.execute(newest.order_by(col(ConcernAssessment.number).desc()).limit(1))).scalar_one()
    if last.number != number:
        raise await changed_since(
            work.session,
            "Somebody wrote another assessment meanwhile.",
            code="concern_assessment_changed",
            current=last.number,
            by=last.written_by,
            at=last.written_at,
        )
    work.session.add(
        ConcernAssessment(
            concern_id=concern_id,
            number=number + 1,
            consent=said.consent,
            consent_why=said.consent_why,
            lawful_ground=said.lawful_ground,
            immediate_action=said.immediate_action,
            written_by=lead.member_id,
            written_at=work.now,
        )
    )
    details: dict[str, Any] = {"number": number + 1, "consent": str(said.consent) if said.consent else None}
    journal.record(work.session, concern_id, lead.id, "assessed", work.now, **details)


async def set_review(work: Work, lead: Viewer, concern_id: UUID, review_on: date) -> None:
    """Say when an open concern is looked at again.

    Raises Forbidden, NotFound, Conflict for a closed one, and Invalid for a day that is too far away.
    """
    concern = await _get_open(work, lead, concern_id)
    dates.refuse_late_review(work, review_on, "#/review_on")
    concern.review_on = review_on
    journal.record(work.session, concern_id, lead.id, "reviewed", work.now, review_on=review_on.isoformat())
    await _tell(work, concern_id)


async def close(work: Work, lead: Viewer, concern_id: UUID, keep_until: date) -> None:
    """Close a concern, and say until when it is kept; of a closed one, say it anew.

    Raises Forbidden, NotFound, and Invalid for a day that is not to come.
    """
    concern = await get_concern(work, lead, concern_id, locked=True)
    dates.refuse_past_end(work, keep_until)
    act = "closed" if concern.state == ConcernState.OPEN else "kept_longer"
    if concern.state == ConcernState.OPEN:
        concern.state, concern.closed_at, concern.closed_by = ConcernState.CLOSED, work.now, lead.member_id
    concern.keep_until = keep_until
    journal.record(work.session, concern_id, lead.id, act, work.now, keep_until=keep_until.isoformat())
    await _tell(work, concern_id)


async def reopen(work: Work, lead: Viewer, concern_id: UUID) -> None:
    """Open a closed concern again, to be looked at within 28 days. Idempotent. Raises Forbidden and NotFound."""
    concern = await get_concern(work, lead, concern_id, locked=True)
    if concern.state == ConcernState.OPEN:
        return
    concern.state, concern.closed_at, concern.closed_by, concern.keep_until = ConcernState.OPEN, None, None, None
    concern.review_on = (work.now + dates.REVIEWED_WITHIN).date()
    journal.record(work.session, concern_id, lead.id, "reopened", work.now)
    await _tell(work, concern_id)


async def erase(work: Work, lead: Viewer, concern_id: UUID) -> None:
    """Erase a closed concern whose time is over: only its dates and its audit record stay, for no reader.

    Raises Forbidden, NotFound, and Conflict for one that is open, kept for longer, or under a legal hold.
    """
    concern = await get_concern(work, lead, concern_id, locked=True)
    if concern.keep_until is None or concern.keep_until > work.now.date():
        raise Conflict("It is kept until a day that has not come.", code="concern_is_kept")
    if await evidence.has_hold(work.session, concern_id):
        raise Conflict("A legal hold keeps it. End the hold first.", code="concern_is_held")
    concern.state, concern.text, concern.reply_to, concern.raised_by = ConcernState.ERASED, "", None, None
    journal.record(work.session, concern_id, lead.id, "erased", work.now)
    await work.session.flush()
    parts = (ConcernAssessment, ConcernEntry, ConcernPost, ConcernCase, ConcernDisclosure)
    for table in (*parts, ConcernExclusion, ConcernPerson):
        await work.session.execute(delete(table).where(col(table.concern_id) == concern_id))
    await inbox.withdraw(work.session, telling.TO_LEADS, concern_id)


async def exclude(work: Work, lead: Viewer, concern_id: UUID, handle: str, reason: str) -> None:
    """Have a lead no longer read a concern, or step back from it oneself. Idempotent.

    Where no lead is left, administrators hear that. Raises Forbidden, NotFound, and Conflict for somebody who is no
    safeguarding lead.
    """
    await get_concern(work, lead, concern_id, locked=True)
    other = await get_member(work.session, handle)
    is_lead = select(col(Member.id)).where(col(Member.id) == other.id, has_role(None, Role.SAFEGUARDING_LEAD))
    if (await work.session.execute(is_lead)).first() is None:
        raise Conflict("They are no safeguarding lead: it does not exist for them.", code="not_a_lead")
    values = {"concern_id": concern_id, "member_id": other.id, "reason": reason}
    row = insert(ConcernExclusion).values(**values, excluded_by=lead.member_id, excluded_at=work.now)
    added = row.on_conflict_do_nothing().returning(col(ConcernExclusion.member_id))
    if (await work.session.execute(added)).first():
        journal.record(work.session, concern_id, lead.id, "excluded", work.now, member=str(other.id))
        await _tell(work, concern_id)


async def readmit(work: Work, lead: Viewer, concern_id: UUID, handle: str) -> None:
    """Let a lead read a concern again who was excluded; for whom it is about, it still does not exist. Idempotent.

    Raises Forbidden and NotFound.
    """
    await get_concern(work, lead, concern_id, locked=True)
    other = await get_member(work.session, handle)
    this = (col(ConcernExclusion.concern_id) == concern_id, col(ConcernExclusion.member_id) == other.id)
    gone = await work.session.execute(delete(ConcernExclusion).where(*this).returning(col(ConcernExclusion.member_id)))
    if gone.first():
        journal.record(work.session, concern_id, lead.id, "readmitted", work.now, member=str(other.id))
        await _tell(work, concern_id)


async def _get_open(work: Work, lead: Viewer, concern_id: UUID) -> Concern:
    concern = await get_concern(work, lead, concern_id, locked=True)
    if concern.state != ConcernState.OPEN:
        raise Conflict("This concern is closed. Open it again first.", code="concern_closed")
    return concern


async def _tell(work: Work, concern_id: UUID) -> None:
    await work.session.flush()
    await telling.tell_of(work.session, concern_id, work.now)


async def _refuse_foreign_entry(work: Work, concern_id: UUID, entry_id: UUID | None) -> None:
    if entry_id is None:
        return
    entry = await work.session.get(ConcernEntry, entry_id)
    if entry is None or entry.concern_id != concern_id:
        raise NotFound("There is no such entry.", code="entry_not_found")
