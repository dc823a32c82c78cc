"""Join under a pseudonym: nobody gets a handle that looks like somebody else's."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from forum.authentication import arrivals, email_addresses
from forum.authentication.profiles import (
    Profile,
    handle_taken,
    judge_name,
    read_profile,
    refusal_of,
    refuse_look_alikes,
)
from forum.authentication.rules_acceptance import record_acceptance
from forum.core import rate_limits
from forum.core.errors import Invalid
from forum.core.idempotency import Repeat
from forum.core.work import Transactions, Work
from forum.members import names
from forum.members.departure import is_handle_spent
from forum.members.tables import Member
from forum.passwords import hashing, policy
from forum.passwords.breached_passwords import BreachedPasswords


@dataclass(frozen=True, kw_only=True)
class Newcomer:
    """What somebody sends to join."""

    handle: str
    name: str
    email: str
    password: str = field(repr=False)
    rules_version: int | None = None
    least_age: int | None = None


@dataclass(frozen=True, kw_only=True)
class NewAccount:
    """The same, checked, with the hash of the password."""

    handle: str
    name: str
    email: str
    password_hash: str
    staff_password: bool
    rules_version: int | None = None
    least_age: int | None = None


async def register(
    transactions: Transactions,
    newcomer: Newcomer,
    address: str,
    *,
    repeat: Repeat | None = None,
    breaches: BreachedPasswords | None = None,
) -> Profile:
    """Make an account, mail a link to verify its e-mail address, and return its profile.

    A `repeat` of an earlier request returns the profile of that account, as it is now, and mails nothing. Raises
    Throttled by the internet address, Invalid, Conflict for a handle that is taken or looks like another, and what
    `Repeat.earlier` raises. Who does not get in counts less: a support group in one room tries some handles before all
    have joined.
    """
    # Before the repeat, which does not compare passwords: nothing is kept of them.
    policy.check_length(newcomer.password, staff=False, pointer="#/password")
    _refuse_too_young(newcomer.least_age, transactions.settings.least_age)
    async with transactions.begin() as work:
        if earlier := await _joined_earlier(work, repeat):
            return earlier
    network = rate_limits.network(address)
    await transactions.count_try("join_try", "join", "tries", network)
    async with transactions.reserve_try("join", "join", network, counts=lambda error: error is None):
        # Before the transaction: nobody holds a connection while a password waits to be hashed.
        account = await prepare_account(newcomer, breaches=breaches)
        async with transactions.begin() as work:
            if earlier := await _joined_earlier(work, repeat):  # by the same request, while this one hashed
                return earlier
            judged = [
                await judge_name(work, account.name),
                await judge_name(work, account.handle, pointer="#/handle"),
            ]
            member = await add_member(work.session, account, work.now, forum_name=work.settings.name)
            for result in judged:
                await work.gate.record(work.session, ("member", member.id), result, work.now)
            await email_addresses.enqueue_verification(work.session, member, work.now)
            await arrivals.note(work, member.id, address)
            if repeat:
                await repeat.keep(work, member.id)
            return await read_profile(work.session, member.id)


async def _joined_earlier(work: Work, repeat: Repeat | None) -> Profile | None:
    earlier = await repeat.earlier(work) if repeat else None
    return await read_profile(work.session, UUID(earlier)) if earlier else None


def _refuse_too_young(said: int | None, least: int) -> None:
    """Raise Invalid for an age below that of this forum; a client that does not ask sends none."""
    if said is not None and said < least:
        raise Invalid(f"This forum is for people of {least} and older.", "#/least_age", code="too_young", least=least)


async def prepare_account(
    newcomer: Newcomer, *, staff: bool = False, breaches: BreachedPasswords | None = None
) -> NewAccount:
    """Check handle, name and password, and hash the password. Raises Invalid. Call it outside of transactions."""
    handle, name = names.normalise_handle(newcomer.handle), names.normalise_name(newcomer.name)
    about = (handle, name, newcomer.email)
    hashed = await hashing.hash_new_password(
        newcomer.password, about=about, staff=staff, breaches=breaches, pointer="#/password"
    )
    return NewAccount(
        handle=handle,
        name=name,
        email=newcomer.email,
        password_hash=hashed,
        staff_password=policy.is_long_enough_for_staff(newcomer.password),
        rules_version=newcomer.rules_version,
        least_age=newcomer.least_age,
    )


async def add_member(session: AsyncSession, account: NewAccount, now: datetime, *, forum_name: str = "") -> Member:
    """Store a new member.

    Raises Invalid (handle, name, rules_version), also for the name of the forum itself, and Conflict for a handle that
    is taken or looks like another. An e-mail address that has an account already makes no difference: nobody must learn
    whether it has one, and only the member who verifies it will sign in with it.
    """
    member = Member(
        handle=account.handle,
        skeleton=names.skeleton(account.handle),
        name=account.name,
        name_skeleton=names.skeleton(account.name),
        email=account.email,
        password_hash=account.password_hash,
        staff_password=account.staff_password,
        rules_version=account.rules_version,
        least_age=account.least_age,
        joined_at=now,
        caught_up_at=now,
    )
    await refuse_look_alikes(session, member, forum_name=forum_name)
    session.add(member)
    try:
        await session.flush()
    except IntegrityError as error:
        raise refusal_of(error, account.handle) from error
    if member.rules_version:
        await record_acceptance(session, member.id, member.rules_version, now)
    # Read last: its member may have left a moment ago. Those who left before November 2026 had plain skeletons.
    if await is_handle_spent(session, member.skeleton, names.plain_skeleton(member.handle)):
        raise handle_taken(member.handle)
    return member
