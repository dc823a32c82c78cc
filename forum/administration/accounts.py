"""Accounts, for administrators: find them, read one, give and take roles of the whole forum."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.administration import advisers, roles
from forum.administration.roles import Offer
from forum.authentication import sessions
from forum.authentication.second_factor.tables import has_second_factor
from forum.content.boards import Board
from forum.core import audit, pagination
from forum.core.database import Moment, Query
from forum.core.errors import Invalid, NotFound
from forum.core.pagination import Page
from forum.core.work import Work
from forum.members.names import folded
from forum.members.queries import get_member, lock_member_row
from forum.members.roles import has_role
from forum.members.standing import standing_at
from forum.members.tables import Member, Role, Standing
from forum.members.viewer import Viewer, viewers
from forum.permissions import Act, allow, require_recent_sign_in

BY_ID = TypeAdapter(tuple[UUID])
PROPOSED_FOR = timedelta(days=7)


class AdministratorProposal(SQLModel, table=True):
    """A member whom one administrator proposes as another: a second administrator has to agree."""

    __tablename__ = "administrator_proposal"

    member_id: UUID = Field(primary_key=True, foreign_key="member.id", ondelete="CASCADE")
    proposed_by: UUID = Field(foreign_key="member.id", ondelete="CASCADE", index=True)
    proposed_at: datetime = Field(sa_type=Moment)


class AccountFilter(StrEnum):
    """Which accounts administrators look for."""

    ACTIVE = "active"
    REVIEWED = "reviewed"
    SILENCED = "silenced"
    SUSPENDED = "suspended"
    BANNED = "banned"
    UNVERIFIED = "unverified"
    STAFF = "staff"
    WITHHELD = "withheld"  # staff without a second factor: their roles do not count
    PROPOSED = "proposed"  # as administrators


@dataclass(frozen=True)
class AccountView:
    """What administrators see of an account; not its e-mail address."""

    id: UUID
    handle: str
    name: str
    joined_at: datetime
    standing: Standing
    email_verified: bool
    second_factor: bool
    roles: Sequence[Role]
    boards: Mapping[str, str]  # that they moderate: the names, by slug
    proposed_administrator: bool

    @property
    def moderated_boards(self) -> Sequence[str]:
        """The slugs of the boards that they moderate."""
        return list(self.boards)


_PROPOSED = exists().where(
    col(AdministratorProposal.member_id) == col(Member.id),
    col(AdministratorProposal.proposed_at) > func.now() - PROPOSED_FOR,
)


async def list_accounts(
    work: Work,
    viewer: Viewer,
    filter_: AccountFilter | None,
    after: str | None,
    limit: int,
    *,
    named: str | None = None,
) -> Page:
    """Return a page of accounts, newest first, and write to the audit record that somebody looked.

    `named` leaves those whose handle begins with it or whose name has it.
    Raises Forbidden, and Invalid for a cursor of another list.
    """
    allow(Act.ADMINISTER, viewer)
    before = pagination.decode(after, BY_ID) if after is not None else None
    rows = (await work.session.execute(_select_page(filter_, named, before, limit + 1))).all()
    boards = await _boards(work.session)
    await audit.record(
        work.session,
        actor_id=viewer.id,
        act="accounts.listed",
        subject=("accounts", filter_ or "all"),
        now=work.now,
    )
    return pagination.page_of([_view(row, boards) for row in rows], limit, lambda account: (str(account.id),))


async def get_account(work: Work, viewer: Viewer, handle: str) -> AccountView:
    """Return an account. Raises Forbidden, and NotFound when nobody has this handle."""
    allow(Act.ADMINISTER, viewer)
    return await read_account(work, (await get_member(work.session, handle)).id)


async def give_role(work: Work, viewer: Viewer, handle: str, offer: Offer) -> AccountView:
    """Give a member a role of the whole forum, or propose an administrator, and return their account.

    Raises SignInAgain, NotFound, and what `appoint` raises.
    """
    require_recent_sign_in(viewer, work.now)
    allow(Act.ADMINISTER, viewer)
    member = await get_member(work.session, handle)
    await appoint(work, viewer.member_id, member, offer)
    return await read_account(work, member.id)


async def take_role(work: Work, viewer: Viewer, handle: str, role: Role) -> AccountView:
    """Take a role of the whole forum away, or a proposal back, and return the account.

    Raises SignInAgain, Forbidden, NotFound when there is neither, and Conflict for the last administrator.
    """
    require_recent_sign_in(viewer, work.now)
    allow(Act.ADMINISTER, viewer)
    member = await get_member(work.session, handle)
    if role == Role.ADMINISTRATOR and await _delete_proposal(work.session, member):
        await _record(work, "administrator.proposal_withdrawn", viewer.member_id, member)
    elif role == Role.ADVISER:
        await advisers.dismiss(work.session, member, work.now, by=viewer.id)
    else:
        await roles.revoke(work.session, member, role, work.now, by=viewer.id)
    work.forget_sessions_of(member.id)
    return await read_account(work, member.id)


async def withdraw_proposal(work: Work, viewer: Viewer, handle: str) -> None:
    """Take a proposal of an administrator back, or refuse it: unlike `take_role`, it never takes the role itself.

    Raises SignInAgain, Forbidden, and NotFound when there is no such proposal any more.
    """
    require_recent_sign_in(viewer, work.now)
    allow(Act.ADMINISTER, viewer)
    member = await get_member(work.session, handle)
    if not await _delete_proposal(work.session, member):
        raise NotFound(f"{member.handle} is not proposed as an administrator.", code="proposal_not_found")
    await _record(work, "administrator.proposal_withdrawn", viewer.member_id, member)


async def sign_member_out(work: Work, viewer: Viewer, handle: str) -> None:
    """End every session of a member and forget their devices: somebody else may use their account. Idempotent.

    Raises SignInAgain, Forbidden, and NotFound when nobody has this handle.
    """
    require_recent_sign_in(viewer, work.now)
    allow(Act.ADMINISTER, viewer)
    member = await get_member(work.session, handle)
    await sessions.end_by_order(work.session, member.id, work.now, by=viewer.id)
    work.forget_sessions_of(member.id)


async def appoint(work: Work, administrator: UUID, member: Member, offer: Offer) -> None:
    """Give a role. Where two administrators are needed for another one, the first wish is a proposal for a week.

    Raises Conflict when the member has the role already, Forbidden when their password is too short for staff, and
    Invalid for an adviser without title and organisation.
    """
    work.forget_sessions_of(member.id)
    takes_two = work.settings.two_administrators and offer.role == Role.ADMINISTRATOR
    if takes_two and not await _second_agrees(work, administrator, member):
        return
    if offer.role != Role.ADVISER:
        await roles.grant(work.session, member, offer.role, work.now, board_id=offer.board_id, by=administrator)
        return
    if not offer.title or not offer.organisation:
        raise Invalid(
            "An adviser needs a title and an organisation: members see them beside every answer.",
            "#/title",
            code="adviser_needs_title",
        )
    await advisers.appoint(work.session, member, offer.title, offer.organisation, work.now, by=administrator)


async def read_account(work: Work, member_id: UUID) -> AccountView:
    """Return a member's account as administrators see it."""
    row = (await work.session.execute(_select_accounts().where(col(Member.id) == member_id))).one()
    return _view(row, await _boards(work.session))


