"""Reads: what came of a complaint, and which of them wait for somebody to hear them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.core.database import Query, Record, query
from forum.core.errors import NotFound, NotSignedIn
from forum.core.export_section import ExportSection, items_of
from forum.core.work import Work
from forum.members.queries import named_columns
from forum.members.tables import Member
from forum.members.viewer import Viewer
from forum.permissions import Refusal
from moderation.permissions import ModerationAct, allow, refusal
from moderation.public_reports.actions import digest
from moderation.public_reports.queries import Progress, count_question, find_progress, unknown_code
from moderation.reports import Report, ReportOutcome
from moderation.service_complaints import telling
from moderation.service_complaints.tables import ComplaintAbout, ServiceComplaint
from moderation.service_complaints.visibility import find_parts, is_not_about, with_report

MOST_LISTED = 100


@dataclass(frozen=True)
class HeardComplaint:
    """A complaint as those who answer read it, with why this one may not."""

    row: Any
    reason: Refusal | None

    @property
    def because(self) -> str | None:
        """The reason as a sentence."""
        return self.reason.detail if self.reason else None


# To follow


async def follow_complaint(work: Work, _viewer: Viewer, token: str, address: str) -> Progress:
    """Return what was answered. Raises Throttled over the limit per network, and NotFound for an unknown code."""
    await count_question(work, address)
    found = await _find_answer(work, token)
    if found is None:
        raise unknown_code()
    return found


async def follow(work: Work, _viewer: Viewer, token: str, address: str) -> Progress:
    """Return what came of a report or a complaint, whichever has this code. Raises as `follow_complaint` does."""
    await count_question(work, address)
    found = await find_progress(work, token) or await _find_answer(work, token)
    if found is None:
        raise unknown_code()
    return found


async def _find_answer(work: Work, token: str) -> Progress | None:
    this = col(ServiceComplaint.token_digest) == digest(token)
    row = (await work.session.execute(_SELECT_OWN.where(this))).one_or_none()
    if row is None or row.answered_at:
        return _progress(row) if row else None
    is_heard = await telling.list_free_for(work.session, this, work.now)
    return replace(_progress(row), outside_contact=None if is_heard else work.settings.outside_contact)


_SELECT_OWN: Query = query(
    col(ServiceComplaint.about),
    col(ServiceComplaint.text),
    col(ServiceComplaint.made_at),
    col(ServiceComplaint.due_at),
    col(ServiceComplaint.outcome),
    col(ServiceComplaint.answer),
    col(ServiceComplaint.answered_at),
)


def _progress(row: Record) -> Progress:
    outcome = ReportOutcome(row.outcome) if row.outcome else None
    return Progress(row.made_at, row.due_at, outcome, row.answer, row.answered_at)


@dataclass(frozen=True)
class OwnComplaint:
    """A complaint as its member reads it."""

    about: ComplaintAbout
    text: str
    progress: Progress


async def list_own(work: Work, viewer: Viewer) -> Sequence[OwnComplaint]:
    """Return the viewer's own complaints about the service, newest first: 100 at most. Raises NotSignedIn."""
    if viewer.id is None:
        raise NotSignedIn("Sign in to see your complaints.")
    return await read_own(work, viewer)


async def read_own(work: Work, viewer: Viewer) -> Sequence[OwnComplaint]:
    """Return the viewer's own complaints about the service as `list_own` does; a guest has none."""
    own = _SELECT_OWN.where(col(ServiceComplaint.member_id) == viewer.id, col(ServiceComplaint.member_id).is_not(None))
    rows = (await work.session.execute(own.order_by(col(ServiceComplaint.id).desc()).limit(MOST_LISTED))).all()
    return [OwnComplaint(ComplaintAbout(row.about), row.text, _progress(row)) for row in rows]


async def export_own(session: AsyncSession, viewer: Viewer, _now: datetime) -> Sequence[ExportSection]:
    """Return the viewer's complaints about the service, with the answers."""
    own = _SELECT_OWN.where(col(ServiceComplaint.member_id) == viewer.id).order_by(col(ServiceComplaint.id))
    rows = items_of((await session.execute(own)).all())
    return (ExportSection("service_complaints", "What you complained of about the service", rows),)


# To hear


async def list_complaints(work: Work, hearer: Viewer) -> Sequence[HeardComplaint]:
    """Return the complaints that wait, but those about a report on the hearer: 100 at most. Raises Forbidden.

    Those of danger come first, then those due first.
    """
    allow(ModerationAct.HEAR_COMPLAINTS, hearer)
    wanted = query(
        col(ServiceComplaint.id),
        col(ServiceComplaint.about),
        col(ServiceComplaint.text),
        col(ServiceComplaint.email),
        col(ServiceComplaint.is_urgent),
        col(ServiceComplaint.made_at),
        col(ServiceComplaint.due_at),
        col(Report.case_id),
        *named_columns(Member, "author"),
    ).outerjoin(Member, col(Member.id) == col(ServiceComplaint.member_id))
    waiting = (
        with_report(wanted)
        .where(col(ServiceComplaint.answered_at).is_(None), is_not_about(hearer.id))
        .order_by(col(ServiceComplaint.is_urgent).desc(), col(ServiceComplaint.due_at), col(ServiceComplaint.id))
        .limit(MOST_LISTED)
    )
    rows = (await work.session.execute(waiting)).all()
    parts = await find_parts(work.session, col(ServiceComplaint.id).in_([row.id for row in rows]))
    return [HeardComplaint(row, refusal(ModerationAct.ANSWER_COMPLAINT, hearer, parts[row.id])) for row in rows]


async def get_complaint(work: Work, hearer: Viewer, complaint_id: UUID) -> HeardComplaint:
    """Return one of the complaints that `list_complaints` lists. Raises Forbidden, and NotFound for any other."""
    found = next((heard for heard in await list_complaints(work, hearer) if heard.row.id == complaint_id), None)
    if found is None:
        raise NotFound("There is no such complaint.", code="complaint_not_found")
    return found
