"""Find out whether a dump has anything that is not here yet: where it has nothing, a run writes nothing."""

from collections.abc import Collection
from dataclasses import dataclass

from forum.core.database import Database
from forum.importers.addresses import is_any_address_new
from forum.importers.board_rows import find_boards
from forum.importers.delta.beside import find_differing
from forum.importers.delta.facts import read_threads, thread_batches
from forum.importers.delta.people import find_changed_people
from forum.importers.delta.steps import Deciding
from forum.importers.old_threads import choose_coming
from forum.importers.past_moderation import PastModeration
from forum.importers.people import Arrival, find_coming
from forum.importers.plan import Plan
from forum.importers.staging import Staging

AT_ONCE = 100  # threads that are read together; fewer, where they are long


@dataclass(frozen=True)
class Looking:
    """Looks whether there is anything to do."""

    database: Database
    staging: Staging
    plan: Plan
    arrival: Arrival
    deciding: Deciding

    async def find(self) -> bool:
        """Return whether a run would write something. What is quickly seen is looked for first."""
        boards, is_any_new = await find_boards(self.database, self.staging, self.plan, self.arrival.source)
        if is_any_new or self._has_new_thread(boards) or await self._has_change():
            return True
        people, coming = await find_coming(self.database, self.staging, self.plan, self.arrival)
        arrival = self.arrival
        past = PastModeration(self.database, self.staging, arrival.moderation, arrival.source, arrival.now)
        if coming or await past.is_any_new(people):
            return True
        if await is_any_address_new(self.database, self.staging, arrival.source):
            return True
        async with self.database.work() as session:
            return bool(await find_changed_people(session, self.staging, self.arrival))

    def _has_new_thread(self, boards: Collection[str]) -> bool:
        here = {old for (old,) in self.staging.connection.execute("SELECT old FROM here WHERE kind = 'thread'")}
        return any(
            record.board in boards
            and record.moved_to is None
            and record.old not in here
            and any(True for _ in choose_coming(record, self.staging.posts_to_come(record.old), self.arrival.now))
            for record in self.staging.threads()
        )

    async def _has_change(self) -> bool:
        async with self.database.work() as session:
            async for ids in thread_batches(session, find_differing(self.staging), AT_ONCE):
                threads = await read_threads(session, ids)
                if any((steps := self.deciding.decide(thread)) and steps.is_any for thread in threads):
                    return True
        return False
