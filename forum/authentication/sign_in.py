"""Sign in: with a login, its password and a second factor, or with a passkey alone; and prove the password again."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Text, Uuid, bindparam, func
from sqlmodel import col

from forum.authentication import failed_sign_ins, second_step, sessions
from forum.authentication.failed_sign_ins import RefusalReason
from forum.authentication.old_logins import MAY_RESET_BY_MAIL, has_old_login, normalise_old_login, without_at
from forum.authentication.second_factor import passkeys, verification
from forum.authentication.second_factor.relying_party import Credential
from forum.authentication.second_factor.tables import Purpose
from forum.authentication.second_factor.verification import Proof
from forum.authentication.sessions import MemberSession, Transport
from forum.core import rate_limits
from forum.core.database import Prepared, Reader, query
from forum.core.errors import Invalid, NotFound, NotSignedIn, SecondFactorNeeded, Throttled
from forum.core.work import Transactions, Work
from forum.mail import outbox
from forum.members import names
from forum.members.queries import lock_member_row
from forum.members.tables import Member
from forum.members.viewer import GUEST, Viewer
from forum.passwords import hashing

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class SignInContext:
    """Where somebody signs in, and who they were in the session that the new one replaces."""

    address: str
    device: str | None = None
    transport: Transport = Transport.BEARER
    client: str | None = None
    before: Viewer = GUEST


@dataclass(frozen=True, kw_only=True)
class FactorSignIn(SignInContext):
    """A sign-in that may show a second factor."""

    code: str | None = None
    passkey: Credential | None = None

    @property
    def has_second_factor(self) -> bool:
        """Whether a code or a passkey was sent."""
        return self.code is not None or self.passkey is not None


@dataclass(frozen=True, kw_only=True)
class PasswordSignIn(FactorSignIn):
    """What somebody sends to sign in: a password, and the second factor if their account has one."""

    login: str
    password: str


@dataclass(frozen=True, kw_only=True)
class SecondStepSignIn(FactorSignIn):
    """The second factor alone, after a password that was right: `step` is what `SecondFactorNeeded` had."""

    step: str


@dataclass(frozen=True, kw_only=True)
class PasskeySignIn(SignInContext):
    """What somebody sends to sign in without a password."""

    passkey: Credential


@dataclass(frozen=True)
class SignedIn:
    """A new session, with its token and its device's, which are not stored."""

    token: str
    device: str
    session: MemberSession
    member: Member


_LOGIN, _OLD_LOGIN = bindparam("login", type_=Text()), bindparam("old_login", type_=Text())
_CLAIMANT = query(Member.id, Member.email, Member.password_hash, MAY_RESET_BY_MAIL.label("may_reset_by_mail")).limit(1)

# The member with a handle or an e-mail address in its normal form, else with that name on their old board. Of several
# with one address, the one who verified it, else the first.
_HAS_HANDLE, _HAS_ADDRESS = col(Member.handle) == _LOGIN, func.lower(col(Member.email)) == _LOGIN
_BY_HANDLE = Prepared(_CLAIMANT.where(_HAS_HANDLE | has_old_login(_OLD_LOGIN)).order_by(_HAS_HANDLE.desc()))
_BY_ADDRESS = Prepared(
    _CLAIMANT.where(_HAS_ADDRESS | has_old_login(_OLD_LOGIN)).order_by(
        _HAS_ADDRESS.desc(), col(Member.email_verified_at).nulls_last(), col(Member.joined_at)
    )
)
_BY_ID = Prepared(
    query(Member.id, Member.email, Member.password_hash).where(col(Member.id) == bindparam("member_id", type_=Uuid()))
)


def normalise_login(login: str) -> str:
    """Return the normal form of a handle or an address: however it is typed, it is one login."""
    login = without_at(login)
    return login.lower() if "@" in login else names.folded(login)


async def find_claimant(reader: Reader, login: str) -> Any:
    """Return id, address and password hash of the member with this login, or None; and whether a link may be mailed.

    It is a handle, an address, or a name from an old board: one query, so that time does not tell which of them it is.
    """
    old, login = normalise_old_login(login), normalise_login(login)
    return await reader.row(_BY_ADDRESS if "@" in login else _BY_HANDLE, login=login, old_login=old)


