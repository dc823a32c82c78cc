"""Verify the second factor of somebody who signs in."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Integer, Uuid, bindparam, delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.authentication.second_factor import passkeys, totp
from forum.authentication.second_factor.passkeys import PasskeySignature
from forum.authentication.second_factor.recovery_codes import parse_recovery_code
from forum.authentication.second_factor.relying_party import Credential
from forum.authentication.second_factor.tables import Purpose, RecoveryCode, Totp, get_state, is_set_up
from forum.core.database import Prepared, Reader, query
from forum.core.errors import SecondFactorNeeded
from forum.core.work import Transactions
from forum.mail import outbox
from forum.members.tables import Member
from forum.passwords import hashing

WRONG = "This code is wrong, or it was used already."


class Factor(StrEnum):
    """What can be sent beside a password; clients learn which ones a member has."""

    PASSKEY = "passkey"
    TOTP = "totp"
    RECOVERY_CODE = "recovery_code"


FACTOR_TEXTS = {
    Factor.PASSKEY: "a passkey",
    Factor.TOTP: "the code that your authenticator app shows",
    Factor.RECOVERY_CODE: "one of your recovery codes",
}


class StoredRecoveryCode(NamedTuple):
    """A recovery code as it was when it was read."""

    number: int
    code_hash: str


@dataclass(frozen=True)
class Proof:
    """What was sent beside a password: a code, which may be a recovery code, or a passkey's answer, if it is right."""

    code: str | None = None
    recovery_code: StoredRecoveryCode | None = None
    credential: Credential | None = None
    signature: PasskeySignature | None = None


_NUMBERED = Prepared(
    query(RecoveryCode.number, RecoveryCode.code_hash).where(
        col(RecoveryCode.member_id) == bindparam("member_id", type_=Uuid()),
        col(RecoveryCode.number) == bindparam("number", type_=Integer()),
    ),
    StoredRecoveryCode,
)


async def find_recovery_code(reader: Reader, member_id: UUID, code: str | None) -> StoredRecoveryCode | None:
    """Return the member's recovery code that this is, if it is one. It waits to be hashed: not inside a transaction."""
    typed = parse_recovery_code(code or "")
    if typed is None:
        return None
    stored: StoredRecoveryCode | None = await reader.row(_NUMBERED, member_id=member_id, number=typed.number)
    if stored is None:
        return None
    is_right, _ = await hashing.verify(typed.secret, stored.code_hash)
    return stored if is_right else None


async def verify(transactions: Transactions, member_id: UUID, code: str | None, credential: Credential | None) -> Proof:
    """Check what was sent. Nothing is used up yet but the challenge of a passkey. Call it outside of transactions."""
    recovery_code, signature = await find_recovery_code(transactions.reader, member_id, code), None
    if credential is not None:
        passkey = await passkeys.find_passkey(transactions.reader, credential)
        own = passkey if passkey and passkey.member_id == member_id else None
        signature = await passkeys.verify_signature(transactions, own, credential, Purpose.SECOND_FACTOR)
    return Proof(code, recovery_code, credential, signature)


async def consume(session: AsyncSession, member: Member, proof: Proof, now: datetime) -> bool:
    """Use a proof up, and return whether the member has a second factor. Their row is locked: each code works once.

    A member without one needs none. Raises SecondFactorNeeded when one is set up and the proof is missing, wrong or
    was used; its `factors` are those that the member has.
    """
    if not await is_set_up(session, member.id):
        return False
    if proof.credential is not None:
        await _use_passkey(session, member, proof.signature, now)
        return True
    if proof.code is None:
        raise await _second_factor_needed(session, member)
    if proof.recovery_code and await _use_recovery_code(session, member, proof.recovery_code, now):
        return True
    app = await session.get(Totp, member.id)
    step = totp.step_of(app.secret, proof.code, now, after=app.last_step) if app and app.secret else None
    if app is None or step is None:
        raise await _second_factor_needed(session, member, WRONG, "#/code")
    app.last_step = step
    return True


async def _use_passkey(
    session: AsyncSession, member: Member, signature: PasskeySignature | None, now: datetime
) -> None:
    if signature and signature.sign_count_regressed:
        raise await _second_factor_needed(session, member, passkeys.COPIED, "#/passkey")
    if signature is None or not await passkeys.record_use(session, signature, now):
        raise await _second_factor_needed(session, member, passkeys.WRONG, "#/passkey")


async def _second_factor_needed(
    session: AsyncSession, member: Member, wrong: str | None = None, pointer: str | None = None
) -> SecondFactorNeeded:
    """Return the error for a right password without a right second factor; only to its owner it says what there is."""
    state = await get_state(session, member.id)
    has = {
        Factor.PASSKEY: state.passkeys > 0,
        Factor.TOTP: state.app_since is not None,
        Factor.RECOVERY_CODE: state.recovery_codes > 0,
    }
    factors = [factor for factor, is_there in has.items() if is_there]
    needed = f"Your password is right. Now also show {', or '.join(FACTOR_TEXTS[factor] for factor in factors)}."
    where = {"pointer": pointer} if pointer else {}
    return SecondFactorNeeded(wrong or needed, factors=factors, **where)


async def _use_recovery_code(
    session: AsyncSession, member: Member, recovery_code: StoredRecoveryCode, now: datetime
) -> bool:
    """Delete the code, and tell its owner by mail; return whether it was still there."""
    this = delete(RecoveryCode).where(
        col(RecoveryCode.member_id) == member.id,
        col(RecoveryCode.number) == recovery_code.number,
        col(RecoveryCode.code_hash) == recovery_code.code_hash,
    )
    if (await session.execute(this.returning(col(RecoveryCode.number)))).first() is None:
        return False
    await outbox.enqueue_sign_in_changed(session, member, now)
    return True
