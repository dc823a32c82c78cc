"""Invitations to become staff: sent to an address, accepted by the account that has verified it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Uuid, and_, bindparam, delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.administration import accounts, board_settings
from forum.administration.accounts import AccountView
from forum.administration.roles import Offer
from forum.content import boards
from forum.content.boards import Board
from forum.core import audit
from forum.core.database import Moment, Prepared, Reader, check_one_of, new_id, query
from forum.core.errors import Conflict, Invalid, NotFound
from forum.core.idempotency import Repeat
from forum.core.work import Work
from forum.mail import outbox, tokens
from forum.mail.tables import MailKind
from forum.members.queries import named_columns
from forum.members.roles import has_role
from forum.members.tables import Member, Role
from forum.members.viewer import Viewer
from forum.permissions import Act, allow, require_recent_sign_in

LIFETIME = timedelta(days=7)


class Invitation(SQLModel, table=True):
    """A role that the owner of an address may accept, with any account. It is deleted when it is accepted."""

    __table_args__ = (
        check_one_of("role", Role),
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


@dataclass(frozen=True, kw_only=True)
class InvitationWish:
    """Whom an administrator invites, and to which role; `board` is the slug of a moderator's only board."""

    email: str
    role: Role
    board: str | None = None
    title: str | None = None
    organisation: str | None = None


_SHOWN = (
    query(
        Invitation.id,
        Invitation.email,
        Invitation.role,
        col(Board.slug).label("board"),
        col(Board.name).label("board_name"),
        Invitation.title,
        Invitation.organisation,
        Invitation.invited_at,
        Invitation.expires_at,
    )
    .outerjoin(Board, col(Board.id) == col(Invitation.board_id))
    .where(col(Invitation.expires_at) > bindparam("now", type_=Moment()))
    .order_by(col(Invitation.id).desc())
)
# Every invitation that can still be accepted, with who sent it.
_OPEN = Prepared(
    _SHOWN.join(Member, col(Member.id) == col(Invitation.invited_by)).add_columns(*named_columns(Member, "by"))
)
_IS_FOR_MEMBER = and_(
    func.lower(col(Invitation.email)) == func.lower(col(Member.email)), col(Member.email_verified_at).is_not(None)
)
# The sender is still an administrator.
_SENDER_ADMINISTERS = has_role(col(Invitation.invited_by), Role.ADMINISTRATOR)
# Those that a member can accept: sent to the address that they have verified.
_OWN = Prepared(
    _SHOWN.where(_SENDER_ADMINISTERS)
    .join(Member, _IS_FOR_MEMBER)
    .where(col(Member.id) == bindparam("viewer_id", type_=Uuid()))
)


async def list_open(reader: Reader, viewer: Viewer, now: datetime) -> Sequence[Any]:
    """Return every invitation that can still be accepted, newest first, with who sent it. Raises Forbidden."""
    allow(Act.ADMINISTER, viewer)
    return await reader.rows(_OPEN, now=now)


@dataclass(frozen=True)
class InvitationScreen:
    """What an administrator needs to invite somebody: the open invitations, and the boards that one can be for."""

    open: Sequence[Any]
    boards: Sequence[Board]


async def read_screen(work: Work, administrator: Viewer) -> InvitationScreen:
    """Return the open invitations, newest first, and every board that is not archived. Raises Forbidden."""
    every = await board_settings.list_boards(work, administrator)
    rows = (await work.session.execute(_OPEN.query, {"now": work.now})).all()
    return InvitationScreen(rows, [board for board in every if board.archived_at is None])


async def list_own(reader: Reader, viewer: Viewer, now: datetime) -> Sequence[Any]:
    """Return the invitations to the address that the viewer has verified, newest first."""
    return await reader.rows(_OWN, viewer_id=viewer.id, now=now)


async def invite(work: Work, viewer: Viewer, wish: InvitationWish, *, repeat: Repeat | None = None) -> Any:
    """Invite whoever can read mails at this address, and return the invitation. An earlier one to the address goes.

    Nobody learns whether the address has an account here. A `repeat` returns the invitation that it made. Raises
    SignInAgain, Forbidden, Invalid for a title, organisation or board that does not belong to the role, NotFound for a
    repeat whose invitation is gone, and what `Repeat.earlier` raises.
    """
    require_recent_sign_in(viewer, work.now)
    allow(Act.ADMINISTER, viewer)
    if repeat and (earlier := await repeat.earlier(work)):
        return await _get_open(work, UUID(earlier))
    offer = await _check_offer(work, wish)
    await _delete(work.session, func.lower(col(Invitation.email)) == wish.email.lower())
    invitation = Invitation(
        email=wish.email,
        role=offer.role,
        board_id=offer.board_id,
        title=offer.title,
        organisation=offer.organisation,
        invited_by=viewer.member_id,
        invited_at=work.now,
        expires_at=work.now + LIFETIME,
    )
    work.session.add(invitation)
    await outbox.enqueue(work.session, MailKind.INVITATION, work.now, member_id=viewer.member_id, email=wish.email)
    await _record(work, "invitation.sent", viewer, invitation)
    if repeat:
        await repeat.keep(work, invitation.id)
    return await _get_open(work, invitation.id)


