"""The worker: the process beside the server that runs the jobs of every feature."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

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

log = structlog.get_logger()


# What the worker does: for every feature of both packages.
FEATURES = (*features.FEATURES, *moderation_features.FEATURES)


# The process


def run(url: str, settings: Settings, *, with_parent: bool) -> None:
    """Run jobs until SIGTERM or SIGINT; jobs that have begun have 20 seconds to finish.

    With `with_parent`, stop also when standard input ends: the kernel closes that pipe when the parent process ends,
    even if it is killed.
    """
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
    database = Database(url, pool_size=settings.pool_size)
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


@contextmanager
def beside() -> Iterator[None]:
    """Run a worker process until the block ends, and start it again when it ends by itself.

    It uses the database of FORUM_DATABASE_URL, not through a pooler where there is one: it listens for jobs. It is a
    process and not a task of the server: so a slow job delays no
    request, `serve --workers 4` has only one, and a crash of the worker ends no request.
    """
    supervisor = _Supervisor()
    supervisor.start()
    try:
        yield
    finally:
        supervisor.end()


class _Supervisor:
    """Starts one worker process, and starts it again whenever it ends."""

    # Not by the command line, which loads all of HTTP and the pages too: 45 MB that no job needs.
    COMMAND = (sys.executable, "-m", "forum.worker")

    def __init__(self) -> None:
        self._ending = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._supervise, name="worker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._ending.set()
        self._close_pipe()
        self._thread.join(DRAIN_SECONDS + 5)
        if self._process and self._process.poll() is None:
            self._process.kill()

    def _supervise(self) -> None:
        pause = 1.0
        while not self._ending.is_set():
            started = time.monotonic()
            self._process = subprocess.Popen(  # noqa: S603
                self.COMMAND,
                stdin=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C in a terminal must reach the server only, which ends the worker last
            )
            if self._ending.is_set():  # since the check above: `end` found no process to stop
                self._close_pipe()
            status = self._process.wait()
            if not self._ending.is_set():
                log.warning("worker_ended", status=status)
                pause = 1.0 if time.monotonic() - started > LONGEST_PAUSE else min(2 * pause, LONGEST_PAUSE)
                self._ending.wait(pause)

    def _close_pipe(self) -> None:
        """Close the worker's standard input, so that it stops."""
        if self._process and self._process.stdin:
            self._process.stdin.close()


if __name__ == "__main__":
    _settings = Settings()
    logs.configure(_settings.log_level)
    run(_settings.direct_url, _settings, with_parent=True)
