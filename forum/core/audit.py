"""The append-only record of what staff did: ids and enum words only, each entry chained to the one before."""

import hashlib
import json
from collections.abc import AsyncIterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, LargeBinary, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.core.database import Moment, Query, query

GENESIS = bytes(32)
# One advisory lock for the whole database, kept until the commit: two appenders at once would fork the chain.
_CHAIN_LOCK = 0x61756469

Details = dict[str, str | int | bool | list[int] | list[str] | None]


class AuditEntry(SQLModel, table=True):
    """One act: who, what, on which subject. Triggers refuse UPDATE and DELETE."""

    __tablename__ = "audit_entry"
    __table_args__ = (Index("ix_audit_entry_at", "at", "number"),)

    number: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    at: datetime = Field(sa_type=Moment)
    actor_id: UUID | None = Field(description="None: the operator, at the command line", index=True)
    act: str
    subject_kind: str
    subject_id: str
    details: dict[str, Any] = Field(sa_type=JSONB)
    previous: bytes = Field(sa_type=LargeBinary)
    digest: bytes = Field(sa_type=LargeBinary)


@dataclass(frozen=True)
class Head:
    """The number and digest of the newest entry. With a copy kept elsewhere, missing last entries are noticed."""

    number: int
    digest: bytes

    def __str__(self) -> str:
        return f"{self.number}:{self.digest.hex()}"

    @classmethod
    def parse(cls, noted: str) -> "Head":
        """Return the head that `str()` wrote. Raises ValueError for anything else."""
        number, _, digest = noted.partition(":")
        head = cls(int(number), bytes.fromhex(digest))
        if len(head.digest) != len(GENESIS):  # a line that was copied in part is no sign of tampering
            raise ValueError("not a whole digest")
        return head


class ChainBroken(Exception):
    """The audit record was changed; the message says where."""


def entries_in_order() -> Query:
    """Return a query of every entry, oldest first."""
    return query(AuditEntry).order_by(col(AuditEntry.number))


async def record(
    session: AsyncSession,
    *,
    actor_id: UUID | None,
    act: str,
    subject: tuple[str, object],
    now: datetime,
    details: Details | None = None,
) -> AuditEntry:
    """Append one act in the caller's transaction. Call it late: other appenders wait until the commit."""
    await session.execute(select(func.pg_advisory_xact_lock(_CHAIN_LOCK)))
    last = await head(session)
    entry = AuditEntry(
        number=last.number + 1,
        at=now.astimezone(UTC),
        actor_id=actor_id,
        act=act,
        subject_kind=subject[0],
        subject_id=str(subject[1]),
        details=dict(details or {}),
        previous=last.digest,
        digest=b"",
    )
    entry.digest = _digest(entry)
    session.add(entry)
    await session.flush()
    return entry


async def head(session: AsyncSession) -> Head:
    """Return the number and digest of the newest entry: number 0 before the first."""
    newest = select(col(AuditEntry.number), col(AuditEntry.digest)).order_by(col(AuditEntry.number).desc()).limit(1)
    row = (await session.execute(newest)).one_or_none()
    return Head(row.number, row.digest) if row else Head(0, GENESIS)


async def verify(session: AsyncSession, noted: Head | None = None) -> Head:
    """Check the whole chain and return its head.

    Raises ChainBroken where an entry was changed, is missing or was swapped, or when the entry `noted` elsewhere is
    missing or differs.
    """
    return await _check(await session.stream_scalars(entries_in_order().execution_options(yield_per=500)), noted)


async def _check(entries: AsyncIterable[AuditEntry], noted: Head | None) -> Head:
    last = Head(0, GENESIS)
    is_found = noted in {None, last}
    async for entry in entries:
        if entry.number != last.number + 1:
            raise ChainBroken(f"After entry {last.number} comes entry {entry.number}: something is missing.")
        if entry.previous != last.digest:
            raise ChainBroken(f"Entry {entry.number} does not follow entry {last.number} as that was written.")
        if _digest(entry) != entry.digest:
            raise ChainBroken(f"Entry {entry.number} was changed after it was written.")
        last = Head(entry.number, entry.digest)
        is_found = is_found or last == noted
    if not is_found:
        raise ChainBroken(f"The noted head {noted} is not in the record: its tail was cut or written anew.")
    return last


def _digest(entry: AuditEntry) -> bytes:
    content = [
        entry.number,
        entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        str(entry.actor_id) if entry.actor_id else None,
        entry.act,
        entry.subject_kind,
        entry.subject_id,
        entry.details,
    ]
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(entry.previous + canonical.encode()).digest()
