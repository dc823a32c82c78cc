"""A member who lost their mailbox gets another address: two administrators agree, and the member has three days.

Whoever may change an address can take an account over. So it takes two, it is written to the audit record, the old
address and the member are told, and either can stop it.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import CheckConstraint, delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.authentication import email_addresses, old_logins
from forum.core import audit
from forum.core.database import Moment
from forum.core.errors import Forbidden, NotFound
from forum.core.jobs import Job, Payload
from forum.core.work import Work
from forum.mail import outbox, tokens
from forum.mail.tables import MailKind
from forum.members.queries import get_member, lock_member_row
from forum.members.roles import has_role
from forum.members.tables import Member, Role
from forum.members.viewer import Viewer
from forum.notifications import inbox
from forum.permissions import Act, allow, require_recent_sign_in

REPLACE_DUE = Job("replace_lost_mailboxes")
PROPOSED_FOR = timedelta(days=7)
WAITS_FOR = timedelta(hours=72)


class LostMailbox(SQLModel, table=True):
    """The address that is to take the place of a mailbox that a member lost, and who says so."""

    __tablename__ = "lost_mailbox"
    __table_args__ = (
        CheckConstraint("proposed_by <> member_id AND agreed_by <> member_id", name="others"),
        CheckConstraint("(agreed_at IS NULL) = (due_at IS NULL)", name="due"),
        CheckConstraint("due_at > agreed_at", name="order"),
    )

    member_id: UUID = Field(primary_key=True, foreign_key="member.id", ondelete="CASCADE")
    email: str
    proposed_by: UUID | None = Field(foreign_key="member.id", description="None: by the command line")
    proposed_at: datetime = Field(sa_type=Moment)
    agreed_by: UUID | None = Field(default=None, foreign_key="member.id")
    agreed_at: datetime | None = Field(default=None, sa_type=Moment)
    due_at: datetime | None = Field(default=None, sa_type=Moment)


async def replace_mailbox(work: Work, administrator: Viewer, handle: str, email: str) -> LostMailbox:
    """Say that a member lost their mailbox, and which address is theirs now; a second administrator agrees by the same.

    Idempotent. Where one administrator is enough for another one, one is enough here. Raises SignInAgain, Forbidden,
    also for one's own account, and NotFound.
    """
    require_recent_sign_in(administrator, work.now)
    allow(Act.ADMINISTER, administrator)
    member = await get_member(work.session, handle)
    if member.id == administrator.id:
        raise Forbidden("Others look after your own account: change your address yourself.", code="own_account")
    await lock_member_row(work.session, member.id)
    known = await work.session.get(LostMailbox, member.id, populate_existing=True)
    if known and _is_said_again(work, administrator, known, email):
        return known
    if known and await _agrees(work, administrator, known, email):
        await _agree(work, known, member, administrator.member_id)
        return known
    proposed = await _propose(work, member, email, administrator.member_id)
    if not work.settings.two_administrators:
        await _agree(work, proposed, member, administrator.member_id)
    return proposed


async def replace_by_command(work: Work, handle: str, email: str) -> LostMailbox:
    """Begin the three days from the command line, which needs no second administrator. Raises NotFound."""
    member = await get_member(work.session, handle)
    await lock_member_row(work.session, member.id)
    proposed = await _propose(work, member, email, None)
    await _agree(work, proposed, member, None)
    return proposed


async def get_own(work: Work, viewer: Viewer) -> LostMailbox:
    """Return the address that is to take the place of the viewer's. Raises NotFound when there is none."""
    known = await find_own(work, viewer)
    if known is None:
        raise NotFound("Nobody has said that you lost your mailbox.", code="lost_mailbox_not_found")
    return known


async def find_own(work: Work, viewer: Viewer) -> LostMailbox | None:
    """Return the address that is to take the place of the viewer's, if there is one."""
    known = await work.session.get(LostMailbox, viewer.member_id)
    return known if known and known.agreed_at else None


async def stop_own(work: Work, viewer: Viewer) -> None:
    """Keep one's address. Idempotent."""
    await lock_member_row(work.session, viewer.member_id)
    await _stop(work, viewer.member_id, "lost_mailbox.refused", by=viewer.id)


async def refuse(work: Work, token: str) -> None:
    """Keep the address to which this link was mailed. Raises NotFound when the link no longer works."""
    member = (await tokens.use_link(work.session, token, MailKind.LOST_MAILBOX, work.now)).member
    await _stop(work, member.id, "lost_mailbox.refused", by=None)


