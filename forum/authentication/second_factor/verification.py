"""Showing a second factor when signing in."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Integer, Uuid, bindparam, delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.authentication.second_factor import passkeys, recovery_codes
from forum.authentication.second_factor import totp as second_factor_totp
from forum.authentication.second_factor.passkeys import Signed
from forum.authentication.second_factor.tables import Purpose, RecoveryCode, Totp, get_state, is_set_up
from forum.authentication.second_factor.webauthn import Credential, Party
from forum.core.database import Database, Prepared, Reader, query
from forum.core.errors import SecondFactorNeeded
from forum.mail import outbox
from forum.members.tables import Member
from forum.passwords import hashing

WRONG = "This code is wrong, or was used already."


class Factor(StrEnum):
    """What can be shown beside a password; clients are told which a member has."""

    PASSKEY = "passkey"
    TOTP = "totp"
    RECOVERY_CODE = "recovery_code"


ASKED = {
    Factor.PASSKEY: "your `passkey`",
    Factor.TOTP: "the `code` that your authenticator app shows",
    Factor.RECOVERY_CODE: "one of your recovery codes, as the `code`",
}


@dataclass(frozen=True)
class Recovery:
    """A recovery code that was right when it was read."""

    number: int
    code_hash: str


@dataclass(frozen=True)
class Proof:
    """What was shown beside a password: a code, which may be a recovery code, or a passkey's answer, if it is right."""

    code: str | None = None
    recovery: Recovery | None = None
    credential: Credential | None = None
    signed: Signed | None = None


_KEPT = Prepared(
    query(RecoveryCode.code_hash).where(
        col(RecoveryCode.member_id) == bindparam("member_id", type_=Uuid()),
        col(RecoveryCode.number) == bindparam("number", type_=Integer()),
    )
)


async def recovery(reader: Reader, member_id: UUID, code: str | None) -> Recovery | None:
    """The recovery code that this is, or None; it waits for its turn to hash, so call it outside of transactions."""
    typed = recovery_codes.parse_recovery_code(code) if code else None
    kept = typed and await reader.row(_KEPT, member_id=member_id, number=typed.number)
    if not typed or not kept:
        return None
    right, _ = await hashing.check(typed.secret, kept.code_hash)
    return Recovery(typed.number, kept.code_hash) if right else None


async def verify(
    forum: Database, member_id: UUID, code: str | None, credential: Credential | None, party: Party, now: datetime
) -> Proof:
    """What was shown, looked through. It takes the database as `signing_in.sign_in` does, and uses a challenge up."""
    found, signed = await recovery(forum.reader, member_id, code), None
    if credential is not None:
        kept = await passkeys.claimed(forum.reader, credential)
        theirs = kept if kept and kept.member_id == member_id else None
        signed = await passkeys.signed(forum, theirs, credential, Purpose.SECOND_FACTOR, party, now)
    return Proof(code, found, credential, signed)


async def consume(session: AsyncSession, member: Member, beside: Proof, now: datetime) -> bool:
    """Take what was shown: whether a second factor was. The member's row is held, so each code opens once.

    A member who has none set up needs none. Raises SecondFactorNeeded where one is set up, and what was shown is
    missing, wrong or was used; its `factors` are those that the member has.
    """
    if not await is_set_up(session, member.id):
        return False
    if beside.credential is not None:
        await _take_passkey(session, member, beside.signed, now)
        return True
    if beside.code is None:
        raise await _needed(session, member)
    if beside.recovery and await _spend(session, member, beside.recovery, now):
        return True
    totp = await session.get(Totp, member.id)
    step = (
        second_factor_totp.step_of(totp.secret, beside.code, now, after=totp.last_step)
        if totp and totp.secret
        else None
    )
    if totp is None or step is None:
        raise await _needed(session, member, WRONG, "#/code")
    totp.last_step = step
    return True


async def _take_passkey(session: AsyncSession, member: Member, signed: Signed | None, now: datetime) -> None:
    if signed and signed.went_back:
        raise await _needed(session, member, passkeys.COPIED, "#/passkey")
    if signed is None or not await passkeys.spend(session, signed, now):
        raise await _needed(session, member, passkeys.WRONG, "#/passkey")


async def _needed(
    session: AsyncSession, member: Member, wrong: str | None = None, pointer: str | None = None
) -> SecondFactorNeeded:
    """What is said to somebody whose password is right and not enough, and nobody else."""
    has = await get_state(session, member.id)
    there = {
        Factor.PASSKEY: has.passkeys > 0,
        Factor.TOTP: has.app_since is not None,
        Factor.RECOVERY_CODE: has.recovery_codes > 0,
    }
    factors = [factor for factor, is_there in there.items() if is_there]
    asked = f"Your password is right. Show too {', or '.join(ASKED[factor] for factor in factors)}."
    where = {"pointer": pointer} if pointer else {}
    return SecondFactorNeeded(wrong or asked, factors=factors, **where)


async def _spend(session: AsyncSession, member: Member, recovery: Recovery, now: datetime) -> bool:
    """Strike the code out, and tell its owner; whether it was there."""
    this = delete(RecoveryCode).where(
        col(RecoveryCode.member_id) == member.id,
        col(RecoveryCode.number) == recovery.number,
        col(RecoveryCode.code_hash) == recovery.code_hash,
    )
    if (await session.execute(this.returning(col(RecoveryCode.number)))).first() is None:
        return False
    await outbox.enqueue_sign_in_changed(session, member, now)
    return True