async def delete_expired(session: AsyncSession, now: datetime) -> None:
    """Delete the proposals to which nobody agreed."""
    old = col(AdministratorProposal.proposed_at) <= now - PROPOSED_FOR
    await session.execute(delete(AdministratorProposal).where(old))


def _select_page(filter_: AccountFilter | None, named: str | None, after: tuple[UUID] | None, limit: int) -> Query:
    page = _select_accounts().where(_condition(filter_) if filter_ else true())
    if named:
        begins = col(Member.handle).startswith(folded(named.strip()), autoescape=True)
        page = page.where(or_(begins, col(Member.name).icontains(named.strip(), autoescape=True)))
    if after:
        page = page.where(col(Member.id) < after[0])
    return page.order_by(col(Member.id).desc()).limit(limit)


def _condition(filter_: AccountFilter) -> ColumnElement[bool]:
    match filter_:
        case AccountFilter.UNVERIFIED:
            return col(Member.email_verified_at).is_(None)
        case AccountFilter.STAFF:
            return has_role()
        case AccountFilter.WITHHELD:
            return and_(has_role(), ~has_second_factor())
        case AccountFilter.PROPOSED:
            return _PROPOSED
        case _:
            standing: ColumnElement[str] = standing_at(func.now())
            return standing == Standing(filter_)


def _select_accounts() -> Query:
    known = viewers().add_columns(
        col(Member.email_verified_at),
        has_second_factor().label("second_factor"),
        _PROPOSED.label("proposed"),
    )
    return known.where(col(Member.left_at).is_(None))


def _view(row: Any, boards: Mapping[int, Any]) -> AccountView:
    moderated = sorted((boards[board] for board in row.boards or ()), key=lambda board: str(board.slug))
    return AccountView(
        id=row.id,
        handle=row.handle,
        name=row.name,
        joined_at=row.joined_at,
        standing=row.standing,
        email_verified=row.email_verified_at is not None,
        second_factor=row.second_factor,
        roles=sorted(row.roles or ()),
        boards={board.slug: board.name for board in moderated},
        proposed_administrator=row.proposed,
    )


async def _boards(session: AsyncSession) -> Mapping[int, Any]:
    rows = (await session.execute(select(col(Board.id), col(Board.slug), col(Board.name)))).all()
    return {row.id: row for row in rows}


async def _second_agrees(work: Work, administrator: UUID, member: Member) -> bool:
    """Return whether another administrator proposed this before; otherwise propose it now."""
    await lock_member_row(work.session, member.id)  # two who agree at once: one proposes, the other agrees
    proposal = await work.session.get(AdministratorProposal, member.id)
    if proposal and proposal.proposed_by != administrator and await _is_valid(work, proposal):
        await work.session.delete(proposal)
        return True
    row = {"member_id": member.id, "proposed_by": administrator, "proposed_at": work.now}
    upsert = insert(AdministratorProposal).values(row).on_conflict_do_update(index_elements=["member_id"], set_=row)
    await work.session.execute(upsert)
    await _record(work, "administrator.proposed", administrator, member)
    return False


async def _is_valid(work: Work, proposal: AdministratorProposal) -> bool:
    """Return whether the proposal is recent, and its proposer is still an administrator."""
    held = has_role(proposal.proposed_by, Role.ADMINISTRATOR)
    is_recent = proposal.proposed_at > work.now - PROPOSED_FOR
    return is_recent and bool((await work.session.execute(select(held))).scalar_one())


async def _delete_proposal(session: AsyncSession, member: Member) -> bool:
    this = delete(AdministratorProposal).where(col(AdministratorProposal.member_id) == member.id)
    return (await session.execute(this.returning(col(AdministratorProposal.member_id)))).first() is not None


async def _record(work: Work, act: str, actor: UUID, member: Member) -> None:
    await audit.record(work.session, actor_id=actor, act=act, subject=("member", member.id), now=work.now)
