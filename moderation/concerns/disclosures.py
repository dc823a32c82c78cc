"""Copies of personal data leave concerns out. For each, a lead decides within a month what its member gets of it.

That a copy was asked for, what was decided, by which exemption and why, stays with the concern.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.core.database import new_id
from forum.core.errors import Conflict, Invalid, NotFound
from forum.core.export_section import ExportSection
from forum.core.work import Work
from forum.members.viewer import Viewer
from moderation.concerns import journal, telling
from moderation.concerns.dates import DECIDED_WITHIN
from moderation.concerns.tables import Concern, ConcernDisclosure, ConcernPerson, ConcernState, DisclosureOutcome
from moderation.concerns.visibility import get_concern


@dataclass(frozen=True)
class DisclosureDecision:
    """What a member gets of a concern, by which exemption they do not get all of it, and why."""

    outcome: DisclosureOutcome
    reason: str
    exemption: str | None = None


async def ask_leads(session: AsyncSession, viewer: Viewer, now: datetime) -> Sequence[ExportSection]:
    """Put nothing into a member's copy, and have the leads of what is about or by them decide on disclosure."""
    about = exists().where(
        col(ConcernPerson.concern_id) == col(Concern.id), col(ConcernPerson.persona_id).in_(viewer.personas)
    )
    theirs = select(col(Concern.id)).where(
        col(Concern.state) != ConcernState.ERASED, or_(about, col(Concern.raised_by) == viewer.id)
    )
    for concern_id in (await session.execute(theirs.order_by(col(Concern.id)))).scalars().all():
        asked = {"id": new_id(), "concern_id": concern_id, "member_id": viewer.member_id, "asked_at": now}
        row = insert(ConcernDisclosure).values(**asked, due_on=(now + DECIDED_WITHIN).date(), reason="")
        added = row.on_conflict_do_nothing().returning(col(ConcernDisclosure.id))
        if (await session.execute(added)).first():
            journal.record(session, concern_id, None, "disclosure_asked", now)
            await telling.tell_of(session, concern_id, now)
    return ()


async def decide(work: Work, lead: Viewer, concern_id: UUID, disclosure_id: UUID, decision: DisclosureDecision) -> None:
    """Record what a member gets of a concern; whatever is handed over is handed over outside the forum.

    Raises Forbidden, NotFound, Conflict when it is decided, and Invalid for something withheld without an exemption.
    """
    await get_concern(work, lead, concern_id, locked=True)
    disclosure = await work.session.get(ConcernDisclosure, disclosure_id, with_for_update=True)
    if disclosure is None or disclosure.concern_id != concern_id:
        raise NotFound("There is no such request.", code="disclosure_not_found")
    if disclosure.decided_at:
        raise Conflict("This is decided.", code="disclosure_decided")
    if decision.outcome != DisclosureOutcome.DISCLOSED and not decision.exemption:
        raise Invalid("Name the exemption.", "#/exemption", code="exemption_missing")
    disclosure.outcome, disclosure.reason, disclosure.exemption = decision.outcome, decision.reason, decision.exemption
    disclosure.decided_by, disclosure.decided_at = lead.member_id, work.now
    journal.record(work.session, concern_id, lead.id, "disclosure_decided", work.now, outcome=str(decision.outcome))
    await work.session.flush()
    await telling.tell_of(work.session, concern_id, work.now)
