"""Who hears a complaint: who neither made it, nor decided what it is about, nor is who that report is on.

For whoever the case of a report is about, under any of their personas, a complaint about how it was dealt with does not
exist, as the case itself does not.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from forum.core.database import Query, Record, query
from forum.members.aliases import owner_of
from forum.members.standing import standing_at
from forum.members.tables import Member, Role, RoleGrant, Standing
from moderation.cases import Case
from moderation.decisions import Decision
from moderation.public_reports.tables import PublicReport
from moderation.reports import Report
from moderation.service_complaints.tables import ComplaintAbout, ServiceComplaint
from moderation.statements import Statement


@dataclass(frozen=True)
class ComplaintPart:
    """Who made a complaint, who had decided what it is about, and whom that was about."""

    member_id: UUID | None
    decider_ids: Collection[UUID]
    accused_id: UUID | None

    def lets_hear(self, member_id: UUID) -> bool:
        """Return whether somebody who may hear complaints has no part in this one."""
        return member_id not in {self.member_id, self.accused_id, *self.decider_ids}

    def lets_know(self, member_id: UUID) -> bool:
        """Return whether somebody may be told that there is this complaint, and that it was not heard."""
        return member_id not in {self.member_id, self.accused_id}


# Whom the report is on that a complaint is about: of `with_report`.
_ACCUSED_ID = owner_of(col(Case.subject_persona_id))


def with_report(complaints: Query) -> Query:
    """Return a select of complaints joined with what each is about: its report, with or without an account, and case.

    Of a report without an account, the post may have been found since.
    """
    report_id = func.coalesce(col(ServiceComplaint.report_id), col(PublicReport.report_id))
    return (
        complaints.outerjoin(PublicReport, col(PublicReport.id) == col(ServiceComplaint.public_report_id))
        .outerjoin(Report, col(Report.id) == report_id)
        .outerjoin(Case, col(Case.id) == col(Report.case_id))
    )


def is_not_about(member_id: Any) -> ColumnElement[bool]:
    """Return the condition on `with_report` that a complaint is not about a report on somebody."""
    return or_(col(Case.id).is_(None), member_id != _ACCUSED_ID)


async def find_parts(session: AsyncSession, *complaints: ColumnElement[bool]) -> Mapping[UUID, ComplaintPart]:
    """Return who has a part in each of the complaints under these conditions: not who mended it since it was made."""
    wanted = query(
        col(ServiceComplaint.id),
        col(ServiceComplaint.member_id),
        col(ServiceComplaint.about),
        col(ServiceComplaint.made_at),
        col(PublicReport.settled_by),
        col(Report.case_id),
        _ACCUSED_ID.label("accused_id"),
    )
    rows = (await session.execute(with_report(wanted).where(*complaints))).all()
    by_case = await _list_decisions(session, {row.case_id for row in rows if row.case_id})
    members = {row.member_id for row in rows if row.about == ComplaintAbout.OWN_CONTENT and row.member_id}
    by_member = await _list_decisions_on(session, members)
    parts = {}
    for row in rows:
        own = by_member.get(row.member_id, ()) if row.about == ComplaintAbout.OWN_CONTENT else ()
        decided = [*by_case.get(row.case_id, ()), *own]
        deciders = {one.decided_by for one in decided if one.decided_at <= row.made_at}
        parts[row.id] = ComplaintPart(row.member_id, (deciders | {row.settled_by}) - {None}, row.accused_id)
    return parts


async def _list_decisions(session: AsyncSession, case_ids: Collection[UUID]) -> Mapping[UUID, Sequence[Record]]:
    """Return who took a decision on each of these cases, and when; whoever heard an appeal against one did, too."""
    first = aliased(Decision, name="first_decision")
    decided = (
        query(
            col(Decision.case_id),
            col(first.case_id).label("first_case_id"),
            col(Decision.decided_by),
            col(Decision.decided_at),
        )
        .outerjoin(first, col(first.id) == col(Decision.hears))
        .where(or_(col(Decision.case_id).in_(case_ids), col(first.case_id).in_(case_ids)))
    )
    rows = (await session.execute(decided)).all()
    return {case_id: [row for row in rows if case_id in (row.case_id, row.first_case_id)] for case_id in case_ids}


async def _list_decisions_on(session: AsyncSession, members: Collection[UUID]) -> Mapping[UUID, Sequence[Record]]:
    """Return who decided what each of these members received a statement of, and when, appeals against it included."""
    this = or_(col(Decision.id) == col(Statement.decision_id), col(Decision.hears) == col(Statement.decision_id))
    decided = (
        query(col(Statement.member_id), col(Decision.decided_by), col(Decision.decided_at))
        .join(Decision, this)
        .where(col(Statement.member_id).in_(members))
    )
    rows = (await session.execute(decided)).all() if members else []
    return {member_id: [row for row in rows if row.member_id == member_id] for member_id in members}


async def list_hearers(session: AsyncSession, now: datetime) -> Sequence[UUID]:
    """Return who may hear complaints, as ModerationAct.HEAR_COMPLAINTS says."""
    everywhere = (col(RoleGrant.role) == Role.MODERATOR) & col(RoleGrant.board_id).is_(None)
    return await _list_staff(session, now, or_(col(RoleGrant.role) == Role.ADMINISTRATOR, everywhere))


async def list_administrators(session: AsyncSession, now: datetime) -> Sequence[UUID]:
    """Return the administrators, who can name somebody else to hear a complaint."""
    return await _list_staff(session, now, col(RoleGrant.role) == Role.ADMINISTRATOR)


async def _list_staff(session: AsyncSession, now: datetime, has_role: ColumnElement[bool]) -> Sequence[UUID]:
    staff = (
        select(col(Member.id))
        .join(RoleGrant, col(RoleGrant.member_id) == col(Member.id))
        .where(has_role, standing_at(now) == Standing.ACTIVE)
        .distinct()
        .order_by(col(Member.id))
    )
    return (await session.execute(staff)).scalars().all()
