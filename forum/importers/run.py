"""Run an import: boards, people, threads, in batches. One run at a time; one that was killed goes on where it was."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.administration.webhooks import actions as webhooks
from forum.administration.webhooks.tables import WebhookEvent
from forum.core import audit
from forum.core.clock import now as clock_now
from forum.core.database import Database
from forum.core.gate import Gate
from forum.core.settings import Settings
from forum.importers.addresses import carry_addresses
from forum.importers.board_rows import carry_boards, refuse_wider
from forum.importers.content import carry_threads
from forum.importers.errors import CannotMove
from forum.importers.old_threads import Setting
from forum.importers.people import Arrival, OpenCase, carry_people
from forum.importers.plan import Plan
from forum.importers.rows import digest_of
from forum.importers.staging import Staging
from forum.importers.tables import ImportRun, MovedItem, MovedKind, RunState

IMPORTING = 0x6D6F7665  # the lock of whoever moves something here
GOES_ON = timedelta(days=1)  # a run that was killed; after that, another one begins with what is not here yet
PATIENCE = timedelta(seconds=10)  # in which the server notices that a run was killed
NOT_SET = Settings.model_fields["public_url"].default
# Tables that have more rows now than their statistics say.
_ANALYZED = (
    "member",
    "persona",
    "thread",
    "post",
    "post_quote",
    "quoted_words",
    "moved",
    "old_login",
    "unindexed_post",
)


class Stage(StrEnum):
    """What a run does at the moment."""

    PEOPLE = "people"
    POSTS = "posts"


# Told what is carried over, and how many of them each time.
Seen = Callable[[Stage, int], None]


@dataclass(frozen=True)
class Import:
    """What is to be moved, and how."""

    staging: Staging
    plan: Plan
    settings: Settings
    gate: Gate
    open_case: OpenCase  # about somebody who was banned on the old board

    @property
    def source(self) -> str:
        """Return what the old board is called among what moved: the same in each run."""
        record = self.staging.source
        return f"{record.program} {record.address or record.name}".strip()


async def find_unfinished(session: AsyncSession) -> ImportRun | None:
    """Return the run that was killed before it ended, if there is one."""
    return (await session.execute(select(ImportRun).where(col(ImportRun.state) == RunState.RUNNING))).scalars().first()


def can_go_on(run: ImportRun, now: datetime) -> bool:
    """Return whether a run that was killed goes on, with the time at which it began."""
    return run.started_at > now - GOES_ON


async def carry_over(database: Database, wanted: Import, *, seen: Seen = lambda _stage, _count: None) -> ImportRun:
    """Move all that the plan takes and that is not here yet. Return the run, with its counts.

    Raises CannotMove, and changes nothing, where the plan does not fit, while another run goes on, and where links to
    the old board would lead nowhere.
    """
    wanted.plan.check(wanted.staging)
    if wanted.plan.address and wanted.settings.public_url == NOT_SET:
        raise CannotMove("Set FORUM_PUBLIC_URL first: links to the old board are to lead to the new one.")
    async with _alone(database):
        await _refuse_twin(database, wanted)
        await refuse_wider(database, wanted.staging, wanted.plan, wanted.source)
        run = await _begin(database, wanted.source, clock_now())
        started = run.started_at  # of one that goes on, too: it ends as if nothing had disturbed it
        place, staging = (run.source, run.id), wanted.staging
        boards = await carry_boards(database, staging, wanted.plan, place, started)
        people = await carry_people(
            database,
            staging,
            wanted.plan,
            Arrival(*place, started, boards.keys(), wanted.settings.name, wanted.open_case),
            seen=lambda count: seen(Stage.PEOPLE, count),
        )
        setting = Setting(
            source=run.source,
            run_id=run.id,
            plan=wanted.plan,
            people=people,
            boards=boards,
            gate=wanted.gate,
            now=started,
            latest=clock_now(),
            organisation=staging.source.name or wanted.settings.name,
            public_url=wanted.settings.public_url,
        )
        await carry_threads(database, staging, setting, seen=lambda count: seen(Stage.POSTS, count))
        await carry_addresses(database, staging, place)
        ended = await _end(database, run)
    await _analyze(database)
    return ended


@asynccontextmanager
async def _alone(database: Database) -> AsyncIterator[None]:
    """Hold the lock of whoever moves something here. Raises CannotMove while somebody else does."""
    connection = await database.reader.open_connection()
    try:
        give_up = clock_now() + PATIENCE
        while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", IMPORTING):
            if clock_now() > give_up:
                raise CannotMove("Another import is running on this forum. Wait until it has ended.")
            await asyncio.sleep(0.5)
        yield
    finally:
        await connection.close()


async def _refuse_twin(database: Database, wanted: Import) -> None:
    """Raise CannotMove where the same board came before by another address: all of it would come twice."""
    moved = select(col(MovedItem.old), col(MovedItem.digest), col(MovedItem.source)).where(
        col(MovedItem.kind) == MovedKind.THREAD,
        col(MovedItem.digest).is_not(None),
        col(MovedItem.source) != wanted.source,
        func.starts_with(col(MovedItem.source), f"{wanted.staging.source.program} "),
    )
    async with database.work() as session:
        came = {(row.old, row.digest): row.source for row in await session.execute(moved)}
    for thread in wanted.staging.threads() if came else ():
        if source := came.get((thread.old, digest_of(thread))):
            raise CannotMove(
                f"The thread {thread.old} came before from {source}; this dump calls the same board {wanted.source}. "
                "Set the address back in the settings of the old board, and make the dump again."
            )


async def _begin(database: Database, source: str, now: datetime) -> ImportRun:
    """Return the run of this board that was killed, or a new one.

    One that was killed long ago ends as it is: what is written now, as by a newer dump, is not of its time.
    """
    async with database.work() as session:
        unfinished = await find_unfinished(session)
        if unfinished and unfinished.source != source:
            raise CannotMove(f"An import of {unfinished.source} was not ended. Run that one to its end first.")
        if unfinished and can_go_on(unfinished, now):
            return unfinished
        if unfinished:
            await _close(session, unfinished, now)
        run = ImportRun(source=source, started_at=now)
        session.add(run)
        await session.flush()
        await audit.record(session, actor_id=None, act="import.began", subject=("import", run.id), now=now)
        return run


async def _end(database: Database, run: ImportRun) -> ImportRun:
    """Note that the run has ended, and what moved in all."""
    now = clock_now()
    async with database.work() as session:
        ended = await session.get_one(ImportRun, run.id, with_for_update=True)
        await _close(session, ended, now)
        await webhooks.announce(session, WebhookEvent.IMPORT_FINISHED, now)
    return ended


async def _close(session: AsyncSession, run: ImportRun, now: datetime) -> None:
    kinds = (
        select(col(MovedItem.kind), func.count()).where(col(MovedItem.run_id) == run.id).group_by(col(MovedItem.kind))
    )
    moved: audit.Details = {str(kind): int(count) for kind, count in await session.execute(kinds)}
    run.counts = {**run.counts, "moved": moved}
    run.state, run.ended_at = RunState.ENDED, now
    await session.flush()
    subject, act = ("import", run.id), "import.ended"
    await audit.record(session, actor_id=None, act=act, subject=subject, now=now, details=moved)


async def _analyze(database: Database) -> None:
    async with database.autocommit.connect() as connection:
        for table in _ANALYZED:
            await connection.execute(text(f"ANALYZE {table}"))
