"""A new password for who lost the old one: a link that is mailed, and nothing that tells whether there was anybody."""

from datetime import datetime
from uuid import UUID

from limits import RateLimitItem

from forum.authentication import sessions, sign_in
from forum.core import rate_limits
from forum.core.database import Database
from forum.mail import outbox, tokens
from forum.mail.tables import Kind
from forum.members.roles import is_staff
from forum.passwords import hashing
from forum.passwords.breached_passwords import BreachedPasswords


async def ask(forum: Database, login: str, guard: rate_limits.RateLimits, limit: RateLimitItem, now: datetime) -> None:
    """Have a link mailed to the member behind a handle or an address, if there is one.

    It is as much work for nobody: a mail is put down, and the worker finds that it is to no one. Throttled by the
    login as it was typed, like signing in, so that a handle and an address do not tell that they are one account's.
    """
    await guard.hit(limit, "password-reset", "login", sign_in.normal(login))
    who = await sign_in.claimant(forum.reader, login)
    somebody = {"member_id": who.id, "email": who.email} if who else {"member_id": None, "email": None}
    async with forum.work() as session:
        await outbox.enqueue(session, Kind.PASSWORD_RESET, now, **somebody)


async def reset(
    forum: Database,
    token: str,
    new: str,
    guard: rate_limits.RateLimits,
    limit: RateLimitItem,
    now: datetime,
    breaches: BreachedPasswords | None = None,
) -> UUID:
    """Take a new password with a link, and end every session; whose it is. It takes the database as `sign_in` does,
    and passes by no second factor: with the new password, that is asked for as before.

    Raises NotFound when the link no longer works, and Invalid when `new` is too short, too easily guessed or stolen;
    then the link works still. A change of address that was asked for with the old password is asked for no longer.
    Raises Throttled over the limit per member: each try keeps the one thread that hashes busy.
    """
    who = await tokens.owner(forum.reader, token, Kind.PASSWORD_RESET, now)
    await guard.hit(limit, "password", who.id)
    about = (who.handle, who.name, who.email)
    hashed = await hashing.hash_new(new, about=about, breaches=breaches, pointer="#/new")
    async with forum.work() as session:
        member = (await tokens.opened(session, token, Kind.PASSWORD_RESET, now)).member
        hashing.measure(new, staff=await is_staff(session, member.id), pointer="#/new")
        member.password_hash, member.staff_password = hashed, len(new) >= hashing.STAFF_MIN
        if member.wanted_email:
            await tokens.invalidate(session, member.id, Kind.VERIFY_ADDRESS)
            member.wanted_email = None
        await outbox.end_resets(session, member.id)
        await outbox.enqueue_sign_in_changed(session, member, now)
        await sessions.end_all(session, member.id)
        return member.id
