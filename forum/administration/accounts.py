"""Accounts as administrators see them: who is here, in which state, and what they may do; giving and taking roles."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, and_, delete, exists, func, select, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.administration import advisers, roles
from forum.administration.invitations import Offer
from forum.authentication.second_factor import tables
from forum.core import audit
from forum.core.database import Moment, Query
from forum.core.errors import Invalid
from forum.members.queries import lock_member_row
from forum.members.roles import has_role
from forum.members.standing import standing_at
from forum.members.tables import Member, Role, Standing
from forum.members.viewer import Viewer, viewers

BY_ID = TypeAdapter(tuple[UUID])
PROPOSED_FOR = timedelta(days=7)


class AdministratorProposal(SQLModel, table=True):
    """A member whom one administrator wants for another: a second one has to agree."""

    __tablename__ = "administrator_proposal"

    member_id: UUID = Field(primary_key=True, foreign_key="member.id", ondelete="CASCADE")
    proposed_by: UUID = Field(foreign_key="member.id", ondelete="CASCADE", index=True)
    proposed_at: datetime = Field(sa_type=Moment)


class State(StrEnum):
    """What administrators look for."""

    ACTIVE = "active"
    SILENCED = "silenced"
    SUSPENDED = "suspended"
    BANNED = "banned"
    UNVERIFIED = "unverified"
    STAFF = "staff"
    WITHHELD = "withheld"  # staff who have no second factor: their roles open nothing
    PROPOSED = "proposed"  # wanted as administrators


_PROPOSED = exists().where(
    col(AdministratorProposal.member_id) == col(Member.id),
    col(AdministratorProposal.proposed_at) > func.now() - PROPOSED_FOR,
)


def _is(state: State) -> ColumnElement[bool]:
    match state:
        case State.UNVERIFIED:
            return col(Member.email_verified_at).is_(None)
        case State.STAFF:
            return has_role()
        case State.WITHHELD:
            return and_(has_role(), ~tables.has_one())
        case State.PROPOSED:
            return _PROPOSED
        case _:
            standing: ColumnElement[str] = standing_at(func.now())
            return standing == Standing(state)


def listed(state: State | None, after: tuple[UUID] | None, limit: int) -> Query:
    """A page of the accounts in this state, newest first."""
    page = _accounts().where(_is(state) if state else true())
    if after:
        page = page.where(col(Member.id) < after[0])
    return page.order_by(col(Member.id).desc()).limit(limit)


async def account(session: AsyncSession, member_id: UUID) -> Any:
    """The row of one account, as `listed` gives it."""
    return (await session.execute(_accounts().where(col(Member.id) == member_id))).one()


async def appoint(
    session: AsyncSession, administrator: UUID, member: Member, offer: Offer, now: datetime, *, two_people: bool
) -> None:
    """Give a role. An administrator's is given when two administrators want it, where `two_people` says so: until
    then it is proposed, for a week.

    Raises Conflict when the member has the role, Forbidden when their password is shorter than staff's must be, and
    Invalid for an adviser without title and organisation.
    """
    takes_two = two_people and offer.role == Role.ADMINISTRATOR
    if takes_two and not await _second_agrees(session, administrator, member, now):
        return
    if offer.role != Role.ADVISER:
        await roles.grant(session, member, offer.role, now, board_id=offer.board_id, by=administrator)
        return
    if not offer.title or not offer.organisation:
        raise Invalid("An adviser needs a title and an organisation: members see them beside every answer.", "#/title")
    await advisers.appoint(session, member, offer.title, offer.organisation, now, by=administrator)


async def dismiss(session: AsyncSession, administrator: Viewer, member: Member, role: Role, now: datetime) -> None:
    """Take a role of the whole forum away, or a proposal back; NotFound when there is neither, Conflict for the last
    administrator.
    """
    if role == Role.ADMINISTRATOR and await _forget_proposal(session, member):
        await _record(session, "administrator.proposal_withdrawn", administrator.member_id, member, now)
        return
    if role == Role.ADVISER:
        await advisers.dismiss(session, member, now, by=administrator.id)
    else:
        await roles.revoke(session, member, role, now, by=administrator.id)


async def tidy(session: AsyncSession, now: datetime) -> None:
    """Delete the proposals that nobody agreed to."""
    old = col(AdministratorProposal.proposed_at) <= now - PROPOSED_FOR
    await session.execute(delete(AdministratorProposal).where(old))


def _accounts() -> Query:
    known = viewers().add_columns(
        col(Member.email_verified_at),
        tables.has_one().label("second_factor"),
        _PROPOSED.label("proposed"),
    )
    return known.where(col(Member.left_at).is_(None))


async def _second_agrees(session: AsyncSession, administrator: UUID, member: Member, now: datetime) -> bool:
    """Whether another administrator proposed this before; else it is proposed now."""
    await lock_member_row(session, member.id)  # two who agree at once: one proposes, the other agrees
    proposal = await session.get(AdministratorProposal, member.id)
    if proposal and proposal.proposed_by != administrator and await _stands(session, proposal, now):
        await session.delete(proposal)
        return True
    row = {"member_id": member.id, "proposed_by": administrator, "proposed_at": now}
    upsert = insert(AdministratorProposal).values(row).on_conflict_do_update(index_elements=["member_id"], set_=row)
    await session.execute(upsert)
    await _record(session, "administrator.proposed", administrator, member, now)
    return False


async def _stands(session: AsyncSession, proposal: AdministratorProposal, now: datetime) -> bool:
    """Whether it is fresh, and its proposer is an administrator still."""
    held = has_role(proposal.proposed_by, Role.ADMINISTRATOR)
    return proposal.proposed_at > now - PROPOSED_FOR and bool((await session.execute(select(held))).scalar_one())


async def _forget_proposal(session: AsyncSession, member: Member) -> bool:
    this = delete(AdministratorProposal).where(col(AdministratorProposal.member_id) == member.id)
    return (await session.execute(this.returning(col(AdministratorProposal.member_id)))).first() is not None


async def _record(session: AsyncSession, act: str, actor: UUID, member: Member, now: datetime) -> None:
    await audit.record(session, actor_id=actor, act=act, subject=("member", member.id), now=now)
