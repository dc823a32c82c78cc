"""Safe repeats: a client that lost its connection may send the same request again (Idempotency-Key)."""

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
    """What a request with a key of one member on one route created.

    The text of the answer is not stored: it may have been removed since.
    """

    __tablename__ = "safe_repeat"

    member_id: UUID = Field(primary_key=True, foreign_key="member.id", ondelete="CASCADE")
    route: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    body_digest: bytes
    created_id: str
    made_at: datetime = Field(sa_type=Moment, index=True)


class Repeat:
    """The key of one member on one route, in one request."""

    def __init__(self, member_id: UUID, route: str, key: str, body: bytes) -> None:
        self._identity = {"member_id": member_id, "route": route, "key": key}
        self._body_digest = hashlib.sha256(body).digest()

    async def earlier(self, session: AsyncSession, now: datetime) -> str | None:
        """Return the id of what this key created before, or None. Locks the key until the transaction ends.

        Raises Busy while the same request is still being processed, and Invalid when the key came with another body.
        """
        name = "\n".join(map(str, self._identity.values())).encode()
        number = int.from_bytes(hashlib.sha256(name).digest()[:8], signed=True)
        if not (await session.execute(select(func.pg_try_advisory_xact_lock(number)))).scalar_one():
            raise Busy("The same request is still being processed. Try again in a moment.")
        found = await session.execute(
            select(col(SafeRepeat.body_digest), col(SafeRepeat.created_id))
            .filter_by(**self._identity)
            .where(col(SafeRepeat.made_at) > now - KEPT_FOR)
        )
        row = found.one_or_none()
        if row and row.body_digest != self._body_digest:
            raise Invalid(
                "This key was already used with another request. Use a new key for each thing that you create.",
                "header/Idempotency-Key",
                code="idempotency_key_reused",
            )
        return row.created_id if row else None

    async def keep(self, session: AsyncSession, created_id: object, now: datetime) -> None:
        """Store what this key created, in the transaction that created it."""
        made = {"body_digest": self._body_digest, "created_id": str(created_id), "made_at": now}
        row = insert(SafeRepeat).values(**self._identity, **made)
        await session.execute(row.on_conflict_do_update(index_elements=["member_id", "route", "key"], set_=made))


async def delete_expired(session: AsyncSession, now: datetime) -> None:
    """Delete the keys that are older than 24 hours."""
    await session.execute(delete(SafeRepeat).where(col(SafeRepeat.made_at) <= now - KEPT_FOR))