async def withdraw(work: Work, administrator: Viewer, handle: str) -> None:
    """Take it back, as an administrator. Idempotent. Raises SignInAgain, Forbidden and NotFound."""
    require_recent_sign_in(administrator, work.now)
    allow(Act.ADMINISTER, administrator)
    member = await get_member(work.session, handle)
    await lock_member_row(work.session, member.id)
    await _stop(work, member.id, "lost_mailbox.withdrawn", by=administrator.id)


async def replace_due(session: AsyncSession, _payload: Payload, now: datetime) -> None:
    """Job handler: give each member the other address whose three days are over. Idempotent."""
    due = select(col(LostMailbox.member_id)).where(col(LostMailbox.due_at) <= now).order_by(col(LostMailbox.member_id))
    for member_id in (await session.execute(due)).scalars().all():
        await _replace(session, member_id, now)


async def _replace(session: AsyncSession, member_id: UUID, now: datetime) -> None:
    member = await lock_member_row(session, member_id)
    known = await session.get(LostMailbox, member.id, populate_existing=True)
    if known is None or known.due_at is None:  # stopped a moment ago
        return
    # What was mailed to the mailbox that is lost opens nothing any more.
    await outbox.cancel_password_resets(session, member.id)
    await outbox.cancel(session, member.id, MailKind.VERIFY_ADDRESS)
    await outbox.cancel(session, member.id, MailKind.LOST_MAILBOX)
    member.email, member.email_verified_at, member.wanted_email = known.email, None, None
    await session.delete(known)
    await session.flush()
    await old_logins.trust_address(session, member.id)
    await email_addresses.enqueue_verification(session, member, now)
    await _record(session, "lost_mailbox.replaced", None, member.id, now)


async def delete_expired(session: AsyncSession, now: datetime) -> None:
    """Delete what a second administrator did not agree to within a week."""
    old = (col(LostMailbox.agreed_at).is_(None), col(LostMailbox.proposed_at) <= now - PROPOSED_FOR)
    await session.execute(delete(LostMailbox).where(*old))


def _is_said_again(work: Work, administrator: Viewer, known: LostMailbox, email: str) -> bool:
    """Return whether this adds nothing: it is agreed already, or this administrator said it within a week."""
    is_own = known.proposed_by == administrator.id and known.proposed_at > work.now - PROPOSED_FOR
    return known.email.lower() == email.lower() and (known.agreed_at is not None or is_own)


async def _agrees(work: Work, administrator: Viewer, known: LostMailbox, email: str) -> bool:
    """Return whether this administrator says the same as another, who said it within a week and still is one."""
    if known.agreed_at or known.proposed_by in {None, administrator.id} or known.email.lower() != email.lower():
        return False
    still = (await work.session.execute(select(has_role(known.proposed_by, Role.ADMINISTRATOR)))).scalar_one()
    return bool(still) and known.proposed_at > work.now - PROPOSED_FOR


async def _propose(work: Work, member: Member, email: str, by: UUID | None) -> LostMailbox:
    """Begin anew: what somebody said before no longer counts."""
    await _delete(work.session, member.id)
    proposed = LostMailbox(member_id=member.id, email=email, proposed_by=by, proposed_at=work.now)
    work.session.add(proposed)
    await work.session.flush()
    await _record(work.session, "lost_mailbox.proposed", by, member.id, work.now)
    return proposed


async def _agree(work: Work, known: LostMailbox, member: Member, by: UUID | None) -> None:
    known.agreed_by, known.agreed_at, known.due_at = by, work.now, work.now + WAITS_FOR
    await work.session.flush()
    await inbox.notify(work.session, member.id, inbox.NotificationKind.LOST_MAILBOX, work.now)
    await outbox.enqueue(work.session, MailKind.LOST_MAILBOX, work.now, member_id=member.id, email=member.email)
    await _record(work.session, "lost_mailbox.agreed", by, member.id, work.now)


async def _stop(work: Work, member_id: UUID, act: str, *, by: UUID | None) -> None:
    if await _delete(work.session, member_id):
        await _record(work.session, act, by, member_id, work.now)


async def _delete(session: AsyncSession, member_id: UUID) -> bool:
    await outbox.cancel(session, member_id, MailKind.LOST_MAILBOX)
    this = delete(LostMailbox).where(col(LostMailbox.member_id) == member_id)
    return (await session.execute(this.returning(col(LostMailbox.member_id)))).first() is not None


async def _record(session: AsyncSession, act: str, by: UUID | None, member_id: UUID, now: datetime) -> None:
    await audit.record(session, actor_id=by, act=act, subject=("member", member_id), now=now)