async def sign_in(transactions: Transactions, attempt: PasswordSignIn) -> SignedIn:
    """Open a session with a password; it replaces the session that was sent with it.

    It hashes outside of transactions: many who wait for the one thread that hashes must not hold the connections
    that readers need.

    Raises NotSignedIn with the same words after the same time whether the login or the password is wrong,
    SecondFactorNeeded when both are right and the second factor is missing or wrong, and Throttled over the limit per
    login and per network, even for the right password. For the network only failures count: people who share one sign
    in one after the other. A device that its owner signed in on before is counted by itself, so that nobody can lock a
    member out of their own phone.
    """
    claimant = await find_claimant(transactions.reader, attempt.login)
    member_id = claimant.id if claimant else None

    def is_failure(error: Exception | None) -> bool:
        return isinstance(error, NotSignedIn | Throttled) and _refusal_reason(error, attempt) is not None

    try:
        async with _counted_try(transactions, attempt, member_id, is_failure) as device:
            if device is None:
                # By the login and not by the account: else tries with a handle would use up those with an address,
                # and tell that both are one account's.
                login = normalise_old_login(attempt.login)
                await transactions.count_try("sign_in", "sign-in", "login", login)
            opened = await _sign_in(transactions, attempt, claimant, device)
    except (NotSignedIn, Throttled) as error:
        if reason := _refusal_reason(error, attempt):
            await failed_sign_ins.count_refusal(transactions.reader, member_id, reason, transactions.now)
        raise
    _log_sign_in(opened, by="password")
    return opened


async def finish_sign_in(transactions: Transactions, attempt: SecondStepSignIn) -> SignedIn:
    """Open a session with a second factor, after a password that was right up to ten minutes ago.

    Raises NotSignedIn when it is longer ago or the password was changed, SecondFactorNeeded when the second factor is
    missing or wrong, and Throttled over its limits and those of `sign_in`.
    """
    step = second_step.unseal(transactions.settings, attempt.step, transactions.now)
    claimant = await transactions.reader.row(_BY_ID, member_id=step.member_id) if step else None
    if step is None or claimant is None or not step.is_of(claimant.password_hash):
        raise _step_over()

    def is_failure(error: Exception | None) -> bool:
        return isinstance(error, NotSignedIn | Throttled) and _refusal_reason(error, attempt) is not None

    try:
        async with _counted_try(transactions, attempt, claimant.id, is_failure) as device:
            proof = await _verify_second_factor(transactions, attempt, claimant, device)
            async with transactions.begin() as work:
                member = await lock_member_row(work.session, claimant.id)
                if member.password_hash != claimant.password_hash:
                    raise _step_over()
                opened = await _enter(work, member, attempt, proof)
    except (NotSignedIn, Throttled) as error:
        if reason := _refusal_reason(error, attempt):
            await failed_sign_ins.count_refusal(transactions.reader, claimant.id, reason, transactions.now)
        raise
    _log_sign_in(opened, by="password")
    return opened


async def sign_in_by_passkey(transactions: Transactions, attempt: PasskeySignIn) -> SignedIn:
    """Open a session with a passkey whose device asked for a fingerprint, a face or a PIN: both factors in one.

    Raises NotSignedIn with the same words whatever is wrong, with other words when a right passkey counts backwards,
    and Throttled over the limit per network, or per device when its owner signed in on it before.
    """
    passkey = await passkeys.find_passkey(transactions.reader, attempt.passkey)
    member_id = passkey.member_id if passkey else None
    try:
        async with _counted_try(transactions, attempt, member_id, lambda error: isinstance(error, NotSignedIn)):
            opened = await _sign_in_by_passkey(transactions, attempt, passkey)
    except (NotSignedIn, Throttled) as error:
        reason = RefusalReason.THROTTLED if isinstance(error, Throttled) else RefusalReason.PASSKEY
        await failed_sign_ins.count_refusal(transactions.reader, member_id, reason, transactions.now)
        raise
    _log_sign_in(opened, by="passkey")
    return opened


async def prove_password(transactions: Transactions, viewer: Viewer, current: str) -> str:
    """Return the stored hash of `current`, the viewer's password. Raises Invalid when it is not.

    Call it outside of transactions, and `refuse_changed_password` once the account is locked.
    """
    async with transactions.begin() as work:
        stored = (await work.session.get_one(Member, viewer.member_id)).password_hash
    is_right, _ = await hashing.verify(current, stored)
    if not is_right:
        raise wrong_password()
    return stored


def refuse_changed_password(member: Member, proven: str) -> None:
    """Return when the password is still the proven one. Raises Invalid when it was changed meanwhile."""
    if member.password_hash != proven:
        raise wrong_password()


def wrong_password() -> Invalid:
    """Return the error for a wrong present password."""
    return Invalid("This is not your present password.", "#/current", code="wrong_password")


