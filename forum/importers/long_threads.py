"""Carry a very long thread over: some have 60,000 posts, and no machine needs to have all of them in memory.

Its words are turned in pieces, which wait in a file without a name; then all of them are written in one transaction. So
a run that is killed goes on as with any other thread: it is here as a whole, or not at all.
"""

import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from tempfile import TemporaryFile
from typing import IO

from forum.content.posts.tables import Post
from forum.content.threads.tables import Thread
from forum.core.database import Database
from forum.importers.conversion import NewPost
from forum.importers.converters import LongConverter
from forum.importers.copying import take_ids
from forum.importers.old_threads import LongThread, OldThreads, PlacedPost
from forum.importers.rows import BatchRows, ThreadCounts
from forum.importers.writing import write_rows

_Piece = tuple[Sequence[PlacedPost], Sequence[NewPost]]


async def carry_long(database: Database, reading: OldThreads, long: LongThread, seen: Callable[[int], None]) -> None:
    """Carry a long thread over, if any of its posts comes. `seen` is told how many posts each piece has."""
    if next(iter(reading.placed(long)), None) is None:
        return
    with TemporaryFile(dir=reading.staging.path.parent) as waiting:
        counted = await _turn(reading, long, waiting, seen)
        await _write(database, reading, long, counted, waiting)


async def _turn(reading: OldThreads, long: LongThread, waiting: IO[bytes], seen: Callable[[int], None]) -> ThreadCounts:
    """Turn the words of a thread, put its pieces into the file, and return its counts."""
    counted = ThreadCounts()
    frame = reading.find_frame(long.record, long.board, long.read, reading.placed(long))
    with closing(LongConverter()) as converter:
        await converter.begin(frame)
        for hidden in reading.hidden_pieces(long):
            await converter.hide(hidden)
        for placed in reading.pieces(long):
            new = await converter.turn([reading.old_post(one) for one in placed])
            counted.add(new, placed)
            pickle.dump((placed, new), waiting, pickle.HIGHEST_PROTOCOL)
            seen(len(placed))
    return counted


async def _write(
    database: Database, reading: OldThreads, long: LongThread, counted: ThreadCounts, waiting: IO[bytes]
) -> None:
    setting = reading.setting
    async with database.work() as session:
        [thread_id] = await take_ids(session, Thread, 1)
        ids = await take_ids(session, Post, counted.last_number)
        rows = BatchRows(setting)
        rows.add_thread(long, thread_id, counted, reading.watchers.get(long.record.old, ()))
        await write_rows(session, setting, rows)
        for placed, new in _pieces(waiting):
            rows = BatchRows(setting)
            rows.add_posts(new, placed, thread_id, ids)
            await write_rows(session, setting, rows)


def _pieces(waiting: IO[bytes]) -> Iterator[_Piece]:
    size = waiting.tell()
    waiting.seek(0)
    while waiting.tell() < size:
        yield pickle.load(waiting)  # noqa: S301 (we wrote it, into a file that nobody else can open)
