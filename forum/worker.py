"""The worker: the process beside the server that runs the jobs of every feature."""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn, Protocol

import structlog

from forum import features
from forum.core import jobs, logs
from forum.core.database import Database
from forum.core.settings import Settings
from forum.core.sweeps import sweeping
from forum.core.wake_ups import CommitBell
from forum.features import handlers_of, schedule_of, sweeps_of
from moderation import features as moderation_features

DRAIN_SECONDS = 20
LONGEST_PAUSE = 60.0
# Each minute many jobs run for a moment. A connection takes 8 MB in PostgreSQL, so those beyond these are closed again.
KEPT_CONNECTIONS = 2
NAME = b"forum-worker"  # in lists of processes
PR_SET_NAME = 15  # from linux/prctl.h

log = structlog.get_logger()


# What the worker does: for every feature of both packages.
FEATURES = (*features.FEATURES, *moderation_features.FEATURES)


# The process


def run(url: str, settings: Settings, *, with_parent: bool) -> None:
    """Run jobs until SIGTERM or SIGINT; jobs that have begun have 20 seconds to finish.

    With `with_parent`, stop also when standard input ends: the kernel closes that pipe when the parent process ends,
    even if it is killed.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_NAME, NAME)
    asyncio.run(_run(url, settings, with_parent))


async def _run(url: str, settings: Settings, with_parent: bool) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def end() -> None:
        # A job that has not finished by then is rolled back, and another worker runs it.
        timer = threading.Timer(DRAIN_SECONDS, os._exit, (1,))
        timer.daemon = True
        timer.start()
        with suppress(RuntimeError):  # the loop has just been closed
            loop.call_soon_threadsafe(stop.set)

    def wait_for_parent() -> None:
        # The file descriptor, not `sys.stdin`: a buffered reader would still be locked when the interpreter ends.
        while os.read(0, 1):
            pass
        end()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    if with_parent:
        threading.Thread(target=wait_for_parent, name="stop-with-parent", daemon=True).start()
    database = Database(url, pool_size=settings.pool_size, kept=KEPT_CONNECTIONS)
    bell = CommitBell(database.reader)
    database.on_commit = bell.ring
    try:
        # A backup is made of this database, also where the forum started it itself.
        handlers = handlers_of(FEATURES, settings.model_copy(update={"database_url": url}))
        async with sweeping(database.work, sweeps_of(FEATURES), stop):
            await jobs.work(database.autocommit, database.work, handlers, stop, calendar=schedule_of(FEATURES))
    finally:
        await bell.stop()
        await database.close()


class _Process(Protocol):
    """A worker process, which stops when the pipe that it reads ends."""

    def wait(self) -> int:
        """Return its exit status, once it has ended."""

    def close_pipe(self) -> None:
        """Have it stop, once what it began is done."""

    def kill(self) -> None:
        """End it, whatever it does."""


def fork() -> "Forked | None":
    """Return the first worker, where this system is one whose libraries bear a fork: for `beside`."""
    return Forked() if sys.platform == "linux" else None


class Forked:
    """The first worker: this process once more, so that what both have loaded is in memory once.

    Make it before this process has threads, a database or a lock that no other process may hold. It waits for the
    address of the database, and ends with this process. What follows a worker that died is a program of its own: by
    then this process has threads, and the copy of one may stand still for ever.
    """

    def __init__(self) -> None:
        waiting, pipe = os.pipe()
        self._pipe: int | None = pipe
        sys.stdout.flush()
        sys.stderr.flush()
        self._id = os.fork()
        if not self._id:
            os.close(pipe)
            _await_begin(waiting)
        os.close(waiting)

    def begin(self, url: str) -> None:
        """Have it work on this database."""
        if self._pipe is not None:
            with suppress(BrokenPipeError):  # it was killed meanwhile, as `wait` tells
                os.write(self._pipe, f"{url}\n".encode())

    def wait(self) -> int:
        """Return its exit status, once it has ended."""
        return os.waitstatus_to_exitcode(os.waitpid(self._id, 0)[1])

    def close_pipe(self) -> None:
        """Have it stop, once what it began is done."""
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None

    def kill(self) -> None:
        """End it, whatever it does."""
        os.kill(self._id, signal.SIGKILL)


def _await_begin(waiting: int) -> NoReturn:
    """Be the worker, in a process that was forked: it never returns into what the other one does."""
    status = 1
    try:
        os.setsid()  # Ctrl-C in a terminal must reach the server only, which ends the worker last
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(waiting, 0)
        if url := _first_line(0):
            _run_beside(url)
        status = 0
    except Exception as error:  # noqa: BLE001 - as a program of its own would end
        log.error("worker_failed", error=type(error).__name__, at=logs.frames(error))
    finally:
        os._exit(status)


def _first_line(source: int) -> str:
    """Return a line that another process writes; nothing where that ends first."""
    line = bytearray()
    while (byte := os.read(source, 1)) not in {b"", b"\n"}:
        line += byte
    return line.decode() if byte else ""


class _Launched:
    """A worker that is a program of its own. It uses the database of FORUM_DATABASE_URL, past any pooler."""

    # Not by the command line, which loads all of HTTP and the pages too: 45 MB that no job needs.
    COMMAND = (sys.executable, "-m", "forum.worker")

    def __init__(self) -> None:
        # A session of its own: see `_await_begin`.
        self._process = subprocess.Popen(self.COMMAND, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603

    def wait(self) -> int:
        return self._process.wait()

    def close_pipe(self) -> None:
        if self._process.stdin:
            self._process.stdin.close()

    def kill(self) -> None:
        self._process.kill()


@contextmanager
def beside(url: str, first: Forked | None) -> Iterator[None]:
    """Run a worker process on the database at `url` until the block ends, and start it again when it ends by itself.

    It listens for jobs, so the address is not that of a pooler. It is a process and not a task of the server: so a slow
    job delays no request, `serve --workers 4` has only one, and a crash of the worker ends no request.
    """
    supervisor = _Supervisor(url, first)
    supervisor.start()
    try:
        yield
    finally:
        supervisor.end()


class _Supervisor:
    """Has one worker process run: the first, and another one whenever it ends."""

    def __init__(self, url: str, first: Forked | None) -> None:
        self._ending = threading.Event()
        if first:
            first.begin(url)
        self._process: _Process = first or _Launched()
        self._thread = threading.Thread(target=self._supervise, name="worker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._ending.set()
        self._process.close_pipe()
        self._thread.join(DRAIN_SECONDS + 5)
        if self._thread.is_alive():
            self._process.kill()

    def _supervise(self) -> None:
        pause = 1.0
        while True:
            started = time.monotonic()
            status = self._process.wait()
            if self._ending.is_set():
                return
            log.warning("worker_ended", status=status)
            pause = 1.0 if time.monotonic() - started > LONGEST_PAUSE else min(2 * pause, LONGEST_PAUSE)
            if self._ending.wait(pause):
                return
            self._process = _Launched()
            if self._ending.is_set():  # since the line above: `end` closed the pipe of the one before
                self._process.close_pipe()


def _run_beside(url: str) -> None:
    settings = Settings()
    logs.configure(settings.log_level)
    run(url, settings, with_parent=True)


if __name__ == "__main__":
    _run_beside(Settings().direct_url)
