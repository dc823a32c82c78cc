"""Whether a member has set a second factor up, and which."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.second_factor.tables import Passkey, RecoveryCode, Totp, has_one


@dataclass(frozen=True)
class State:
    """Which second factors a member has, and since when; how many recovery codes are left."""

    app_since: datetime | None
    passkeys: int
    passkeys_since: datetime | None
    recovery_codes: int

    @property
    def since(self) -> datetime | None:
        """Since when a second factor is asked for, if it is."""
        return min((since for since in (self.app_since, self.passkeys_since) if since), default=None)


async def is_set_up(session: AsyncSession, member_id: UUID) -> bool:
    """Whether something beside the password is asked for when this member signs in."""
    return bool((await session.execute(select(has_one(member_id)))).scalar_one())


async def state(session: AsyncSession, member_id: UUID) -> State:
    """How it stands with a member's second factor."""
    left = select(func.count()).select_from(RecoveryCode).where(col(RecoveryCode.member_id) == member_id)
    keys = select(func.count(), func.min(col(Passkey.created_at))).where(col(Passkey.member_id) == member_id)
    totp = await session.get(Totp, member_id)
    number, since = (await session.execute(keys)).one()
    return State(totp.since if totp else None, number, since, (await session.execute(left)).scalar_one())
