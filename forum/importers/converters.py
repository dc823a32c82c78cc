"""Turn the words of many threads at once, in other processes: this one writes meanwhile."""

import asyncio
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue

from forum.core.side_process import SideProcess
from forum.importers.conversion import NewPost, OldThread, convert
from forum.importers.errors import CannotMove

PROCESSES = 2
AT_ONCE = 10  # threads that a process turns before it answers
LONGEST = 600.0  # seconds for these: a thread can have ten thousand posts


class Converters:
    """Processes that turn threads, each with a thread of this one that waits for it."""

    def __init__(self, count: int) -> None:
        self._free = SimpleQueue[SideProcess]()
        self._every = [SideProcess() for _ in range(count)]
        for process in self._every:
            self._free.put(process)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="converters")

    def begin(self, threads: Sequence[OldThread]) -> asyncio.Future[list[list[list[NewPost]]]]:
        """Begin to turn threads. What comes of it is, in parts, the posts of each."""
        parts = [threads[first : first + AT_ONCE] for first in range(0, len(threads), AT_ONCE)]
        loop = asyncio.get_running_loop()
        return asyncio.gather(*(loop.run_in_executor(self._threads, self._turn, part) for part in parts))

    def _turn(self, part: Sequence[OldThread]) -> list[list[NewPost]]:
        process = self._free.get()
        try:
            turned: list[list[NewPost]] = process.ask((convert, (part,), {}), LONGEST)
        except (EOFError, OSError) as error:
            raise CannotMove("A process that was needed was stopped: there may be too little memory.") from error
        finally:
            self._free.put(process)
        return turned

    def end(self) -> None:
        """End the processes, whatever they do."""
        for process in self._every:
            process.end()
        self._threads.shutdown(wait=False, cancel_futures=True)


@contextmanager
def converters() -> Iterator[Converters]:
    """Give processes that turn threads, as many as there are cores, and not too many."""
    started = Converters(min(PROCESSES, os.cpu_count() or 1))
    try:
        yield started
    finally:
        started.end()
