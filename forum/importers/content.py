"""Carry threads and posts over, in batches: each is one transaction, with the mark that it is done.

Rows are written by COPY, as the forum's own actions would have made them: whoever counts them again finds nothing to
change. Nobody is told of them, no open page and no webhook hears of them.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.posts.tables import Post
from forum.content.subscriptions import Subscription
from forum.content.threads.tables import Thread
from forum.core.database import Database
from forum.importers.converters import Converters, converters
from forum.importers.copying import copy_rows, take_ids
from forum.importers.long_threads import carry_long
from forum.importers.old_threads import ComingThread, LongThread, OldThreads, Setting
from forum.importers.rows import BatchRows, subscriptions_of
from forum.importers.tables import MovedItem, MovedKind
from forum.importers.writing import write_rows


async def carry_threads(
    database: Database, reading: OldThreads, *, seen: Callable[[int], None] = lambda _posts: None
) -> None:
    """Carry every thread over that is not here yet. `seen` is told how many posts each batch had.

    While one batch is written, other processes turn the words of the next one. A very long thread is a batch by itself.
    """
    with converters() as processes:
        every = reading.batches(reading.setting.people.moved_threads)
        for is_long, some in groupby(every, key=lambda batch: isinstance(batch, LongThread)):
            if is_long:
                for long in some:
                    assert isinstance(long, LongThread)  # noqa: S101 (just asked)
                    await carry_long(database, reading, long, seen)
            else:
                batches = (batch for batch in some if not isinstance(batch, LongThread))
                await _carry(database, reading, processes, batches, seen)
    async with database.work() as session:
        await _write_board_watches(session, reading.setting, reading)


async def _carry(
    database: Database,
    reading: OldThreads,
    processes: Converters,
    batches: Iterator[Sequence[ComingThread]],
    seen: Callable[[int], None],
) -> None:
    batch = next(batches, None)
    turning = processes.begin([one.old for one in batch]) if batch else None
    while batch and turning:
        turned = [posts for part in await turning for posts in part]
        for one, posts in zip(batch, turned, strict=True):
            one.posts = posts
        following = next(batches, None)
        turning = processes.begin([one.old for one in following]) if following else None
        await _write(database, reading.setting, batch, reading)
        seen(sum(len(one.placed) for one in batch))
        batch = following


async def _write(database: Database, setting: Setting, batch: Sequence[ComingThread], reading: OldThreads) -> None:
    async with database.work() as session:
        thread_ids = await take_ids(session, Thread, len(batch))
        post_ids = iter(await take_ids(session, Post, sum(len(one.posts) for one in batch)))
        rows = BatchRows(setting)
        for thread_id, one in zip(thread_ids, batch, strict=True):
            watchers = reading.watchers.get(one.record.old, ())
            rows.add(one, thread_id, [next(post_ids) for _ in one.posts], watchers)
        await write_rows(session, setting, rows)


async def _write_board_watches(session: AsyncSession, setting: Setting, reading: OldThreads) -> None:
    """Let people follow the boards that they followed, where they or the board came with this run.

    Whoever follows one already goes on as they are, and whoever stopped here since does not begin again.
    """
    watched = reading.board_watchers.items()
    followed = (row for old, who in watched for row in subscriptions_of(setting, who, board_id=setting.boards[old].id))
    # Of two boards that went into one, both may have been followed.
    rows = {(row["member_id"], row["board_id"]): row for row in followed}.values()
    place = (col(Subscription.member_id), col(Subscription.board_id))
    known = {tuple(row) for row in await session.execute(select(*place).where(col(Subscription.board_id).is_not(None)))}
    came = select(col(MovedItem.member_id), col(MovedItem.board_id)).where(
        col(MovedItem.run_id) == setting.run_id, col(MovedItem.kind).in_((MovedKind.PERSON, MovedKind.BOARD))
    )
    new = {place for row in await session.execute(came) for place in row if place is not None}
    wanted = [row for row in rows if not new.isdisjoint((row["member_id"], row["board_id"]))]
    await copy_rows(session, Subscription, [row for row in wanted if (row["member_id"], row["board_id"]) not in known])
