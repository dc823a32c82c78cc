"""Run an import: boards, people, threads, in batches. One run at a time; one that was killed goes on where it was."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.administration.webhooks import actions as webhooks
from forum.administration.webhooks.tables import WebhookEvent
from forum.core import audit
from forum.core.clock import now as clock_now
from forum.core.database import Database, new_id
from forum.core.gate import Gate
from forum.core.settings import Settings
from forum.importers.addresses import carry_addresses
from forum.importers.board_rows import carry_boards, find_boards, refuse_wider
from forum.importers.content import carry_threads
from forum.importers.counting import add_counts
from forum.importers.delta.beside import (
    count_here,
    find_gone,
    find_hidden_here,
    find_last,
    find_newest,
    is_of,
    put_beside,
)
from forum.importers.delta.carrying import carry_changes
from forum.importers.delta.facts import read_boards
from forum.importers.delta.news import Looking
from forum.importers.delta.people import carry_changed_people, find_changed_people
from forum.importers.delta.steps import Deciding
from forum.importers.errors import CannotMove
from forum.importers.old_moderation import OldModeration, OldTerm, RunTime
from forum.importers.old_threads import OldThreads, Setting
from forum.importers.past_ignoring import carry_ignored
from forum.importers.past_moderation import PastModeration
from forum.importers.people import Arrival, carry_people, make_digest
from forum.importers.plan import Plan
from forum.importers.records import TermRecord
from forum.importers.rows import digest_of
from forum.importers.staging import Staging
from forum.importers.tables import ImportRun, MovedItem, MovedKind, RunState

IMPORTING = 0x6D6F7665  # the lock of whoever moves something here
GOES_ON = timedelta(days=1)  # a run that was killed; after that, another one begins with what is not here yet
PATIENCE = timedelta(seconds=10)  # in which the server notices that a run was killed
# Posts that moved and are not in a newer dump: with more, it is asked whether that dump is whole.
MANY_GONE, MUCH_GONE = 20, 0.1
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
    moderation: OldModeration  # what becomes of what the old board decided
    takes_gone: bool = False  # hide what is gone there, however much it is

    @property
    def source(self) -> str:
        """Return what the old board is called among what moved: the same in each run."""
        return self.staging.source.board


async def find_unfinished(session: AsyncSession) -> ImportRun | None:
    """Return the run that was killed before it ended, if there is one."""
    return (await session.execute(select(ImportRun).where(col(ImportRun.state) == RunState.RUNNING))).scalars().first()


def can_go_on(run: ImportRun, now: datetime) -> bool:
    """Return whether a run that was killed goes on, with the time at which it began."""
    return run.started_at > now - GOES_ON


async def carry_over(
    database: Database,
    wanted: Import,
    *,
    seen: Seen = lambda _stage, _count: None,
    first: Callable[[], Awaitable[None]] | None = None,
) -> ImportRun | None:
    """Move all that the plan takes and that is not here yet, and what changed on the old board since an earlier run.

    Return the run, with its counts; None where nothing is new: then nothing is written. `first` is awaited before
    anything is. Raises CannotMove, and changes nothing, where the plan does not fit, while another run goes on, where
    links to the old board would lead nowhere, and where the dump lacks so much that it may be another one.
    """
    wanted.plan.check(wanted.staging)
    if wanted.plan.address and wanted.settings.public_url == NOT_SET:
        raise CannotMove("Set FORUM_PUBLIC_URL first: links to the old board are to lead to the new one.")
    async with alone(database):
        await _refuse_twin(database, wanted)
        await refuse_wider(database, wanted.staging, wanted.plan, wanted.source)
        async with database.work() as session:
            await put_beside(session, wanted.staging)
            await _refuse_much_gone(session, wanted)
            unfinished = await find_unfinished(session)
        if unfinished is None and not await _has_news(database, wanted):
            return None
        if first and not (unfinished and can_go_on(unfinished, clock_now())):
            await first()
        run = await _begin(database, wanted.source, clock_now())
        await _carry(database, wanted, run, seen)
        await carry_addresses(database, wanted.staging, (run.source, run.id))
        await _offer_terms(database, wanted, RunTime(run.id, run.started_at))
        ended = await _end(database, run)
    await _analyze(database)
    return ended


async def _carry(database: Database, wanted: Import, run: ImportRun, seen: Seen) -> None:
    """Carry everything over. What is gone or hidden on the old board goes first, then what is new comes."""
    started = run.started_at  # of one that goes on, too: it ends as if nothing had disturbed it
    place, staging = (run.source, run.id), wanted.staging
    boards = await carry_boards(database, staging, wanted.plan, place, started)
    arrival = _arrival(wanted, boards.keys(), run.id, started)
    people = await carry_people(database, staging, wanted.plan, arrival, seen=lambda count: seen(Stage.PEOPLE, count))
    async with database.work() as session:
        changed = await find_changed_people(session, staging, arrival)
        boards_now = await read_boards(session, is_of(wanted.source))
        hidden = await find_hidden_here(session, wanted.source)
    await carry_changed_people(database, staging, arrival, changed)
    setting = Setting(
        source=run.source,
        run_id=run.id,
        plan=wanted.plan,
        people=people,
        boards=boards,
        gate=wanted.gate,
        moderation=wanted.moderation,
        now=started,
        latest=clock_now(),
        organisation=staging.source.name or wanted.settings.name,
        public_url=wanted.settings.public_url,
        hidden_here=hidden.union(find_gone(staging)),
    )
    reading = OldThreads(staging, setting)
    deciding = Deciding(staging, boards_now, boards.keys(), started)
    await carry_changes(database, reading, deciding, seen=lambda count: seen(Stage.POSTS, count))
    await carry_threads(database, reading, seen=lambda count: seen(Stage.POSTS, count))
    await carry_ignored(database, staging, people, setting.run)
    past = PastModeration(database, staging, wanted.moderation, run.source, started)
    await past.carry(setting.run, people)


def _arrival(wanted: Import, boards: Collection[str], run_id: UUID, now: datetime) -> Arrival:
    digest = make_digest(wanted.settings)
    return Arrival(wanted.source, run_id, now, boards, wanted.settings.name, wanted.moderation, digest)


async def _has_news(database: Database, wanted: Import) -> bool:
    staging, now = wanted.staging, clock_now()
    boards, _ = await find_boards(database, staging, wanted.plan, wanted.source)
    async with database.work() as session:
        boards_now = await read_boards(session, is_of(wanted.source))
    arrival = _arrival(wanted, boards.keys(), new_id(), now)  # of a run that may never be
    deciding = Deciding(staging, boards_now, boards.keys(), now)
    return await Looking(database, staging, wanted.plan, arrival, deciding).find()


async def _refuse_much_gone(session: AsyncSession, wanted: Import) -> None:
    """Raise CannotMove where the dump is perhaps not whole, or older than what moved: what it lacks would be hidden."""
    gone, here = [*find_gone(wanted.staging)], count_here(wanted.staging)
    if wanted.takes_gone or not gone:
        return
    if len(gone) > max(MANY_GONE, here * MUCH_GONE):
        raise CannotMove(
            f"{len(gone):,} of the {here:,} posts that moved are not in this dump, and would be hidden here. Is it "
            "whole? If they were deleted on the old board, start the import again with --take-gone."
        )
    until, newest = find_last(wanted.staging), await find_newest(session, wanted.source, gone)
    if until is not None and newest is not None and newest > until:
        raise CannotMove(
            f"Posts that moved are newer than this dump, whose last post is of {until:%Y-%m-%d %H:%M}. Is it an older "
            "one? If they were deleted on the old board, start the import again with --take-gone."
        )


@asynccontextmanager
async def alone(database: Database) -> AsyncIterator[None]:
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
        await refuse_undoing(session)
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


async def refuse_undoing(session: AsyncSession) -> None:
    """Raise CannotMove while an import is being taken back."""
    undoing = select(col(ImportRun.source)).where(col(ImportRun.state) == RunState.UNDOING).limit(1)
    if source := (await session.execute(undoing)).scalar():
        raise CannotMove(f"The import of {source} is being taken back. First run `forum import undo` to its end.")


async def _offer_terms(database: Database, wanted: Import, run: RunTime) -> None:
    terms = [OldTerm(term.words, term.replacement) for term in wanted.staging.others(TermRecord)]
    async with database.work() as session:
        offered = await wanted.moderation.offer_terms(session, run, terms)
        await add_counts(session, run.run_id, {"terms": offered})


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
