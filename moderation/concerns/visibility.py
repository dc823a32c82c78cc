"""Who leads a concern: the safeguarding leads, but those whom it is about and those who are excluded from it.

For everybody else, and for a lead whom it is about under any of their personas, it does not exist. Where no lead is
left, it waits for the next one, and administrators hear only that there is nobody.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, any_, exists, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.core.database import query
from forum.core.errors import NotFound
from forum.core.work import Work
from forum.members.aliases import owner_of
from forum.members.standing import standing_at
from forum.members.tables import Member, Role, RoleGrant, Standing
from forum.members.viewer import VIEWER_ID, VIEWER_PERSONAS, Viewer
from moderation.concerns.tables import Concern, ConcernExclusion, ConcernPerson, ConcernState
from moderation.permissions import ModerationAct, allow


def _is_about(is_them: ColumnElement[bool]) -> ColumnElement[bool]:
    of_it = col(ConcernPerson.concern_id) == col(Concern.id)
    return exists().where(of_it, is_them).correlate_except(ConcernPerson)


def _is_excluded(member_id: Any) -> ColumnElement[bool]:
    this = (col(ConcernExclusion.concern_id) == col(Concern.id), col(ConcernExclusion.member_id) == member_id)
    return exists().where(*this).correlate_except(ConcernExclusion)


# The condition that a concern exists for a lead; statements with it get the viewer's `query_parameters`.
IS_LED = and_(
    col(Concern.state) != ConcernState.ERASED,
    ~_is_about(col(ConcernPerson.persona_id) == any_(VIEWER_PERSONAS)),
    ~_is_excluded(VIEWER_ID),
)


async def get_concern(work: Work, lead: Viewer, concern_id: UUID, *, locked: bool = False) -> Concern:
    """Return a concern to one of its leads, locked until the transaction ends where that is asked for.

    Raises Forbidden for anybody but safeguarding leads, and NotFound when it does not exist for the lead.
    """
    allow(ModerationAct.LEAD_CONCERNS, lead)
    this = select(Concern).where(col(Concern.id) == concern_id, IS_LED)
    found = await work.session.execute(
        this.with_for_update(key_share=True) if locked else this,
        lead.query_parameters,
        execution_options={"populate_existing": True},
    )
    concern = found.scalar_one_or_none()
    if concern is None:
        raise NotFound("There is no such concern.", code="concern_not_found")
    return concern


async def list_leads(session: AsyncSession, now: datetime, *concerns: ColumnElement[bool]) -> Mapping[UUID, list[UUID]]:
    """Return the leads of each concern under these conditions; an empty list says that nobody may read it."""
    return await _list_staff(session, now, Role.SAFEGUARDING_LEAD, concerns, ~_is_excluded(col(RoleGrant.member_id)))


async def list_told_that_nobody_leads(
    session: AsyncSession, now: datetime, *concerns: ColumnElement[bool]
) -> Mapping[UUID, list[UUID]]:
    """Return the administrators who hear that nobody may read a concern: all but those whom it is about.

    Also who stepped back from it as a lead: they learn only that somebody must be named.
    """
    return await _list_staff(session, now, Role.ADMINISTRATOR, concerns)


async def _list_staff(
    session: AsyncSession,
    now: datetime,
    role: Role,
    concerns: Collection[ColumnElement[bool]],
    *may_be_told: ColumnElement[bool],
) -> Mapping[UUID, list[UUID]]:
    member_id = col(RoleGrant.member_id)
    able = (
        query(col(Concern.id), member_id)
        .join(RoleGrant, col(RoleGrant.role) == role)
        .join(Member, col(Member.id) == member_id)
        .where(
            standing_at(now) == Standing.ACTIVE,
            ~_is_about(owner_of(col(ConcernPerson.persona_id)) == member_id),
            *may_be_told,
            *concerns,
        )
        .order_by(member_id)
    )
    every = query(col(Concern.id)).where(col(Concern.state) != ConcernState.ERASED, *concerns)
    found: dict[UUID, list[UUID]] = {row.id: [] for row in (await session.execute(every)).all()}
    for row in (await session.execute(able)).all():
        if row.id in found:
            found[row.id].append(row.member_id)
    return found