async def _sign_in(transactions: Transactions, attempt: PasswordSignIn, claimant: Any, device: str | None) -> SignedIn:
    stored = claimant.password_hash if claimant else None
    proof = None
    while True:
        is_right, new_hash = await hashing.verify(attempt.password, stored)
        if claimant is None or not is_right:
            raise NotSignedIn("The login or the password is wrong.", code="wrong_login_or_password")
        if proof is None:
            proof = await _verify_second_factor(transactions, attempt, claimant, device)
        async with transactions.begin() as work:
            # Lock the member: a new password ends all sessions of the old one, so the old one must open none after it.
            member = await lock_member_row(work.session, claimant.id)
            if member.password_hash == stored:
                opened = await _enter(work, member, attempt, proof)
                member.password_hash = new_hash or stored
                return opened
        stored = member.password_hash  # it was changed meanwhile: check the new one


async def _enter(work: Work, member: Member, attempt: FactorSignIn, proof: Proof) -> SignedIn:
    """Use the second factor up and open the session of a member, whose row is locked: their password is right."""
    try:
        second_factor = await verification.consume(work.session, member, proof, work.now)
    except SecondFactorNeeded as error:
        factors = error.facts["factors"]
        error.step = second_step.seal(work.settings, member.id, member.password_hash, factors, work.now)
        raise
    await outbox.cancel_password_resets(work.session, member.id)  # the password is not lost
    return await _open_session(work, member, attempt, second_factor=second_factor)


def _step_over() -> NotSignedIn:
    return NotSignedIn("It is too long since you sent your password. Please begin again.", code="second_step_over")


async def _verify_second_factor(
    transactions: Transactions, attempt: FactorSignIn, claimant: Any, device: str | None
) -> Proof:
    if attempt.has_second_factor:
        who = device or claimant.id
        await transactions.count_try("second_factor", "second-factor", who)
        # Three of a million codes are right at any time: an attacker who goes on for weeks guesses one. The count
        # begins anew with a new password, so that the owner is not locked out.
        await transactions.count_try("second_factor_day", "second-factor-day", who, claimant.password_hash)
    return await verification.verify(transactions, claimant.id, attempt.code, attempt.passkey)


async def _sign_in_by_passkey(transactions: Transactions, attempt: PasskeySignIn, passkey: Any) -> SignedIn:
    signature = await passkeys.verify_signature(transactions, passkey, attempt.passkey, Purpose.SIGN_IN)
    if signature is None:
        raise NotSignedIn(passkeys.WRONG, code="wrong_passkey")
    if signature.sign_count_regressed:
        raise NotSignedIn(passkeys.COPIED, code="passkey_copied")
    async with transactions.begin() as work:
        member = await lock_member_row(work.session, signature.member_id)
        if not await passkeys.record_use(work.session, signature, work.now):
            raise NotSignedIn(passkeys.WRONG, code="wrong_passkey")
        await outbox.cancel_password_resets(work.session, member.id)
        return await _open_session(work, member, attempt, second_factor=True)


def _refusal_reason(error: Exception, attempt: FactorSignIn) -> RefusalReason | None:
    """Return what administrators see of a refusal; None when a client only asks whether a code is needed."""
    match error:
        case Throttled():
            return RefusalReason.THROTTLED
        case SecondFactorNeeded():
            return RefusalReason.SECOND_FACTOR if attempt.code or attempt.passkey else None
        case _:
            return RefusalReason.PASSWORD


@asynccontextmanager
async def _counted_try(
    transactions: Transactions, attempt: SignInContext, member_id: Any, is_failure: Callable[[Exception | None], bool]
) -> AsyncIterator[str | None]:
    """Count this try: by the device, which is returned, if its owner signed in on it before, else by the network.

    By the network it counts only while the block runs, and afterwards if it was a failure.
    """
    device = attempt.device
    if device and await sessions.is_known_device(transactions.reader, device, member_id, transactions.now):
        await transactions.count_try("sign_in", "sign-in", "device", device)
        yield device
        return
    network = rate_limits.network(attempt.address)
    async with transactions.reserve_try_at_address("sign_in", "sign-in", "address", network, counts=is_failure):
        yield None


async def _open_session(work: Work, member: Member, attempt: SignInContext, *, second_factor: bool) -> SignedIn:
    session, before = work.session, attempt.before
    if before.id == member.id and before.session_id:
        with suppress(NotFound):  # it ended a moment ago
            await sessions.delete_session(session, before, before.session_id)
    opened, token = await sessions.open_session(
        session, member, attempt.transport, work.now, client=attempt.client, second_factor=second_factor
    )
    device = await sessions.remember_device(session, member, attempt.device, work.now)
    work.forget_sessions_of(member.id)
    return SignedIn(token=token, device=device, session=opened, member=member)


def _log_sign_in(opened: SignedIn, *, by: str) -> None:
    second_factor = opened.session.second_factor
    log.info("signed_in", by=by, second_factor=second_factor, transport=str(opened.session.transport))
