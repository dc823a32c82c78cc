"""Safe repeats: a client that lost its connection may send the same request again (Idempotency-Key)."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.core.database import Moment
from forum.core.errors import Busy, Invalid
from forum.core.secret_key import keyed_digest
from forum.core.work import Transactions, Work

KEPT_FOR = timedelta(hours=24)
PATIENCE, PAUSE = 3.0, 0.1  # seconds

Result = TypeVar("Result")


class SafeRepeat(SQLModel, table=True):
    """What a request with a key of one member on one route created.

    The text of the answer is not stored: it may have been removed since.
    """

    __tablename__ = "safe_repeat"

    member_id: UUID = Field(primary_key=True, foreign_key="member.id", ondelete="CASCADE")
    route: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    body_digest: bytes = Field(description="Under a key that is not in the database, and without secrets")
    created_id: str
    made_at: datetime = Field(sa_type=Moment, index=True)


class GuestRepeat(SQLModel, table=True):
    """The member whom a guest's request with a key made: whoever has the key is told of that member again."""

    __tablename__ = "guest_repeat"

    key_digest: bytes = Field(primary_key=True)
    body_digest: bytes = Field(description="Under a key that is not in the database, and without secrets")
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", index=True)
    made_at: datetime = Field(sa_type=Moment, index=True)


class Repeat(Protocol):
    """The key of one request: what was created with it before, and what is created now."""

    async def earlier(self, work: Work) -> str | None:
        """Return the id of what this key created before, or None. Locks the key until the transaction ends.

        Raises Busy while the same request is still being processed, and Invalid when the key came with another body.
        """

    async def keep(self, work: Work, created_id: object) -> None:
        """Store what this key created, in the transaction that created it."""


class MemberKey:
    """The key of one member on one route. `body` is what the request says, without its secrets."""

    def __init__(self, member_id: UUID, route: str, key: str, body: bytes) -> None:
        self._identity = {"member_id": member_id, "route": route, "key": key}
        self._body = body

    async def earlier(self, work: Work) -> str | None:
        """Return the id of what this key created before, or None. Raises as `Repeat.earlier` does."""
        await _lock(work.session, *self._identity.values())
        found = select(col(SafeRepeat.body_digest), col(SafeRepeat.created_id)).filter_by(**self._identity)
        fresh = found.where(col(SafeRepeat.made_at) > work.now - KEPT_FOR)
        return _same((await work.session.execute(fresh)).one_or_none(), _digest_body(work, self._body))

    async def keep(self, work: Work, created_id: object) -> None:
        """Store what this key created, in the transaction that created it."""
        made = {"body_digest": _digest_body(work, self._body), "created_id": str(created_id), "made_at": work.now}
        row = insert(SafeRepeat).values(**self._identity, **made)
        await work.session.execute(row.on_conflict_do_update(index_elements=["member_id", "route", "key"], set_=made))


class GuestKey:
    """The key of a guest on one route, in a scope of its own: it must be long enough that nobody guesses it."""

    def __init__(self, route: str, key: str, body: bytes) -> None:
        self._key_digest = hashlib.sha256(f"{route}\n{key}".encode()).digest()
        self._body = body

    async def earlier(self, work: Work) -> str | None:
        """Return the id of the member whom this key made before, or None. Raises as `Repeat.earlier` does."""
        await _lock(work.session, self._key_digest.hex())
        found = select(col(GuestRepeat.body_digest), col(GuestRepeat.member_id)).where(
            col(GuestRepeat.key_digest) == self._key_digest, col(GuestRepeat.made_at) > work.now - KEPT_FOR
        )
        return _same((await work.session.execute(found)).one_or_none(), _digest_body(work, self._body))

    async def keep(self, work: Work, created_id: object) -> None:
        """Store whom this key made, in the transaction that did."""
        made = {"body_digest": _digest_body(work, self._body), "member_id": created_id, "made_at": work.now}
        row = insert(GuestRepeat).values(key_digest=self._key_digest, **made)
        await work.session.execute(row.on_conflict_do_update(index_elements=["key_digest"], set_=made))


async def do_once(transactions: Transactions, action: Callable[[Work], Awaitable[Result]]) -> Result:
    """Do an action that takes a key, in a transaction; what it raises undoes all of it.

    Somebody who taps four times waits for what the first tap does, instead of reading that it is being done: for three
    seconds. Raises Busy after that.
    """
    ends = time.monotonic() + PATIENCE
    while True:
        try:
            async with transactions.begin() as work:
                return await action(work)
        except Busy:
            if time.monotonic() > ends:
                raise
        await asyncio.sleep(PAUSE)


async def delete_expired(session: AsyncSession, now: datetime) -> None:
    """Delete the keys that are older than 24 hours."""
    for table in (SafeRepeat, GuestRepeat):
        await session.execute(delete(table).where(col(table.made_at) <= now - KEPT_FOR))


async def _lock(session: AsyncSession, *identity: object) -> None:
    name = "\n".join(map(str, identity)).encode()
    number = int.from_bytes(hashlib.sha256(name).digest()[:8], signed=True)
    if not (await session.execute(select(func.pg_try_advisory_xact_lock(number)))).scalar_one():
        raise Busy("The same request is still being processed. Try again in a moment.")


def _same(row: Any, body_digest: bytes) -> str | None:
    if row is None:
        return None
    known, created_id = row
    if known != body_digest:
        raise Invalid(
            "This key was already used with another request. Use a new key for each thing that you create.",
            "header/Idempotency-Key",
            code="idempotency_key_reused",
        )
    return str(created_id)


def _digest_body(work: Work, body: bytes) -> bytes:
    return keyed_digest(work.settings, "repeat", body)
