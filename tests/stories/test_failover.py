"""The machine with the database is lost while people write: the second one takes over, and has every word."""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from sqlalchemy import text

from forum.core import database, embedded_postgres
from forum.core.settings import Settings
from tests.support import make
from tests.support.running import Talk, company, started, until

# From then on, a commit is acknowledged when both have it.
BOTH = ("ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
IN_STEP = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"


class Machine:
    """A PostgreSQL in a folder of its own; its socket stands for the address of a machine."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder, self._programs, self._log = folder, programs, folder / "postgres.log"
        self.url = f"postgresql+asyncpg://forum@/forum?host={folder}&port=5432&ssl=disable"

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """Start the server; at the end of the block it is lost at one blow, if it was not before."""
        where = ("-D", str(self.folder / "postgres"), f"--unix_socket_directories={self.folder}")
        always = (*embedded_postgres.ALWAYS, *embedded_postgres.FORGETFUL[:1])
        process = embedded_postgres._launch(self._log, self._programs / "postgres", *where, *always)
        try:
            yield process
        finally:
            lose(process)

    def copy(self, other: "Machine") -> None:
        """Copy the other's database while it runs, to follow it from the first start on."""
        where = ("-h", str(other.folder), "-U", "forum", "-D", str(self.folder / "postgres"))
        how = ("--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync")
        copying = embedded_postgres._launch(self._log, self._programs / "pg_basebackup", *where, *how)
        assert copying.wait() == 0, self._log.read_text()

    async def ask(self, *statements: str) -> object:
        """Return the first value that the last statement returns."""
        async with database.engine_for_once(self.url, isolation_level="AUTOCOMMIT").connect() as connection:
            results = [await connection.execute(text(statement)) for statement in statements]
            return results[-1].scalar()

    async def answers(self) -> None:
        """Wait until it takes connections."""
        assert await until(lambda: embedded_postgres._answers(self.folder)), self._log.read_text()


def lose(process: subprocess.Popen[bytes]) -> None:
    """Kill every process of a server."""
    with suppress(psutil.NoSuchProcess):
        first = psutil.Process(process.pid)
        for each in [first, *first.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                each.kill()
    process.wait()


async def test_every_acknowledged_post_is_there_after_the_first_server_is_lost(tmp_path: Path) -> None:
    with embedded_postgres.running(tmp_path / "one", durable=False):
        programs = embedded_postgres._binaries(tmp_path / "one" / "postgres")
    one, two = Machine(tmp_path / "one", programs), Machine(tmp_path / "two", programs)
    two.folder.mkdir(mode=0o700)
    both = f"postgresql://forum@/forum?host={one.folder},{two.folder}&ssl=disable"
    talk = Talk()
    with one.running() as first:
        await one.answers()
        await asyncio.to_thread(database.migrate, one.url)
        async with make.application(Settings(database_url=one.url)) as app:
            there = await company(app, 4)
        two.copy(one)
        with two.running():
            await two.answers()
            await one.ask(*BOTH)
            while not await one.ask(IN_STEP):  # noqa: ASYNC110 - another program decides
                await asyncio.sleep(0.05)
            async with started(tmp_path, "serve", "--no-worker", FORUM_DATABASE_URL=both) as forum:
                await forum.ready()
                async with talk.going_on(forum, there):
                    await talk.grows(by=50)
                    lose(first)
                    assert await until(lambda: talk.statuses[503])
                    assert (await forum.http.get("/readyz")).status_code == 503
                    await two.ask("SELECT pg_promote()")
                    await talk.grows(by=50)
                await forum.ready()
                await talk.is_kept(forum.http, there)
                assert set(talk.statuses) == {201, 503}
