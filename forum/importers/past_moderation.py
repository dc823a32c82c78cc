"""Carry over what moderators of the old board left: reports that nobody settled, and who was warned. In each run.

Each has an id that is made of what it was there: so a run brings what is not here yet, and nothing twice, whoever
settled it here since, and wherever an earlier run was killed.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from sqlalchemy import ARRAY, Text, any_, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.posts.tables import SHOWN, Post, Visibility
from forum.content.threads.tables import Thread, ThreadVisibility
from forum.core.database import Database
from forum.importers.counting import add_counts
from forum.importers.old_moderation import OldModeration, OldReport, OldWarning, RunTime
from forum.importers.old_threads import WAITS_FOR
from forum.importers.people import People
from forum.importers.records import ReportRecord, WarningRecord
from forum.importers.staging import Staging
from forum.importers.tables import MovedItem, MovedKind

AT_ONCE = 500  # that are looked for, and written, together
# Of ids of this kind (RFC 9562, version 5), whatever they name; ours are of version 7.
_NAMES = UUID("6ab4e2d7-52f1-4c0e-9d6b-0f6f2d1c7a35")
_WAITING = (*SHOWN, Visibility.HELD)


@dataclass(frozen=True)
class PastModeration:
    """Carries them over from a dump, once the people and the posts that come are here."""

    database: Database
    staging: Staging
    moderation: OldModeration
    source: str
    now: datetime

    async def is_any_new(self, people: People) -> bool:
        """Return whether a report or a warning is not here yet, of what came with an earlier run."""
        async with self.database.work() as session:
            if await self._new_warnings(session, people):
                return True
            for some in self._reported():
                if await self._new_reports(session, some, people):
                    return True
        return False

    async def carry(self, run: RunTime, people: People) -> None:
        """Carry over whatever is not here yet: each some hundreds are one transaction."""
        async with self.database.work() as session:
            if warnings := await self._new_warnings(session, people):
                await self.moderation.keep_warnings(session, run, warnings)
                await add_counts(session, run.run_id, {"warnings": len(warnings)})
        for some in self._reported():
            async with self.database.work() as session:
                if reports := await self._new_reports(session, some, people):
                    await self.moderation.open_reports(session, run, reports)
                    await add_counts(session, run.run_id, {"reports": len(reports)})

    async def _new_warnings(self, session: AsyncSession, people: People) -> Sequence[OldWarning]:
        """Return the warnings of people who are here that nobody noted yet. Who closed their account has none."""
        found, times = [], Counter[tuple[str, datetime]]()
        for record in self.staging.others(WarningRecord):
            times[record.person, record.given_at] += 1
            member = people.by_old.get(record.person)
            if member and member.handle:
                nth = times[record.person, record.given_at]
                warning_id = self._id("warning", record.person, record.given_at, nth)
                found.append(OldWarning(warning_id, member.id, min(record.given_at, self.now)))
        known = await self.moderation.find_known_warnings(session, found)
        return [one for one in found if one.id not in known]

    def _reported(self) -> Iterator[Mapping[str, Sequence[ReportRecord]]]:
        """Give what waits to be settled there, and is not too old, by post: of each who reported one, the newest."""
        newest: dict[tuple[str, str], ReportRecord] = {}
        for record in self.staging.others(ReportRecord):
            if record.reported_at >= self.now - WAITS_FOR:
                key = (record.post, record.by or f" {record.reported_at} {record.reason}")
                if key not in newest or newest[key].reported_at < record.reported_at:
                    newest[key] = record
        by_post: dict[str, list[ReportRecord]] = {}
        for record in newest.values():
            by_post.setdefault(record.post, []).append(record)
        olds = list(by_post)
        for first in range(0, len(olds), AT_ONCE):
            yield {old: by_post[old] for old in olds[first : first + AT_ONCE]}

    async def _new_reports(
        self, session: AsyncSession, reported: Mapping[str, Sequence[ReportRecord]], people: People
    ) -> Sequence[OldReport]:
        """Return the reports that are not here yet, of posts that are here and that nobody removed.

        Who reported it is named only where they came too.
        """
        posts = (
            select(col(MovedItem.old), col(Post.id), col(Post.number), col(Post.revision), col(Thread.title_revision))
            .join(Post, (col(Post.thread_id) == col(MovedItem.thread_id)) & (col(Post.number) == col(MovedItem.number)))
            .join(Thread, col(Thread.id) == col(Post.thread_id))
            .where(col(MovedItem.source) == self.source, col(MovedItem.kind) == MovedKind.POST)
            .where(col(MovedItem.old) == any_(bindparam("olds", type_=ARRAY(Text()))))
            .where(col(Post.visibility).in_(_WAITING), col(Thread.visibility) != ThreadVisibility.REMOVED)
            .order_by(col(Post.id))
        )
        found = []
        for row in await session.execute(posts, {"olds": list(reported)}):
            for record in reported[row.old]:
                by = people.by_old.get(record.by or "")
                report = OldReport(
                    id=self._id("report", row.old, record.by or "", record.reported_at, record.reason),
                    post_id=row.id,
                    revision=row.revision,
                    title_revision=row.title_revision if row.number == 1 else None,
                    reporter_id=by.id if by and by.handle else None,
                    reported_at=min(record.reported_at, self.now),
                    reason=record.reason,
                    title=record.title,
                )
                found.append(report)
        known = await self.moderation.find_known_reports(session, found)
        return [one for one in found if one.id not in known]

    def _id(self, *parts: object) -> UUID:
        return uuid5(_NAMES, "\n".join(map(str, (self.source, *parts))))
