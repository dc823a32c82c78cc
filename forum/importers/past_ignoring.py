"""Carry over who ignores whom, so that nobody meets again, on the day of the move, what they had shut out."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from forum.content.ignored import MOST, Ignored
from forum.core.database import Database
from forum.importers.old_moderation import RunTime
from forum.importers.people import People
from forum.importers.records import IgnoreRecord
from forum.importers.staging import Staging
from forum.importers.tables import MovedItem, MovedKind


async def carry_ignored(database: Database, staging: Staging, people: People, run: RunTime) -> None:
    """Let people ignore whom they ignored, where one of the two came with this run. Idempotent.

    Whoever was here before and stopped ignoring somebody since does not begin again. Of more than anybody may ignore
    here, those come whom the old board gave first.
    """
    async with database.work() as session:
        came = select(col(MovedItem.member_id)).where(
            col(MovedItem.run_id) == run.run_id, col(MovedItem.kind) == MovedKind.PERSON
        )
        new = set((await session.execute(came)).scalars())
        wanted: dict[UUID, list[UUID]] = {}
        for record in staging.others(IgnoreRecord):
            member, other = people.by_old.get(record.person), people.by_old.get(record.ignored)
            if member and other and member.handle and other.handle and {member.id, other.id} & new:
                wanted.setdefault(member.id, []).append(other.id)
        for member_id, others in wanted.items():
            rows = [{"member_id": member_id, "persona_id": other, "since": run.now} for other in others[:MOST]]
            await session.execute(insert(Ignored).values(rows).on_conflict_do_nothing())
