"""Signing in: a login, its password, and what else is asked for, or a passkey alone; proving the password again, and
changing it.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Text, bindparam, func
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.authentication import failed_sign_ins, sessions
from forum.authentication.failed_sign_ins import Reason
from forum.authentication.second_factor import passkeys, verification
from forum.authentication.second_factor.tables import Purpose
from forum.authentication.second_factor.webauthn import Credential, Party
from forum.authentication.sessions import MemberSession, Transport
from forum.core import rate_limits
from forum.core.database import Database, Prepared, Reader, query
from forum.core.errors import Invalid, NotFound, NotSignedIn, SecondFactorNeeded, Throttled
from forum.core.settings import Settings
from forum.mail import outbox
from forum.members import names
from forum.members.queries import lock_member_row
from forum.members.roles import is_staff
from forum.members.tables import Member
from forum.members.viewer import GUEST, Viewer
from forum.passwords import hashing
from forum.passwords.breached_passwords import BreachedPasswords

log = structlog.get_logger()

NOT_YOURS = "This is not your present password."


@dataclass(frozen=True, kw_only=True)
class SignInContext:
    """Where somebody signs in, and who they were in the session that this one takes the place of."""

    address: str
    device: str | None = None
    transport: Transport = Transport.BEARER
    client: str | None = None
    before: Viewer = GUEST


@dataclass(frozen=True, kw_only=True)
class SignIn(SignInContext):
    """What somebody shows to sign in: a password, and what their account asks for beside it."""

    login: str
    password: str
    code: str | None = None
    passkey: Credential | None = None


@dataclass(frozen=True, kw_only=True)
class PasskeySignIn(SignInContext):
    """What somebody shows to sign in without a password."""

    passkey: Credential


@dataclass(frozen=True)
class SignedIn:
    """A new session: its token and its device's are told once and never kept."""

    token: str
    device: str
    session: MemberSession
    member: Member


_LOGIN = bindparam("login", type_=Text())
_CLAIMED = query(Member.id, Member.email, Member.password_hash).limit(1)

# The member behind a handle or an e-mail address in its normal form: of several who claim an address, the one who
# verified it, else the first.
_BY_HANDLE = Prepared(_CLAIMED.where(col(Member.handle) == _LOGIN))
_BY_ADDRESS = Prepared(
    _CLAIMED.where(func.lower(col(Member.email)) == _LOGIN).order_by(
        col(Member.email_verified_at).nulls_last(), col(Member.joined_at)
    )
)


def normal(login: str) -> str:
    """A handle or an address as it is sought: however it was typed, it is one login."""
    return login.strip().lower() if "@" in login else names.folded(login.strip())


async def claimant(reader: Reader, login: str) -> Any:
    """Id, address and hash of the member behind a login, or None."""
    login = normal(login)
    return await reader.row(_BY_ADDRESS if "@" in login else _BY_HANDLE, login=login)


async def sign_in(
    forum: Database, shown: SignIn, guard: rate_limits.RateLimits, settings: Settings, now: datetime
) -> SignedIn:
    """Open a session, in the place of the one that was shown with it. It takes the database and no session of it:
    while the one thread that hashes has others to serve, nobody here holds a connection that a reader waits for.

    Raises NotSignedIn in the same words and time whether the login or the password is wrong,
    SecondFactorNeeded where both are right and a second factor is missing or wrong, and Throttled over the limit per
    login and per network, the right password included. A device that signed in before is counted by
    itself, so that nobody can lock a member out of their own phone.
    """
    who = await claimant(forum.reader, shown.login)
    try:
        opened = await _signed_in(forum, shown, who, guard, settings, now)
    except (NotSignedIn, Throttled) as error:
        if reason := _reason(error, shown):
            await failed_sign_ins.note(forum.reader, who.id if who else None, reason, now)
        raise
    _log_opened(opened, by="password")
    return opened


async def sign_in_by_passkey(
    forum: Database, shown: PasskeySignIn, guard: rate_limits.RateLimits, settings: Settings, now: datetime
) -> SignedIn:
    """Open a session for whoever shows a passkey of theirs, and a fingerprint, a face or a PIN to their device: that is
    both factors. It takes the database as `sign_in` does.

    Raises NotSignedIn in the same words whatever is wrong, and in others where the passkey is right and counts
    backwards, and Throttled over the limit per network, or per device where its owner signed in from it before.
    """
    kept = await passkeys.claimed(forum.reader, shown.passkey)
    try:
        opened = await _signed_in_by_passkey(forum, shown, kept, guard, settings, now)
    except (NotSignedIn, Throttled) as error:
        reason = Reason.THROTTLED if isinstance(error, Throttled) else Reason.PASSKEY
        await failed_sign_ins.note(forum.reader, kept.member_id if kept else None, reason, now)
        raise
    _log_opened(opened, by="passkey")
    return opened


async def proven(forum: Database, viewer: Viewer, current: str) -> str:
    """The hash that is kept of `current`, the viewer's password; Invalid when it is not. It takes the database as
    `sign_in` does: look again with `refuse_stale` when the account is held.
    """
    async with forum.work() as session:
        kept = (await session.get_one(Member, viewer.member_id)).password_hash
    right, _ = await hashing.check(current, kept)
    if not right:
        raise Invalid(NOT_YOURS, "#/current")
    return kept


def refuse_stale(member: Member, kept: str) -> None:
    """Raise Invalid when the password was changed since it was proven."""
    if member.password_hash != kept:
        raise Invalid(NOT_YOURS, "#/current")


