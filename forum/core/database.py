"""The database: two engines, one unit of work, prepared statements, and what every table shares."""

import asyncio
import json
import shutil
import time
from collections import namedtuple
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from functools import cache, cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
from sqlalchemy import (
    AsyncAdaptedQueuePool,
    BindParameter,
    CheckConstraint,
    Column,
    ColumnElement,
    DateTime,
    Executable,
    Insert,
    NullPool,
    Row,
    Select,
    String,
    Table,
    Update,
    bindparam,
    event,
    func,
    insert,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi as driver
from sqlalchemy.dialects.postgresql.asyncpg import PGCompiler_asyncpg, dialect
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import TypeDecorator
from sqlmodel import SQLModel
from uuid_utils.compat import uuid7

from forum.core import jobs
from forum.core.driver_session import CONNECTION_LOST, DriverSession

if TYPE_CHECKING:
    from alembic.config import Config

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
MIGRATING = 0x6D696772  # the advisory lock of `migrations/env.py`, which imports nothing from here

# SQLSTATEs after which the same statement may succeed a moment later: deadlock, serialisation, lock or statement
# timeout, a server that is starting, stopping or full (PostgreSQL, appendix A).
PASSING = {"40001", "40P01", "55P03", "57014", "57P01", "57P02", "57P03", "53300"}

DISK_FULL = "53100"
READ_ONLY = "25006"  # a standby, or a primary that has become one

PATIENCE = 10  # seconds to wait for a connection
MIGRATIONS_WAIT = ("SET lock_timeout = '5s'", "SET statement_timeout = '15min'")  # as in `migrations/env.py`
HOST_PATIENCE = 3.0  # seconds for each of several hosts: a machine without power refuses nothing, it is silent
READY_SECONDS = 2.0  # in which a database that is ready answers; monitoring does not wait much longer
FULL_SECONDS = 60.0  # after a write that found no room, for which the forum says that its disk is full
LEAST_WAIT = 0.001  # seconds for a database connection, of which monitoring is told
LEAST_ROOM = 64 * 2**20  # bytes: four of the files in which PostgreSQL notes each change before it makes it

# JIT compiles a plan to machine code, which takes longer than running any of our statements. A page of an index is in
# memory or on a disk without moving parts: with PostgreSQL's usual 4, it rather reads all members to name five of them.
# Starting helpers for one statement takes ten times as long as a page does, and processors have other pages to read.
SERVER_SETTINGS = {
    "jit": "off",
    "random_page_cost": "1.1",
    "max_parallel_workers_per_gather": "0",
    "application_name": "forum",
}
# Planning a page takes three times as long as reading it, and the plan is the same for every reader: so it is planned
# once. Commits need not wait for the disk: only throttle counts are written here, and losing some in a power cut is
# harmless.
READER_SETTINGS = {**SERVER_SETTINGS, "plan_cache_mode": "force_generic_plan", "synchronous_commit": "off"}


class _Compiler(PGCompiler_asyncpg):
    """Writes the constants of a statement into it.

    A generic plan is made before any parameter has its value: a condition with a parameter matches no partial index,
    and of how many rows have a value PostgreSQL only guesses.
    """

    def visit_bindparam(self, bindparam: BindParameter[Any], *args: Any, **options: Any) -> str:
        """Return the text of a parameter, or of a constant."""
        if not isinstance(bindparam.value, str | int) or bindparam.expanding:
            return str(super().visit_bindparam(bindparam, *args, **options))  # type: ignore[no-untyped-call] # its own
        known = String() if bindparam.type._isnull else bindparam.type  # SQLAlchemy gives members of enums no type
        constant = str(self.render_literal_value(bindparam.value, known))  # type: ignore[no-untyped-call] # its own
        implementation = bindparam.type._unwrapped_dialect_impl(self.dialect)
        if not implementation.render_bind_cast:
            return constant
        return str(self.render_bind_cast(bindparam.type, implementation, constant))  # type: ignore[no-untyped-call] # its own


_DIALECT = dialect()  # type: ignore[no-untyped-call] # SQLAlchemy's own
_DIALECT.statement_compiler = _Compiler


class Moment(TypeDecorator[datetime]):
    """A point in time with its time zone: PostgreSQL's timestamptz."""

    impl = DateTime(timezone=True)
    cache_ok = True


# A select of columns, and one row of its result.
Query = Select[*tuple[Any, ...]]
Record = Row[*tuple[Any, ...]]


def query(*entities: Any) -> Query:
    """Return a `select` of any number of columns; SQLAlchemy's own is typed for ten at most."""
    return select(*entities)


def rows_of(model: type[SQLModel]) -> Table:
    """Return the table of a model, for statements that load no objects: those cost 3 to 5 times the rest of a page."""
    table: Table = model.__table__  # type: ignore[attr-defined] # SQLModel creates it without declaring it
    return table


@cache
def row_class(model: type[SQLModel]) -> type[Any]:
    """Return a class of tuples with a field for each column of a model's table: rows that no session looks after."""
    return namedtuple(f"{model.__name__}Row", [column.name for column in columns(model)])


def check_one_of(column: str, values: Iterable[str]) -> CheckConstraint:
    """Return the check, named after the column, that it has one of these values."""
    return CheckConstraint(f"{column} IN ({', '.join(repr(str(value)) for value in values)})", name=column)


def columns(model: type[SQLModel]) -> list[Column[Any]]:
    """Return the columns of a model's table, for a select that loads no objects."""
    return list(rows_of(model).columns)


def json_object(model: type[SQLModel], *names: str) -> ColumnElement[Any]:
    """Return a JSON object with these columns of a model: for a subquery that gives one value."""
    columns = rows_of(model).c
    pairs: list[Any] = [(literal_column(f"'{name}'"), columns[name]) for name in names]
    return func.jsonb_build_object(*(member for pair in pairs for member in pair), type_=JSONB)


@cache
def bind_names(model: type[SQLModel]) -> dict[str, str]:
    """Return the bind name of each column in `insert_of` and `update_of`: "post_number" for `Post.number`."""
    table = rows_of(model)
    return {column.name: f"{table.name}_{column.name}" for column in table.columns}


def values_of(model: type[SQLModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of some columns, keyed by their bind names in `insert_of` and `update_of`."""
    names = bind_names(model)
    return {names[name]: value for name, value in values.items()}


def insert_of(model: type[SQLModel], *columns: str) -> Insert:
    """Return an INSERT of one row with a bound value for each of these columns."""
    return insert(rows_of(model)).values(_bound(model, columns))


def update_of(model: type[SQLModel], *columns: str) -> Update:
    """Return an UPDATE with a bound value for each of these columns; add a condition on the table."""
    return update(rows_of(model)).values(_bound(model, columns))


def _bound(model: type[SQLModel], columns: Sequence[str]) -> dict[str, Any]:
    table, names = rows_of(model), bind_names(model)
    return {name: bindparam(names[name], type_=table.c[name].type) for name in columns}


def new_id() -> UUID:
    """Return a new UUIDv7 (RFC 9562): unguessable, and sorted by the time it was made."""
    return uuid7()


def is_passing(error: DBAPIError) -> bool:
    """Return whether the same statement may succeed a moment later.

    So it is when another process migrated the tables, the connection was lost or refused, or the server is busy or
    takes no writes: another one may do so soon.
    """
    if is_read_only(error):
        return True
    if error.connection_invalidated or isinstance(error.orig, driver.InvalidCachedStatementError):
        return True
    if isinstance(getattr(error.orig, "__cause__", None), OSError):
        return True
    return getattr(error.orig, "sqlstate", None) in PASSING


def is_full(error: BaseException) -> bool:
    """Return whether the statement failed because the database found no room on its disk."""
    return getattr(getattr(error, "orig", error), "sqlstate", None) == DISK_FULL


def is_read_only(error: BaseException) -> bool:
    """Return whether the server takes no writes: it only follows another one, and no host is the one that does."""
    original = getattr(error, "orig", error)
    cause = getattr(original, "__cause__", None) or original
    return isinstance(cause, asyncpg.TargetServerAttributeNotMatched) or getattr(cause, "sqlstate", None) == READ_ONLY


def broken_constraint(error: IntegrityError) -> str | None:
    """Return the name of the constraint that refused the write, if the server named one."""
    return getattr(getattr(error.orig, "__cause__", None), "constraint_name", None)


class Prepared:
    """A statement that is built and compiled once, and run many times with other values for its `bindparam`s.

    To build and compile a select of twenty columns takes several times as long as PostgreSQL takes to answer it. It is
    compiled when it is first run: a process that starts needs few, and all together took a tenth of its start.
    """

    def __init__(self, query: Executable, shape: type[Any] | None = None) -> None:
        self.query = query  # the same statement, for use in a transaction
        self._shape = shape

    @property
    def sql(self) -> str:
        """The statement as PostgreSQL reads it."""
        return self._compiled[0]

    def arguments(self, values: dict[str, Any]) -> list[Any]:
        """Return the values in the order of `sql`'s parameters. Raises KeyError when one is missing."""
        _, fixed, names = self._compiled
        return [fixed[name] if name in fixed else values[name] for name in names]

    @cached_property
    def _compiled(self) -> tuple[str, dict[str, Any], Sequence[str]]:
        """The text, the values that are always the same, and the names of all in their order."""
        compiled = self.query.compile(dialect=_DIALECT)  # type: ignore[attr-defined] # every statement has it
        fixed = {name: value for name, value in compiled.params.items() if value is not None}
        return str(compiled), fixed, compiled.positiontup or ()

    def shaped(self, records: Sequence[asyncpg.Record]) -> Sequence[Any]:
        """Return rows as named tuples: of the class that was given, or of one made from the column names."""
        if records and self._shape is None:
            self._shape = namedtuple("Line", records[0].keys(), rename=True)  # type: ignore[misc] # names known only now
        return [self._shape._make(record) for record in records] if self._shape else []


class Reader:
    """Runs prepared statements outside any transaction, straight over asyncpg: each sees what is committed.

    A statement that fails for a passing reason is sent once more. Throttles count through it too: a count must stay
    when the request's transaction is rolled back.
    """

    def __init__(self, engine: AsyncEngine, size: int, hosts: "Hosts", direct_url: str | None = None) -> None:
        _, self._connect_args = engine.dialect.create_connect_args(engine.url)
        _, self._direct_args = engine.dialect.create_connect_args(make_url(direct_url) if direct_url else engine.url)
        self._hosts, self._direct_hosts = hosts, Hosts() if direct_url else hosts
        self._size = size
        self._pool: asyncpg.Pool | None = None
        self._pool_lock = asyncio.Lock()  # of two first readers, one opens the pool
        self.note_wait: Callable[[float], None] = lambda _seconds: None  # told how long each waited for a connection

    async def rows(self, statement: Prepared, **values: Any) -> Sequence[Any]:
        """Run a statement and return every row. Raises DBAPIError when it fails twice."""
        arguments = statement.arguments(values)
        try:
            return statement.shaped(await self._fetch(statement.sql, arguments))
        except DBAPIError as error:
            if not is_passing(error):
                raise
        return statement.shaped(await self._fetch(statement.sql, arguments))

    async def row(self, statement: Prepared, **values: Any) -> Any:
        """Run a statement and return its first row, or None."""
        rows = await self.rows(statement, **values)
        return rows[0] if rows else None

    async def open_connection(self) -> asyncpg.Connection:
        """Return a connection beside the pool, for who listens: past any pooler. Raises what asyncpg raises."""
        return await self._direct_hosts.connect(**self._direct_args, timeout=PATIENCE, server_settings=SERVER_SETTINGS)

    def count_in_use(self) -> int:
        """Return how many connections run a statement now."""
        return self._pool.get_size() - self._pool.get_idle_size() if self._pool else 0

    async def close(self) -> None:
        """Close every connection."""
        if self._pool:
            await self._pool.close()

    async def _fetch(self, sql: str, arguments: Sequence[Any]) -> Sequence[asyncpg.Record]:
        try:
            pool = self._pool or await self._open_pool()
            asked_at = time.perf_counter()
            async with asyncio.timeout(PATIENCE), pool.acquire() as connection:
                self.note_wait(time.perf_counter() - asked_at)
                records: Sequence[asyncpg.Record] = await connection.fetch(sql, *arguments)
        except TimeoutError as error:
            raise PoolTimeoutError("No connection was free.") from error
        except (asyncpg.PostgresError, *CONNECTION_LOST) as error:
            if self._pool and is_read_only(error):
                await self._pool.expire_connections()  # another server may take writes by now
            # PostgresConnectionError: the server could still say itself that it ends (SQLSTATE class 08).
            lost = isinstance(error, (asyncpg.PostgresConnectionError, *CONNECTION_LOST))
            raise DBAPIError(None, None, error, hide_parameters=True, connection_invalidated=lost) from error
        return records

    async def _open_pool(self) -> asyncpg.Pool:
        async with self._pool_lock:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    **self._connect_args,
                    connect=self._hosts.connect,
                    min_size=0,
                    max_size=self._size,
                    timeout=PATIENCE,
                    server_settings=READER_SETTINGS,
                    init=_read_json,
                    reset=_skip_reset,
                )
            return self._pool


async def _read_json(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)


async def _skip_reset(_connection: asyncpg.Connection) -> None:
    """Do nothing: a single statement leaves no state on a connection, and asyncpg's own reset is one more query."""


# Alembic takes 11 MB, and hardly any start has anything to migrate: it is loaded when it is needed.


def alembic_config(url: str) -> "Config":
    """Return Alembic's configuration for the database at `url`."""
    from alembic.config import Config  # noqa: PLC0415 - see above

    config = Config(str(MIGRATIONS.parent / "alembic.ini"))
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = url
    return config


def migrate(url: str, revision: str = "head") -> None:
    """Migrate the database at `url` to `revision`, and the job library's tables to its version.

    Call it where no event loop runs: Alembic's environment starts one.
    """
    if revision == "head" and asyncio.run(_has_migrated(url)):
        return
    from alembic import command  # noqa: PLC0415 - see above

    config = alembic_config(url)
    config.attributes["then"] = jobs.install
    config.attributes["connect"] = Hosts().connect
    command.upgrade(config, revision)


async def _has_migrated(url: str) -> bool:
    """Return whether every migration has run; if so, the job library's tables have its version, too."""
    engine = engine_for_once(url)
    async with engine.connect() as connection:
        await connection.execute(text(f"SELECT pg_advisory_lock({MIGRATING})"))
        if not (await connection.execute(text("SELECT to_regclass('alembic_version')"))).scalar_one():
            return False
        revision = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar_one_or_none()
        for limit in MIGRATIONS_WAIT:
            await connection.execute(text(limit))
        await connection.commit()
        if revision != newest_migration():
            return False
        await jobs.install(connection)
    return True


def migrate_back(url: str, revision: str) -> None:
    """Take migrations back, down to `revision`: what only newer releases know is deleted.

    Raises ValueError when this program has no such migration.
    """
    if revision not in known_migrations():
        raise ValueError(f"There is no migration {revision}.")
    from alembic import command  # noqa: PLC0415 - see above

    config = alembic_config(url)
    config.attributes["connect"] = Hosts().connect
    command.downgrade(config, revision)


@cache
def newest_migration() -> str:
    """Return the revision of a database on which every migration of this program has run."""
    return max(known_migrations())


@cache
def known_migrations() -> frozenset[str]:
    """Return every revision that this program has a migration for: the names of their files begin with them."""
    return frozenset(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


class Hosts:
    """Opens connections to the one of several hosts that takes writes; first it asks the one that did so last."""

    def __init__(self) -> None:
        self._last = 0

    async def connect(self, *args: Any, **options: Any) -> asyncpg.Connection:
        """Open a connection. Raises what asyncpg raises, of several hosts what it raised for the last one.

        asyncpg has one timeout for all hosts together: one that is silent would use it up before the others are asked.
        """
        hosts, ports = options.get("host"), options.get("port")
        if not isinstance(hosts, list) or not isinstance(ports, list):
            return await asyncpg.connect(*args, **options)
        *others, last = [*range(self._last, len(hosts)), *range(self._last)]
        for place in others:
            with suppress(asyncpg.PostgresError, *CONNECTION_LOST):  # TimeoutError is one of OSError's
                return await self._connect_to(place, *args, **options)
        return await self._connect_to(last, *args, **options)

    async def _connect_to(self, place: int, *args: Any, **options: Any) -> asyncpg.Connection:
        one = {"host": options["host"][place], "port": options["port"][place], "timeout": HOST_PATIENCE}
        connection = await asyncpg.connect(*args, **{**options, **one})
        self._last = place
        return connection


def engine_for_once(url: str, connect_args: Mapping[str, Any] = MappingProxyType({}), **options: Any) -> AsyncEngine:
    """Return an engine that keeps no connection open: for what is asked or done once."""
    connecting = {"timeout": PATIENCE, "async_creator_fn": Hosts().connect, **connect_args}
    return create_async_engine(url, poolclass=NullPool, connect_args=connecting, **options)


class Database:
    """The connections of one process to the database at `url` (postgresql+asyncpg://…)."""

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        kept: int | None = None,
        folder: Path | None = None,
        direct_url: str | None = None,
    ) -> None:
        """Open none yet. Of `pool_size` at most, only `kept` stay open when nobody uses them; without it, all do."""
        self._folder = folder
        self._full_until = 0.0
        self._probe: asyncio.Task[bool] | None = None
        self.on_commit: Callable[[], None] = lambda: None  # called after each commit of this process
        # Told of each wait for a connection of a millisecond or more: for which pool, and how many seconds.
        self.on_wait: Callable[[str, float], None] = lambda _pool, _seconds: None
        hosts = Hosts()
        self.transactions = self._engine(url, pool_size, kept or pool_size, hosts)
        self.reader = Reader(self.transactions, pool_size, hosts, direct_url)
        self.reader.note_wait = partial(self._note_wait, "reads")
        _pool_of(self.transactions).note_wait = partial(self._note_wait, "writes")
        # For the worker: a connection that listens must not be in a transaction.
        self.autocommit = self._engine(url, pool_size, pool_size, hosts, isolation_level="AUTOCOMMIT")
        for engine in (self.transactions, self.autocommit):
            event.listen(engine.sync_engine, "handle_error", self._note_error)

    @staticmethod
    def _engine(url: str, pool_size: int, kept: int, hosts: Hosts, **options: Any) -> AsyncEngine:
        async def connect(*args: Any, **options: Any) -> asyncpg.Connection:
            """Open a connection. Raises the driver's OperationalError: callers then handle one kind of error."""
            try:
                return await hosts.connect(*args, **options)
            except (asyncpg.PostgresError, *CONNECTION_LOST) as error:
                raise driver.OperationalError(type(error).__name__, error) from error  # type: ignore[no-untyped-call]

        return create_async_engine(
            url,
            poolclass=_TimedPool,
            pool_size=min(kept, pool_size),
            max_overflow=max(0, pool_size - kept),
            pool_use_lifo=True,  # one that was just used has in its memory what the next statement needs
            pool_timeout=PATIENCE,
            hide_parameters=True,  # in errors and logs: they are people's own words
            connect_args={"server_settings": SERVER_SETTINGS, "timeout": PATIENCE, "async_creator_fn": connect},
            **options,
        )

    @asynccontextmanager
    async def work(self) -> AsyncIterator[AsyncSession]:
        """Begin a transaction: committed when the block ends, rolled back when it raises."""
        session = DriverSession(self.transactions)
        try:
            yield session
        except BaseException as error:
            await session.end(well=False, given_up=not isinstance(error, Exception))
            raise
        await session.end(well=True)
        self.on_commit()

    def in_use(self) -> Mapping[str, int]:
        """Return how many connections of each pool are in use now."""
        return {"writes": _pool_of(self.transactions).checkedout(), "reads": self.reader.count_in_use()}

    def _note_wait(self, pool: str, seconds: float) -> None:
        if seconds >= LEAST_WAIT:
            self.on_wait(pool, seconds)

    @property
    def is_full(self) -> bool:
        """Whether a write found no room a moment ago, or the disk of the forum's folder has hardly any left."""
        return time.monotonic() < self._full_until or _has_no_room(self._folder)

    async def is_ready(self) -> bool:
        """Return whether the server takes a write within two seconds and every migration of this program has run.

        A server that hangs is asked once, however often this is called: else the questions would take all connections.
        """
        if self._probe is None or self._probe.done():
            self._probe = asyncio.create_task(self._ask())
        await asyncio.wait([self._probe], timeout=READY_SECONDS)
        return self._probe.done() and self._probe.result() and not self.is_full

    async def _ask(self) -> bool:
        try:
            [row] = await self.reader.rows(_PROBE)
        except (DBAPIError, PoolTimeoutError) as error:
            self._note(error)
            return False
        return bool(row.version_num == newest_migration())

    def _note_error(self, context: ExceptionContext) -> None:
        if is_read_only(context.original_exception):
            context.is_disconnect = True  # no connection is kept: another server may take writes by now
        self._note(context.sqlalchemy_exception or context.original_exception)

    def _note(self, error: BaseException) -> None:
        if is_full(error):
            self._full_until = time.monotonic() + FULL_SECONDS

    async def close(self) -> None:
        """Close every connection."""
        if self._probe:
            self._probe.cancel()
            await asyncio.wait([self._probe])
        await self.reader.close()
        await self.transactions.dispose()
        await self.autocommit.dispose()


def _pool_of(engine: AsyncEngine) -> "_TimedPool":
    pool = engine.pool
    assert isinstance(pool, _TimedPool)  # noqa: S101 - so it was made
    return pool


class _TimedPool(AsyncAdaptedQueuePool):
    """A pool that tells how long each waited for a connection."""

    _sqla_logger_namespace = "sqlalchemy.pool"  # else it logs as a part of the forum, which is not as quiet

    note_wait: Callable[[float], None] = staticmethod(lambda _seconds: None)

    def _do_get(self) -> ConnectionPoolEntry:
        asked_at = time.perf_counter()
        entry = super()._do_get()
        self.note_wait(time.perf_counter() - asked_at)
        return entry


def _has_no_room(folder: Path | None) -> bool:
    try:
        return folder is not None and shutil.disk_usage(folder).free < LEAST_ROOM
    except OSError:  # nothing was written there yet
        return False


# It writes: a server may answer every read while its disk is full, or while it only follows another server.
_PROBE = Prepared(
    text(
        "INSERT INTO throttle_count (key, tries, ends_at) VALUES ('ready', 0, now()) "
        "ON CONFLICT (key) DO UPDATE SET ends_at = now() RETURNING (SELECT version_num FROM alembic_version)"
    )
)
