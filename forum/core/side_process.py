"""A process beside this one, for work that would hold the event loop too long.

A thread is not enough: Markdown, regular expressions and telephone numbers keep the interpreter's lock, so that the
loop waits up to half a second for it (measured with the bodies of `python -m tests.load --only bodies`). The process is
started when it is first needed, and ends when it was not needed for a while. It ends when its connection does, which
the kernel closes when this process ends, even if it is killed.
"""

import asyncio
import atexit
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, ParamSpec, TypeVar

from forum.core import logs
from forum.core.errors import Overloaded

# Of a process's 10 database connections (`FORUM_POOL_SIZE`), some always stay free for those who need no such work.
WAITING_AT_MOST = 8
# Seconds; the costliest body takes less than one.
LONGEST = 10.0
# Characters of all texts together: to compare so few takes less than 10 ms (measured with the worst of 20,000).
SHORT = 2_000
# Without work the process ends: it holds 70 MB, and starts again within a second.
IDLE_SECONDS = 60.0
# What others wait for goes first, where processors are few.
NICENESS = 10

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

BUSY = "Too many long texts are being read at this moment. Nothing was changed. Please try again."


async def run(
    function: Callable[Parameters, Result], *arguments: Parameters.args, **named: Parameters.kwargs
) -> Result:
    """Return what a function of a module returns in the other process. Arguments and result travel pickled.

    Raises Overloaded when too many wait already or the process dies twice, and RuntimeError when the function raises.
    """
    return await _callers.run(function, *arguments, **named)


async def run_unless_short(
    texts: Iterable[str],
    function: Callable[Parameters, Result],
    *arguments: Parameters.args,
    **named: Parameters.kwargs,
) -> Result:
    """Return what a function that compares texts returns: here where they are short, else in the other process.

    So nobody who fills the other process keeps a moderator from acting on an ordinary post. Raises as `run` does.
    """
    if sum(map(len, texts)) <= SHORT:
        return function(*arguments, **named)
    return await run(function, *arguments, **named)


class _Callers:
    """Everybody who waits for the other process; a thread of this one waits with them."""

    def __init__(self) -> None:
        self.waiting = 0
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="side-process")
        self._process: SideProcess | None = None

    async def run(self, function: Callable[..., Result], *arguments: Any, **named: Any) -> Result:
        if self.waiting >= WAITING_AT_MOST:
            raise Overloaded(BUSY)
        self.waiting += 1
        try:
            call = (function, arguments, named)
            answer: Result = await asyncio.get_running_loop().run_in_executor(self._thread, self._ask, call)
            return answer
        finally:
            self.waiting -= 1

    def _ask(self, call: tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]) -> Any:
        for _ in range(2):  # it may have been killed since the last time
            self._process = self._process or SideProcess()
            try:
                return self._process.ask(call)
            except TimeoutError:
                self.end()
                break
            except (EOFError, OSError):
                self.end()
        raise Overloaded(BUSY)

    def end(self) -> None:
        """End the other process; the next call starts a new one."""
        if self._process:
            self._process.end()
            self._process = None


class SideProcess:
    """The other process, and the connection to it. It ends after `idle` seconds without a call."""

    def __init__(self, idle: float | None = None) -> None:
        self._connection, theirs = multiprocessing.Pipe()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - this program, with two numbers
                [sys.executable, "-m", __name__, str(theirs.fileno()), str(idle or IDLE_SECONDS)],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C in a terminal must not end it while requests are finished
            )

    def ask(self, call: tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]], longest: float = LONGEST) -> Any:
        """Return the result of a call. Raises EOFError or OSError when the process is dead or hangs (TimeoutError)."""
        self._connection.send(call)
        if not self._connection.poll(longest):
            raise TimeoutError
        result, failure = self._connection.recv()
        if failure:
            raise RuntimeError(failure)
        return result

    def end(self) -> None:
        """End it, whatever it does."""
        self._connection.close()
        self._process.kill()
        self._process.wait()


_callers = _Callers()
atexit.register(_callers.end)


def _answer(connection: "Connection[Any, Any]", idle_seconds: float) -> None:
    """Call what the parent process asks for, until it ends, or asks for nothing for a while: the memory is free then.

    Whoever asks in that moment starts another one.
    """
    with suppress(EOFError, ConnectionError):
        while connection.poll(idle_seconds):
            function, arguments, named = connection.recv()
            answer: tuple[Any, str | None]
            try:
                answer = (function(*arguments, **named), None)
            except Exception as error:  # noqa: BLE001 - the parent raises it, without words of people
                answer = (None, f"{type(error).__name__} at {logs.frames(error)}")
            connection.send(answer)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    _answer(Connection(int(sys.argv[1])), float(sys.argv[2]))
