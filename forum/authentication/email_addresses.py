"""Whose an e-mail address is: a link that was mailed there proves it, and the address before it has a say."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from forum.authentication import sessions, sign_in
from forum.core.database import Database, broken_constraint
from forum.core.errors import Conflict, NotFound
from forum.mail import outbox, tokens
from forum.mail.tables import Kind
from forum.mail.tokens import DEAD
from forum.members.queries import lock_member_row
from forum.members.tables import NO_PASSWORD, Member
from forum.members.viewer import Viewer


async def ask(session: AsyncSession, member: Member, now: datetime) -> None:
    """Have a link mailed to the address that the member has yet to verify, if there is one.

    Whose the address is already is found out when the mail is written: here, that would show in the time it takes.
    """
    if address := member.wanted_email or (None if member.email_verified_at else member.email):
        await outbox.enqueue(session, Kind.VERIFY_ADDRESS, now, member_id=member.id, email=address)


async def change(forum: Database, viewer: Viewer, email: str, current: str, now: datetime) -> None:
    """Ask for another address; it takes the database as `signing_in.sign_in` does, and Invalid is as there.

    It counts once a link that is mailed there has been followed. The present address, if it was verified, is told
    and can refuse. To ask for the present one is to change one's mind.
    """
    kept = await sign_in.proven(forum, viewer, current)
    async with forum.work() as session:
        member = await lock_member_row(session, viewer.member_id)
        sign_in.refuse_stale(member, kept)
        await tokens.invalidate(session, member.id, Kind.VERIFY_ADDRESS)
        member.wanted_email = None if email.lower() == member.email.lower() else email
        if member.wanted_email and member.email_verified_at:
            await outbox.enqueue(session, Kind.ADDRESS_CHANGE, now, member_id=member.id, email=member.email)
        await ask(session, member, now)


async def confirm(session: AsyncSession, token: str, now: datetime) -> UUID:
    """Take the address that this link was mailed to as its member's; who that is.

    Raises NotFound when the link no longer works, also because somebody else has verified the address meanwhile.
    """
    opened = await tokens.opened(session, token, Kind.VERIFY_ADDRESS, now)
    member = opened.member
    await tokens.invalidate(session, member.id, Kind.VERIFY_ADDRESS)
    if opened.email != member.email:
        await outbox.end_resets(session, member.id)  # they would lie in the mailbox that is left
    member.email, member.wanted_email = opened.email, None
    try:
        await vouch(session, member, now)
    except Conflict as error:
        raise NotFound(DEAD) from error
    return member.id


async def refuse(session: AsyncSession, token: str, now: datetime) -> UUID:
    """Keep the address that this link was mailed to, or take it back; whose it is. NotFound as `confirm`.

    Whoever asked for the change knew the password, so it opens nothing any more, and what it opened is closed.
    """
    opened = await tokens.opened(session, token, Kind.ADDRESS_CHANGE, now)
    member = opened.member
    await outbox.end_changes(session, member.id, since=opened.asked_at)
    await outbox.end_resets(session, member.id)
    member.email, member.wanted_email = opened.email, None
    member.password_hash = NO_PASSWORD
    await sessions.end_all(session, member.id)
    try:
        await vouch(session, member, now)
    except Conflict as error:
        raise NotFound(DEAD) from error
    return member.id


async def vouch(session: AsyncSession, member: Member, now: datetime) -> None:
    """Take the member's address as verified; Conflict when another member has verified it."""
    member.email_verified_at = now
    try:
        await session.flush()
    except IntegrityError as error:
        if broken_constraint(error) != "uq_member_verified_email":
            raise
        raise Conflict("Another member has verified this e-mail address.", pointer="#/email") from error
