"""Turn the words of many threads at once, in other processes: this one writes meanwhile."""

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from typing import Any

from forum.core.side_process import SideProcess
from forum.importers.conversion import (
    NewPost,
    OldPost,
    OldThread,
    begin_long,
    convert,
    hide_long,
    hide_long_words,
    turn_long,
)
from forum.importers.errors import CannotMove
from forum.importers.records import PostRecord

PROCESSES = 2
AT_ONCE = 10  # threads that a process turns before it answers
LONGEST = 600.0  # seconds for these: a thread can have two thousand posts
_STOPPED = "A process that was needed was stopped: there may be too little memory."


class Converters:
    """Processes that turn threads, each with a thread of this one that waits for it. They begin once they are needed.

    Without work for a minute, a process ends, while a long thread is written: then another one is started.
    """

    def __init__(self, count: int) -> None:
        self._free = SimpleQueue[SideProcess | None]()
        self._every = list[SideProcess]()
        for _ in range(count):
            self._free.put(None)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="converters")

    def begin(self, threads: Sequence[OldThread]) -> asyncio.Future[list[list[list[NewPost]]]]:
        """Begin to turn threads. What comes of it is, in parts, the posts of each."""
        parts = [threads[first : first + AT_ONCE] for first in range(0, len(threads), AT_ONCE)]
        loop = asyncio.get_running_loop()
        return asyncio.gather(*(loop.run_in_executor(self._threads, self._turn, part) for part in parts))

    def _turn(self, part: Sequence[OldThread]) -> list[list[NewPost]]:
        process = self._free.get()
        try:
            if process:
                with suppress(BrokenPipeError, EOFError):  # it ended
                    return _convert(process, part)
                process.end()
                self._every.remove(process)
            process = SideProcess()
            self._every.append(process)
            return _convert(process, part)
        except (EOFError, OSError) as error:
            raise CannotMove(_STOPPED) from error
        finally:
            self._free.put(process)

    def end(self) -> None:
        """End the processes, whatever they do."""
        for process in self._every:
            process.end()
        self._threads.shutdown(wait=False, cancel_futures=True)


def _convert(process: SideProcess, threads: Sequence[OldThread]) -> list[list[NewPost]]:
    turned: list[list[NewPost]] = process.ask((convert, (threads,), {}), LONGEST)
    return turned


@contextmanager
def converters() -> Iterator[Converters]:
    """Give processes that turn threads, as many as there are cores, and not too many."""
    started = Converters(min(PROCESSES, os.cpu_count() or 1))
    try:
        yield started
    finally:
        started.end()


class LongConverter:
    """A process that turns one long thread, in pieces. It remembers what stands before the next one."""

    def __init__(self) -> None:
        self._process = SideProcess(idle=LONGEST)  # what it remembers is needed, however long writing takes

    async def begin(self, frame: OldThread) -> None:
        """Begin with what the words of its posts need to know."""
        await self._ask(begin_long, frame)

    async def hide(self, records: Sequence[PostRecord]) -> None:
        """Tell it of posts that nobody may read: all of them, before the first post is turned."""
        await self._ask(hide_long, records)

    async def hide_words(self, words: Sequence[str]) -> None:
        """Tell it of Markdown of ours that nobody may read any more, at the same time."""
        await self._ask(hide_long_words, words)

    async def turn(self, posts: Sequence[OldPost]) -> list[NewPost]:
        """Return the next posts of the thread as they are here."""
        turned: list[NewPost] = await self._ask(turn_long, posts)
        return turned

    async def _ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return await asyncio.to_thread(self._process.ask, (function, arguments, {}), LONGEST)
        except (EOFError, OSError) as error:
            raise CannotMove(_STOPPED) from error

    def close(self) -> None:
        """End the process, whatever it does."""
        self._process.end()
