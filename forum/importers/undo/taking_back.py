"""Take an import back in batches, each in one transaction. One that was killed goes on where it was.

Before the first batch, all that people did is looked for, and the boards that came are closed, so that nobody writes
there any more. Each batch locks its rows and looks once more, and leaves what somebody did something with meanwhile.
Readers go on reading what is still there.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.boards import Board, set_archived
from forum.content.search import spelling
from forum.core import audit, jobs
from forum.core.clock import now as clock_now
from forum.core.database import Database
from forum.importers.batches import batches
from forum.importers.errors import CannotMove
from forum.importers.run import alone
from forum.importers.tables import ImportRun, MovedItem, MovedKind, RunState
from forum.importers.undo.deeds import count_deeds, describe
from forum.importers.undo.going import Going, collect, delete_rows, read_keys
from forum.members.tables import Member

THREADS, POSTS, PEOPLE = 100, 2_000, 200  # in one batch
SAID_MOST = 20  # places where something stays
_ID_TYPES = {"thread": "bigint", "member": "uuid"}
_RESTORE = (
    "`forum restore` goes back to the backup that came before the move, and loses whatever was written here after it."
)


class UndoStage(StrEnum):
    """What is taken back at the moment."""

    POSTS = "posts"
    PEOPLE = "people"


class TakenBack(NamedTuple):
    """What an import brought, and from where."""

    source: str
    moved: Mapping[str, int]  # by kind


# What an import brought that is still here: each a query of ids. Boards that were here before stay.
_THREADS = "SELECT thread_id FROM moved WHERE kind = 'thread' AND source = :source"
_MEMBERS = "SELECT member_id FROM moved WHERE kind = 'person' AND member_id IS NOT NULL AND source = :source"
_BOARDS = (
    "SELECT board.id FROM moved JOIN board ON board.id = board_id JOIN import_run ON import_run.id = run_id "
    "WHERE moved.source = :source AND board.made_at = started_at"
)
ROOTS = {"thread": _THREADS, "member": _MEMBERS, "board": _BOARDS}
# The counts of boards and names that stay; the others go with them.
_COUNT_DOWN = (
    "INSERT INTO board_tally (board_id, threads, posts) SELECT board_id, -count(*), -sum(posts) FROM thread "
    "WHERE id IN (SELECT id FROM going_thread) AND visibility = 'visible' AND posts > 0 GROUP BY board_id",
    "INSERT INTO post_tally (persona_id, board_id, posts) SELECT post.author_id, thread.board_id, -count(*) "
    "FROM post JOIN thread ON thread.id = post.thread_id WHERE thread.id IN (SELECT id FROM going_thread) "
    "AND post.visibility = 'visible' AND thread.visibility = 'visible' GROUP BY post.author_id, thread.board_id",
)


# Words that the old board replaced, of which nobody here made anything.
_OFFERED = """
DELETE FROM watched_term USING import_run WHERE import_run.id = import_run_id AND source = :source AND NOT EXISTS (
    SELECT FROM watched_term AS newer WHERE newer.id = watched_term.id AND newer.version > watched_term.version
)
"""


async def look(database: Database, source: str | None) -> TakenBack:
    """Return what would go, and change nothing. Raises CannotMove as `take_back` does before it begins."""
    async with alone(database), database.work() as session:
        runs = await _choose_runs(session, source)
        await _look_for_deeds(session, runs, goes_on=False)
        return TakenBack(runs[0].source, await _count_moved(session, runs[0].source))


async def take_back(
    database: Database,
    source: str | None = None,
    *,
    seen: Callable[[UndoStage, int], None] = lambda _part, _count: None,
) -> TakenBack:
    """Delete all that the runs from one old board brought. `seen` is told how many posts and people each batch had.

    Raises CannotMove, and changes nothing, where nothing moved, where it moved from several boards and none is named,
    and where people did something with it since. Of what they do while it is taken back, bookmarks, reactions
    and drafts go, too; whatever else leads to a thread or a person keeps those, which are named at the end.
    """
    async with alone(database):
        async with database.work() as session:
            begun = await _begin(session, source, clock_now())
        threads, members = dict[int, str](), dict[UUID, str]()  # that stay, with what people did there
        while (posts := await _take_threads(database, begun.source, threads)) is not None:
            seen(UndoStage.POSTS, posts)
        while (people := await _take_people(database, begun.source, members, threads)) is not None:
            seen(UndoStage.PEOPLE, people)
        async with database.work() as session:
            await _refuse_kept(session, threads, members)
            await _end(session, begun.source, clock_now())
    return begun


async def _begin(session: AsyncSession, source: str | None, now: datetime) -> TakenBack:
    runs = await _choose_runs(session, source)
    source = runs[0].source
    await _look_for_deeds(session, runs, goes_on=True)
    moved = await _count_moved(session, source)
    for run in runs:
        if run.state != RunState.UNDOING:
            run.state, run.ended_at = RunState.UNDOING, run.ended_at or now
            subject = ("import", run.id)
            await audit.record(session, actor_id=None, act="import.undo_began", subject=subject, now=now)
    theirs = (await session.execute(text("SELECT id FROM going_board"))).scalars().all()
    boards = select(Board).where(col(Board.id).in_(theirs)).order_by(col(Board.id)).with_for_update()
    for board in (await session.execute(boards)).scalars().all():
        await set_archived(session, board, archived=True, now=now)
    return TakenBack(source, moved)


async def _choose_runs(session: AsyncSession, source: str | None) -> Sequence[ImportRun]:
    """Return the runs of one old board, locked, oldest first."""
    found = select(ImportRun).where(col(ImportRun.state) != RunState.UNDONE).order_by(col(ImportRun.started_at))
    runs = (await session.execute(found.with_for_update())).scalars().all()
    sources = sorted({run.source for run in runs})
    named = "; ".join(f"“{name}”" for name in sources)
    if not runs:
        raise CannotMove("Nothing has moved here from another board.")
    if source is not None and source not in sources:
        raise CannotMove(f"Nothing has moved here from “{source}”. This moved: {named}.")
    if source is None and len(sources) > 1:
        raise CannotMove(f"Several boards moved here. Say with --source which one is to go: {named}.")
    return [run for run in runs if run.source == (source or sources[0])]


async def _look_for_deeds(session: AsyncSession, runs: Sequence[ImportRun], *, goes_on: bool) -> None:
    """Collect all that goes. Raises CannotMove where people did something with it, but not of what `goes_on`."""
    has_begun = any(run.state == RunState.UNDOING for run in runs)
    going = await read_keys(session, has_begun=has_begun)
    await collect(session, going, ROOTS, {"source": runs[0].source})
    if not (has_begun and goes_on):
        await _refuse(session, going, "It cannot be taken back any more")


async def _refuse(session: AsyncSession, going: Going, what: str) -> None:
    if deeds := await count_deeds(session, going):
        raise CannotMove(f"{what}: since it moved, people here made {describe(deeds)}, which would be lost. {_RESTORE}")


async def _take_threads(database: Database, source: str, kept: dict[int, str]) -> int | None:
    """Delete some threads with their posts, and return how many posts these were; None where no thread is left."""
    ids = text(
        "SELECT thread_id AS id, last_number FROM moved JOIN thread ON thread.id = thread_id WHERE kind = 'thread' "
        "AND source = :source AND thread_id <> ALL (CAST(:kept AS bigint[])) ORDER BY thread_id LIMIT :most"
    )
    async with database.work() as session:
        found = await session.execute(ids, {"source": source, "most": THREADS, "kept": list(kept)})
        batch = next(batches(found.all(), THREADS, lambda row: row.last_number, POSTS), [])
    return await _take(database, "thread", [row.id for row in batch], kept) if batch else None


async def _take_people(database: Database, source: str, kept: dict[UUID, str], threads: Collection[int]) -> int | None:
    """Delete some people, and return how many; None where nobody is left but who wrote in a thread that stays."""
    ids = text(
        f"{_MEMBERS} AND member_id <> ALL (CAST(:kept AS uuid[])) AND NOT EXISTS (SELECT FROM post WHERE author_id = "
        "member_id AND thread_id = ANY (CAST(:threads AS bigint[]))) ORDER BY 1 LIMIT :most"
    )
    some = {"source": source, "most": PEOPLE, "kept": list(kept), "threads": list(threads)}
    async with database.work() as session:
        batch = (await session.execute(ids, some)).scalars().all()
    if not batch:
        return None
    stayed = len(kept)
    await _take(database, "member", batch, kept)
    return len(batch) - (len(kept) - stayed)


async def _take(database: Database, what: str, ids: Sequence[Any], kept: dict[Any, str]) -> int:
    """Delete these threads or people, and return how many posts went. What people did something with is noted as kept.

    Those are found by halves, so that one among many costs little.
    """
    async with database.work() as session:
        going = await read_keys(session, has_begun=True)
        roots = {what: f"SELECT unnest(CAST(:ids AS {_ID_TYPES[what]}[]))"}
        await collect(session, going, roots, {"ids": list(ids)}, lock=True)
        deeds = await count_deeds(session, going)
        if not deeds:
            for statement in _COUNT_DOWN:
                await session.execute(text(statement))
            posts: int = (await session.execute(text("SELECT count(*) FROM going_post"))).scalar_one()
            await delete_rows(session, going)
            return posts
    if len(ids) == 1:
        kept[ids[0]] = describe(deeds)
        return 0
    middle = len(ids) // 2
    return await _take(database, what, ids[:middle], kept) + await _take(database, what, ids[middle:], kept)


async def _refuse_kept(session: AsyncSession, threads: Mapping[int, str], people: Mapping[UUID, str]) -> None:
    """Raise CannotMove where something stays, with where that is and what people did there."""
    if not threads and not people:
        return
    names = select(col(Member.id), col(Member.handle), col(Member.name)).where(col(Member.id).in_(people))
    said = [f"/threads/{thread_id}: {what}" for thread_id, what in threads.items()]
    for row in await session.execute(names):
        said.append(f"{'@' + row.handle if row.handle else row.name}: {people[row.id]}")
    more = [f"and {len(said) - SAID_MOST:,} more"] if len(said) > SAID_MOST else []
    places = "".join(f"- {one}\n" for one in [*said[:SAID_MOST], *more])
    raise CannotMove(
        f"All else went, but this stays with what people made there while it was taken back:\n{places}Once that is "
        f"gone, start `forum import undo` again: it takes the rest. {_RESTORE}"
    )


async def _end(session: AsyncSession, source: str, now: datetime) -> None:
    """Delete the boards and the last marks, and note that all is taken back."""
    going = await read_keys(session, has_begun=True)
    await collect(session, going, {"board": _BOARDS}, {"source": source}, lock=True)
    await _refuse(session, going, "Its boards stay")
    await delete_rows(session, going)
    await session.execute(delete(MovedItem).where(col(MovedItem.source) == source))
    await session.execute(text(_OFFERED), {"source": source})
    undoing = select(ImportRun).where(col(ImportRun.state) == RunState.UNDOING, col(ImportRun.source) == source)
    for run in (await session.execute(undoing.with_for_update())).scalars().all():
        run.state = RunState.UNDONE
        await audit.record(session, actor_id=None, act="import.undone", subject=("import", run.id), now=now)
    await jobs.enqueue(session, spelling.COLLECT_WORDS, {})  # no word of theirs is suggested any more


async def _count_moved(session: AsyncSession, source: str) -> Mapping[str, int]:
    kinds = select(col(MovedItem.kind), func.count()).where(col(MovedItem.source) == source)
    rows = await session.execute(kinds.group_by(col(MovedItem.kind)))
    return {MovedKind(kind): int(count) for kind, count in rows}