async def withdraw(work: Work, viewer: Viewer, invitation_id: UUID) -> None:
    """Withdraw an invitation, and its mail if that was not sent yet.

    Raises SignInAgain, Forbidden, and NotFound when there is none.
    """
    require_recent_sign_in(viewer, work.now)
    allow(Act.ADMINISTER, viewer)
    deleted = await _delete(work.session, col(Invitation.id) == invitation_id)
    if not deleted:
        raise _not_found()
    await _record(work, "invitation.withdrawn", viewer, deleted[0])


async def _get_open(work: Work, invitation_id: UUID) -> Any:
    rows = (await work.session.execute(_OPEN.query, {"now": work.now})).all()
    found = next((row for row in rows if row.id == invitation_id), None)
    if found is None:
        raise _not_found()
    return found


def _not_found() -> NotFound:
    return NotFound("There is no such invitation.", code="invitation_not_found")


async def accept(work: Work, viewer: Viewer, invitation_id: UUID, token: str) -> AccountView:
    """Accept an invitation with the link that was mailed with it, and return the viewer's account.

    A verified address is not enough: somebody else may have joined with it, and its owner, who waits for an
    invitation, may have followed the link that this joining mailed. Only the reader of the invitation has its link.

    Raises SignInAgain, NotFound when the invitation is not the viewer's or the link is another's, Conflict when it has
    expired, and what `accounts.appoint` raises.
    """
    require_recent_sign_in(viewer, work.now)
    link = await tokens.use_link(work.session, token, MailKind.INVITATION, work.now)
    mailed_there = func.lower(col(Invitation.email)) == link.email.lower()
    found = await work.session.execute(
        select(Invitation)
        .join(Member, _IS_FOR_MEMBER)
        .where(col(Invitation.id) == invitation_id, col(Member.id) == viewer.id, mailed_there, _SENDER_ADMINISTERS)
        .with_for_update(of=Invitation)
    )
    invitation = found.scalar_one_or_none()
    if invitation is None:
        raise NotFound("There is no such invitation to an address that you have verified.", code="invitation_not_found")
    if invitation.expires_at <= work.now:
        raise Conflict("This invitation has expired. Ask for another.", code="invitation_expired")
    await work.session.delete(invitation)
    await _record(work, "invitation.accepted", viewer, invitation)
    offer = Offer(Role(invitation.role), invitation.board_id, invitation.title, invitation.organisation)
    member = await work.session.get_one(Member, viewer.member_id)
    await accounts.appoint(work, invitation.invited_by, member, offer)
    return await accounts.read_account(work, member.id)


async def withdraw_all_to(session: AsyncSession, member: Member) -> None:
    """Withdraw the invitations to a member who leaves, if the address is really theirs."""
    if member.email_verified_at:
        await _delete(session, func.lower(col(Invitation.email)) == member.email.lower())


async def delete_expired(session: AsyncSession, now: datetime) -> None:
    """Delete expired invitations."""
    await session.execute(delete(Invitation).where(col(Invitation.expires_at) <= now))


async def _check_offer(work: Work, wish: InvitationWish) -> Offer:
    badge = (wish.title, wish.organisation)
    if not (all(badge) if wish.role == Role.ADVISER else badge == (None, None)):
        raise Invalid(
            "An adviser needs a title and an organisation. No other role has them.",
            "#/title",
            code="adviser_needs_title" if wish.role == Role.ADVISER else "title_only_for_advisers",
        )
    if wish.board is None:
        return Offer(wish.role, None, wish.title, wish.organisation)
    board = await boards.find_board(work.session, wish.board)
    if board is None or wish.role != Role.MODERATOR:
        raise Invalid(
            "Only a moderator can be for one board, and the board must exist.",
            "#/board",
            code="board_not_found" if board is None else "role_not_for_one_board",
        )
    return Offer(wish.role, board.id)


async def _delete(session: AsyncSession, condition: Any) -> Sequence[Invitation]:
    deleted = (await session.execute(delete(Invitation).where(condition).returning(Invitation))).scalars().all()
    for invitation in deleted:
        await outbox.cancel(session, invitation.invited_by, MailKind.INVITATION, email=invitation.email)
    return deleted


async def _record(work: Work, act: str, actor: Viewer, invitation: Invitation) -> None:
    await audit.record(
        work.session,
        actor_id=actor.id,
        act=act,
        subject=("invitation", invitation.id),
        now=work.now,
        details={"role": invitation.role, "board": invitation.board_id},
    )
