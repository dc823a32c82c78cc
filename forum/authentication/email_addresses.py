"""E-mail addresses: a mailed link proves that an address is yours, and your present address can refuse a change."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.authentication import sessions, sign_in
from forum.authentication.old_logins import MAY_RESET_BY_MAIL
from forum.core.database import broken_constraint
from forum.core.errors import Conflict
from forum.core.work import Transactions, Work
from forum.mail import outbox, tokens
from forum.mail.tables import MailKind
from forum.mail.tokens import UsedLink, link_expired
from forum.members.queries import lock_member_row
from forum.members.tables import NO_PASSWORD, Member
from forum.members.viewer import Viewer
from forum.permissions import require_recent_sign_in

_MAILABLE = select(col(Member.email)).where(MAY_RESET_BY_MAIL)


async def request_verification(work: Work, viewer: Viewer) -> None:
    """Mail a new link to the address that the viewer has yet to verify, if mail may go there. Raises Throttled."""
    await work.count_try("verification", "verification", viewer.id)
    await enqueue_verification(work.session, await lock_member_row(work.session, viewer.member_id), work.now)


async def change_address(transactions: Transactions, viewer: Viewer, email: str, current: str) -> None:
    """Ask for another address. It counts once a link that is mailed there was followed.

    The present address, if it was verified, gets a mail and can refuse. Asking for the present address takes an
    earlier wish back. Raises SignInAgain, Throttled, and Invalid when `current` is not the password.
    """
    require_recent_sign_in(viewer, transactions.now)
    await transactions.count_try("sign_in", "password", viewer.id)
    proven = await sign_in.prove_password(transactions, viewer, current)
    # Each wish is a mail to an address of the member's choice, and another one to the present address.
    await transactions.count_try("mail", "address-change", viewer.id)
    async with transactions.begin() as work:
        session, now = work.session, work.now
        member = await lock_member_row(session, viewer.member_id)
        sign_in.refuse_changed_password(member, proven)
        await tokens.invalidate_links(session, member.id, MailKind.VERIFY_ADDRESS)
        member.wanted_email = None if email.lower() == member.email.lower() else email
        if member.wanted_email and member.email_verified_at:
            await outbox.enqueue(session, MailKind.ADDRESS_CHANGE, now, member_id=member.id, email=member.email)
        await enqueue_verification(session, member, now)


async def confirm_address(work: Work, token: str) -> None:
    """Verify the address to which this link was mailed; it becomes its member's. Idempotent while the link lives.

    Raises NotFound when the link no longer works, or another member has verified the address meanwhile.
    """
    link = await tokens.use_link(work.session, token, MailKind.VERIFY_ADDRESS, work.now)
    member = link.member
    if link.is_repeat:
        if member.email != link.email or not member.email_verified_at:  # replaced meanwhile
            raise link_expired()
        return
    await tokens.invalidate_links(work.session, member.id, MailKind.VERIFY_ADDRESS)
    if link.email != member.email:
        # They may lie in the mailbox of the address that is given up.
        await outbox.cancel_password_resets(work.session, member.id)
    await _set_verified_address(work, link)
    work.forget_sessions_of(member.id)


async def refuse_change(work: Work, token: str) -> Member:
    """Keep the address to which this link was mailed, or take it back, and return its member.

    Whoever asked for the change knew the password, so it no longer works, and every session ends. Raises NotFound as
    `confirm_address` does.
    """
    link = await tokens.use_link(work.session, token, MailKind.ADDRESS_CHANGE, work.now)
    member = link.member
    await outbox.cancel_address_changes(work.session, member.id, since=link.asked_at)
    await outbox.cancel_password_resets(work.session, member.id)
    member.password_hash = NO_PASSWORD
    await sessions.end_all(work.session, member.id)
    await _set_verified_address(work, link)
    work.forget_sessions_of(member.id)
    return member


async def enqueue_verification(session: AsyncSession, member: Member, now: datetime) -> None:
    """Queue a mail to the address that the member has yet to verify, if there is one.

    None goes to the address of somebody who moved here years after they were last on their old board: a stranger may
    have it by now, and whoever follows the link has the account. They ask for another address.

    Whether somebody else has the address is asked when the mail is written: asked here, the time would tell it.
    """
    address = member.wanted_email
    if address is None and member.email_verified_at is None:
        address = (await session.execute(_MAILABLE.where(col(Member.id) == member.id))).scalar()
    if address:
        await outbox.enqueue(session, MailKind.VERIFY_ADDRESS, now, member_id=member.id, email=address)


async def mark_verified(session: AsyncSession, member: Member, now: datetime) -> None:
    """Mark the member's address as verified. Raises Conflict when another member has verified it."""
    member.email_verified_at = now
    try:
        await session.flush()
    except IntegrityError as error:
        if broken_constraint(error) != "uq_member_verified_email":
            raise
        raise Conflict(
            "Another member has verified this e-mail address.", code="address_taken", pointer="#/email"
        ) from error


async def _set_verified_address(work: Work, link: UsedLink) -> None:
    link.member.email, link.member.wanted_email = link.email, None
    try:
        await mark_verified(work.session, link.member, work.now)
    except Conflict as error:
        raise link_expired() from error
