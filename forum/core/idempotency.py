"""Safe repeats: a phone that lost its network may send the same thing again (Idempotency-Key)."""

import hashlib
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.core.database import Moment
from forum.core.errors import Busy, Invalid

KEPT_FOR = timedelta(hours=24)


class SafeRepeat(SQLModel, table=True):
    """What a key of one member on one route once made; never the answer's text, which may be removed since."""

    __tablename__ = "safe_repeat"

    member_id: UUID = Field(primary_key=True, foreign_key="member.id", ondelete="CASCADE")
    route: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    body_digest: bytes
    created_id: str
    made_at: datetime = Field(sa_type=Moment, index=True)


class Repeat:
    """One member's key on one route, for one request."""

    def __init__(self, member_id: UUID, route: str, key: str, body: bytes) -> None:
        self._identity = {"member_id": member_id, "route": route, "key": key}
        self._body_digest = hashlib.sha256(body).digest()

    async def earlier(self, session: AsyncSession, now: datetime) -> str | None:
        """The id of what this key made before, or None; holds the key until the transaction ends.

        Raises Busy while the same request is still being worked on, and Invalid when the key came
        with another body.
        """
        name = "\n".join(map(str, self._identity.values())).encode()
        number = int.from_bytes(hashlib.sha256(name).digest()[:8], signed=True)
        if not (await session.execute(select(func.pg_try_advisory_xact_lock(number)))).scalar_one():
            raise Busy("The same request is still being worked on. Ask again in a moment.")
        found = await session.execute(
            select(col(SafeRepeat.body_digest), col(SafeRepeat.created_id))
            .filter_by(**self._identity)
            .where(col(SafeRepeat.made_at) > now - KEPT_FOR)
        )
        row = found.one_or_none()
        if row and row.body_digest != self._body_digest:
            raise Invalid(
                "This key was used for something else. Use a new one for each thing.",
                "header/Idempotency-Key",
            )
        return row.created_id if row else None

    async def keep(self, session: AsyncSession, created_id: object, now: datetime) -> None:
        """Remember, in the transaction that made it, what this key made."""
        made = {"body_digest": self._body_digest, "created_id": str(created_id), "made_at": now}
        row = insert(SafeRepeat).values(**self._identity, **made)
        await session.execute(row.on_conflict_do_update(index_elements=["member_id", "route", "key"], set_=made))


async def tidy(session: AsyncSession, now: datetime) -> None:
    """Delete what is no longer kept."""
    await session.execute(delete(SafeRepeat).where(col(SafeRepeat.made_at) <= now - KEPT_FOR))
