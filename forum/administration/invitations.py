"""Invitations to work here: sent to an address, and taken by the account that has verified it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Uuid, and_, bindparam, delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.content.boards import Board
from forum.core import audit
from forum.core.database import Moment, Prepared, new_id, query
from forum.core.errors import Conflict, NotFound
from forum.mail import outbox, tokens
from forum.mail.tables import Kind
from forum.members.roles import has_role
from forum.members.tables import Member, Role
from forum.members.viewer import Viewer

LASTS = timedelta(days=7)


class Invitation(SQLModel, table=True):
    """A role that somebody may take, whoever they are here, if the address is theirs. It goes when it is taken."""

    __table_args__ = (
        CheckConstraint(f"role IN ({', '.join(repr(str(role)) for role in Role)})", name="role"),
        CheckConstraint("board_id IS NULL OR role = 'moderator'", name="board_only_for_moderators"),
        CheckConstraint(
            "num_nonnulls(title, organisation) = CASE WHEN role = 'adviser' THEN 2 ELSE 0 END",
            name="adviser_speaks_for",
        ),
        Index("uq_invitation_email", text("lower(email)"), unique=True),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    email: str
    role: str
    board_id: int | None = Field(default=None, foreign_key="board.id", ondelete="CASCADE")
    title: str | None = None
    organisation: str | None = None
    invited_by: UUID = Field(foreign_key="member.id", ondelete="CASCADE", index=True)
    invited_at: datetime = Field(sa_type=Moment)
    expires_at: datetime = Field(sa_type=Moment, index=True)


@dataclass(frozen=True)
class Offer:
    """What somebody is invited to be: for moderators perhaps of one board, for advisers with whom they speak for."""

    role: Role
    board_id: int | None = None
    title: str | None = None
    organisation: str | None = None


_SHOWN = (
    query(
        Invitation.id,
        Invitation.email,
        Invitation.role,
        col(Board.slug).label("board"),
        Invitation.title,
        Invitation.organisation,
        Invitation.invited_at,
        Invitation.expires_at,
    )
    .outerjoin(Board, col(Board.id) == col(Invitation.board_id))
    .where(col(Invitation.expires_at) > bindparam("now", type_=Moment()))
    .order_by(col(Invitation.id).desc())
)
# Every invitation that can be taken, with who sent it.
OPEN = Prepared(
    _SHOWN.join(Member, col(Member.id) == col(Invitation.invited_by)).add_columns(
        col(Member.handle).label("by_handle"), col(Member.name).label("by_name"), col(Member.title).label("by_title")
    )
)
_FOR_ME = and_(
    func.lower(col(Invitation.email)) == func.lower(col(Member.email)), col(Member.email_verified_at).is_not(None)
)
# Whoever sent it administers still.
_STANDS = has_role(col(Invitation.invited_by), Role.ADMINISTRATOR)
# Those that a member can take: sent to the address that they have verified.
MINE = Prepared(
    _SHOWN.where(_STANDS).join(Member, _FOR_ME).where(col(Member.id) == bindparam("viewer_id", type_=Uuid()))
)


async def invite(session: AsyncSession, administrator: Viewer, email: str, offer: Offer, now: datetime) -> UUID:
    """Invite whoever can read mails at this address; which invitation it is. One before it to the same address goes.

    Whether the address has an account here is told to nobody.
    """
    await _take_back(session, func.lower(col(Invitation.email)) == email.lower())
    invitation = Invitation(
        email=email,
        role=offer.role,
        board_id=offer.board_id,
        title=offer.title,
        organisation=offer.organisation,
        invited_by=administrator.member_id,
        invited_at=now,
        expires_at=now + LASTS,
    )
    session.add(invitation)
    await outbox.enqueue(session, Kind.INVITATION, now, member_id=administrator.member_id, email=email)
    await _record(session, "invitation.sent", administrator, invitation, now)
    return invitation.id


async def withdraw(session: AsyncSession, administrator: Viewer, invitation_id: UUID, now: datetime) -> None:
    """Take an invitation back, and its mail if that was not sent; NotFound where there is none."""
    taken = await _take_back(session, col(Invitation.id) == invitation_id)
    if not taken:
        raise NotFound("There is no such invitation.")
    await _record(session, "invitation.withdrawn", administrator, taken[0], now)


async def invalidate(session: AsyncSession, member: Member) -> None:
    """Take back what a member was invited to who leaves, if the address is really theirs."""
    if member.email_verified_at:
        await _take_back(session, func.lower(col(Invitation.email)) == member.email.lower())


async def accept(
    session: AsyncSession, viewer: Viewer, invitation_id: UUID, token: str, now: datetime
) -> tuple[Offer, UUID]:
    """Take an invitation up: what it offers, and who sent it; whoever calls gives the role. NotFound where it is not
    the viewer's, or the link is not the one that was mailed with it, Conflict when it ran out.

    That the address is verified is not enough: somebody else may have joined with it, and its owner, who waits for an
    invitation, may have followed the link that this brought. Only who opened the invitation itself has its link.
    """
    opened = await tokens.opened(session, token, Kind.INVITATION, now)
    mailed_there = func.lower(col(Invitation.email)) == opened.email.lower()
    found = await session.execute(
        select(Invitation)
        .join(Member, _FOR_ME)
        .where(col(Invitation.id) == invitation_id, col(Member.id) == viewer.id, mailed_there, _STANDS)
        .with_for_update(of=Invitation)
    )
    invitation = found.scalar_one_or_none()
    if invitation is None:
        raise NotFound("There is no such invitation to an address that you have verified.")
    if invitation.expires_at <= now:
        raise Conflict("This invitation has run out. Ask for another.")
    await session.delete(invitation)
    await _record(session, "invitation.accepted", viewer, invitation, now)
    offer = Offer(Role(invitation.role), invitation.board_id, invitation.title, invitation.organisation)
    return offer, invitation.invited_by


async def tidy(session: AsyncSession, now: datetime) -> None:
    """Delete the invitations that ran out."""
    await session.execute(delete(Invitation).where(col(Invitation.expires_at) <= now))


async def _take_back(session: AsyncSession, condition: Any) -> Sequence[Invitation]:
    taken = (await session.execute(delete(Invitation).where(condition).returning(Invitation))).scalars().all()
    for invitation in taken:
        await outbox.cancel(session, invitation.invited_by, Kind.INVITATION, email=invitation.email)
    return taken


async def _record(session: AsyncSession, act: str, actor: Viewer, invitation: Invitation, now: datetime) -> None:
    await audit.record(
        session,
        actor_id=actor.id,
        act=act,
        subject=("invitation", invitation.id),
        now=now,
        details={"role": invitation.role, "board": invitation.board_id},
    )
