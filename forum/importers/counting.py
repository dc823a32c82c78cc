"""What a run counts: kept with each batch, so that one that is killed and started again counts nothing twice."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.importers.tables import ImportRun


async def add_counts(session: AsyncSession, run_id: UUID, more: Mapping[str, int]) -> None:
    """Add to what a run counted, in the transaction of the batch that is counted."""
    found = select(ImportRun).where(col(ImportRun.id) == run_id).with_for_update()
    run = (await session.execute(found)).scalar_one()
    run.counts = {**run.counts, **{key: run.counts.get(key, 0) + count for key, count in more.items() if count}}
    await session.flush()
