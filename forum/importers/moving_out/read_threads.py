"""The threads that guests read, for a copy of what they read."""

from array import array
from bisect import bisect_left
from collections.abc import Iterator

from sqlmodel import col

from forum.content.boards import Board
from forum.content.threads.tables import Thread
from forum.content.threads.visibility import THREAD_VISIBLE
from forum.core.database import Database, query
from forum.members.viewer import GUEST

_AT_ONCE = 1_000  # threads


class ReadThreads:
    """Threads with the number of their last post: twelve bytes of memory for each."""

    def __init__(self) -> None:
        self._ids, self._last = array("q"), array("i")

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._ids, self._last, strict=True)

    def add(self, thread_id: int, last_number: int) -> None:
        """Add a thread, whose id is higher than those of all that are known."""
        self._ids.append(thread_id)
        self._last.append(last_number)

    def drop(self, thread_id: int) -> None:
        """Forget a thread that guests do not read any more."""
        if self.last_number(thread_id) is not None:
            self._last[bisect_left(self._ids, thread_id)] = 0

    def last_number(self, thread_id: int) -> int | None:
        """Return the number of a thread's last post; None where guests do not read the thread."""
        place = bisect_left(self._ids, thread_id)
        is_known = place < len(self._ids) and self._ids[place] == thread_id
        return (self._last[place] or None) if is_known else None


async def find_read_threads(database: Database) -> ReadThreads:
    """Return the threads that guests read at this moment."""
    found, known = query(col(Thread.id), col(Thread.last_number)), ReadThreads()
    read = found.join(Board, col(Board.id) == col(Thread.board_id)).where(THREAD_VISIBLE).order_by(col(Thread.id))
    async with database.work() as session:
        rows = await session.stream(read, GUEST.query_parameters, execution_options={"yield_per": _AT_ONCE})
        async for thread_id, last_number in rows:
            known.add(thread_id, last_number)
    return known
