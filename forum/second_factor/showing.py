"""Showing a second factor when signing in."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Integer, Uuid, bindparam, delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum import mailer, passwords
from forum.database import Prepared, Reader, query
from forum.errors import SecondFactorNeeded
from forum.members import Member
from forum.second_factor import codes
from forum.second_factor.tables import RecoveryCode, Totp

ASKED = "Your password is right. Send the `code` that your authenticator app shows too, or one of your recovery codes."
WRONG = "This code is wrong, or was used already. A new one is shown every 30 seconds."


@dataclass(frozen=True)
class Recovery:
    """A recovery code that was right when it was read."""

    number: int
    code_hash: str


_KEPT = Prepared(
    query(RecoveryCode.code_hash).where(
        col(RecoveryCode.member_id) == bindparam("member_id", type_=Uuid()),
        col(RecoveryCode.number) == bindparam("number", type_=Integer()),
    )
)


async def recovery(reader: Reader, member_id: UUID, code: str | None) -> Recovery | None:
    """The recovery code that this is, or None; it waits for its turn to hash, so call it outside of transactions."""
    typed = codes.on_paper(code) if code else None
    kept = typed and await reader.row(_KEPT, member_id=member_id, number=typed.number)
    if not typed or not kept:
        return None
    right, _ = await passwords.check(typed.secret, kept.code_hash)
    return Recovery(typed.number, kept.code_hash) if right else None


async def take(
    session: AsyncSession, member: Member, code: str | None, recovery: Recovery | None, now: datetime
) -> bool:
    """Take what was shown: whether a second factor was. The member's row is held, so each code opens once.

    A member who has none set up needs none. Raises SecondFactorNeeded where one is set up, and the code is missing,
    wrong or was used.
    """
    totp = await session.get(Totp, member.id)
    if totp is None or totp.secret is None:
        return False
    if code is None:
        raise SecondFactorNeeded(ASKED)
    if recovery and await _spend(session, member, recovery, now):
        return True
    step = codes.step_of(totp.secret, code, now, after=totp.last_step)
    if step is None:
        raise SecondFactorNeeded(WRONG, pointer="#/code")
    totp.last_step = step
    return True


async def _spend(session: AsyncSession, member: Member, recovery: Recovery, now: datetime) -> bool:
    """Strike the code out, and tell its owner; whether it was there."""
    this = delete(RecoveryCode).where(
        col(RecoveryCode.member_id) == member.id,
        col(RecoveryCode.number) == recovery.number,
        col(RecoveryCode.code_hash) == recovery.code_hash,
    )
    if (await session.execute(this.returning(col(RecoveryCode.number)))).first() is None:
        return False
    await mailer.tell_of_sign_in(session, member, now)
    return True