async def change_password(
    forum: Database, viewer: Viewer, current: str, new: str, now: datetime, breaches: BreachedPasswords | None = None
) -> None:
    """Take a new password, end every other session of this member and tell them; it takes the database as `sign_in`.

    Raises Invalid when `current` is not the password, or `new` is too short, too easily guessed or stolen.
    """
    async with forum.work() as session:
        member = await session.get_one(Member, viewer.member_id)
    while True:
        kept = member.password_hash
        right, _ = await hashing.check(current, kept)
        if not right:
            raise Invalid(NOT_YOURS, "#/current")
        about = (member.handle, member.name, member.email)
        hashed = await hashing.hash_new(new, about=about, breaches=breaches, pointer="#/new")
        async with forum.work() as session:
            member = await lock_member_row(session, viewer.member_id)
            if member.password_hash == kept:
                # Asked now: a role that was given a second ago counts.
                hashing.measure(new, staff=await is_staff(session, member.id), pointer="#/new")
                member.password_hash, member.staff_password = hashed, len(new) >= hashing.STAFF_MIN
                await outbox.end_resets(session, member.id)
                await outbox.enqueue_sign_in_changed(session, member, now)
                await sessions.end_others(session, viewer)
                return


async def _signed_in(
    forum: Database, shown: SignIn, who: Any, guard: rate_limits.RateLimits, settings: Settings, now: datetime
) -> SignedIn:
    counted = await _counted_by(forum.reader, shown, who.id if who else None, guard, settings, now, login=shown.login)
    kept = who.password_hash if who else None
    beside = None
    while True:
        right, renewed = await hashing.check(shown.password, kept)
        if who is None or not right:
            raise NotSignedIn("The login or the password is wrong.")
        if beside is None:
            if shown.code is not None or shown.passkey is not None:
                await guard.hit(settings.limit("second_factor"), "second-factor", counted or who.id)
                # Of a million codes three open: who goes on for weeks guesses one. A new password lets its owner in.
                await guard.hit(settings.limit("second_factor_day"), "second-factor-day", counted or who.id, kept)
            party = Party.of(settings)
            beside = await verification.verify(forum, who.id, shown.code, shown.passkey, party, now)
        async with forum.work() as session:
            # From here on nobody else changes it: a new password ends what the old one opened, so the old must
            # open nothing.
            member = await lock_member_row(session, who.id)
            if member.password_hash == kept:
                strong = await verification.consume(session, member, beside, now)
                member.password_hash = renewed or kept
                await outbox.end_resets(session, member.id)  # it is not lost
                return await _open(session, member, shown, now, second_factor=strong)
        kept = member.password_hash  # it was changed meanwhile, and counts


def _log_opened(opened: SignedIn, *, by: str) -> None:
    strong = opened.session.second_factor
    log.info("signed_in", by=by, second_factor=strong, transport=str(opened.session.transport))


async def _signed_in_by_passkey(
    forum: Database, shown: PasskeySignIn, kept: Any, guard: rate_limits.RateLimits, settings: Settings, now: datetime
) -> SignedIn:
    await _counted_by(forum.reader, shown, kept.member_id if kept else None, guard, settings, now)
    signed = await passkeys.signed(forum, kept, shown.passkey, Purpose.SIGN_IN, Party.of(settings), now)
    if signed is None:
        raise NotSignedIn(passkeys.WRONG)
    if signed.went_back:
        raise NotSignedIn(passkeys.COPIED)
    async with forum.work() as session:
        member = await lock_member_row(session, signed.member_id)
        if not await passkeys.spend(session, signed, now):
            raise NotSignedIn(passkeys.WRONG)
        await outbox.end_resets(session, member.id)
        return await _open(session, member, shown, now, second_factor=True)


def _reason(error: Exception, shown: SignIn) -> Reason | None:
    """What administrators are told of a refused sign-in; None where a client only asks whether a code is needed."""
    match error:
        case Throttled():
            return Reason.THROTTLED
        case SecondFactorNeeded():
            return Reason.SECOND_FACTOR if shown.code or shown.passkey else None
        case _:
            return Reason.PASSWORD


async def _counted_by(
    reader: Reader,
    shown: SignInContext,
    member_id: UUID | None,
    guard: rate_limits.RateLimits,
    settings: Settings,
    now: datetime,
    *,
    login: str | None = None,
) -> str | None:
    """Count this try: by the device, which is given, if its owner signed in from it before, else by all the rest."""
    limit = settings.limit("sign_in")
    if shown.device and await sessions.is_known(reader, shown.device, member_id, now):
        await guard.hit(limit, "sign-in", "device", shown.device)
        return shown.device
    await guard.hit(limit, "sign-in", "address", rate_limits.network(shown.address))
    if login is not None:  # not by the account: tries with a handle that used up those with an address would tell whose
        await guard.hit(limit, "sign-in", "login", normal(login))
    return None


async def _open(
    session: AsyncSession, member: Member, shown: SignInContext, now: datetime, *, second_factor: bool
) -> SignedIn:
    if shown.before.id == member.id and shown.before.session_id:
        with suppress(NotFound):  # it ran out a moment ago
            await sessions.end(session, shown.before, shown.before.session_id)
    opened, token = await sessions.open_session(
        session, member, shown.transport, now, client=shown.client, second_factor=second_factor
    )
    device = await sessions.remember(session, member, shown.device, now)
    return SignedIn(token=token, device=device, session=opened, member=member)
