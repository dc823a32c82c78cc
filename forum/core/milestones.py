"""What the forum's operation did, first and last: administrators see what is still missing."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel

from forum.core.database import Moment, check_one_of


class MilestoneKind(StrEnum):
    """What was done."""

    MAIL_SENT = "mail_sent"
    BACKUP_MADE = "backup_made"
    LATE_LOOKED_FOR = "late_looked_for"
    BACKUP_FAILED = "backup_failed"
    RESTORE_TESTED = "restore_tested"
    RESTORE_FAILED = "restore_failed"


class Milestone(SQLModel, table=True):
    """When something was done first, and for backups when last."""

    __table_args__ = (check_one_of("kind", MilestoneKind),)

    kind: str = Field(primary_key=True)
    first_at: datetime = Field(sa_type=Moment)
    last_at: datetime = Field(sa_type=Moment)


async def reach_first(session: AsyncSession, kind: MilestoneKind, now: datetime) -> None:
    """Note that this was done, if it never was before: whoever comes later writes nothing and waits for nobody."""
    if await session.get(Milestone, kind) is None:
        row = insert(Milestone).values(kind=kind, first_at=now, last_at=now)
        await session.execute(row.on_conflict_do_nothing())


async def reach(session: AsyncSession, kind: MilestoneKind, now: datetime) -> None:
    """Note that this was done now."""
    row = insert(Milestone).values(kind=kind, first_at=now, last_at=now)
    await session.execute(row.on_conflict_do_update(index_elements=["kind"], set_={"last_at": now}))
