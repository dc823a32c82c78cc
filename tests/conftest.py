"""What every test stands on: a real PostgreSQL, and a fresh migrated database for each test."""

import asyncio
import gc
import itertools
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from forum.core import database, embedded_postgres
from forum.core.settings import Settings
from forum.http.services import Services
from forum.passwords import hashing
from tests.support import make

# Until all tests are loaded: looking for garbage among modules takes a sixth of the time in which they load.
gc.disable()

# Where files are memory, and how much of it must be free. A database has hundreds of files, and each test makes and
# drops one: some disks' file systems take longer for that than the tests for everything else.
MEMORY = Path("/dev/shm")
NEEDED_MEMORY = 1_000_000_000

# Copying files is cheaper than noting each page in a journal that nobody reads.
AS_IT_WAS_MIGRATED = "TEMPLATE template_forum STRATEGY FILE_COPY"

_numbers = itertools.count(1)


def pytest_collection_finish() -> None:
    """What is loaded by now stays: looking through all of it for garbage again and again takes a tenth of the time."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded_postgres.Server]:
    """The PostgreSQL of this test run; FORUM_POSTGRES_BIN chooses another version."""
    folder = _folder_in_memory() or tmp_path_factory.mktemp("server")
    try:
        with embedded_postgres.running(folder, durable=False) as running:
            yield running
    finally:
        shutil.rmtree(folder)


def _folder_in_memory() -> Path | None:
    """A folder of ours whose files are memory, where there is enough; those of test runs that were killed go."""
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < NEEDED_MEMORY:
        return None
    for abandoned in MEMORY.glob("forum-tests-*-*"):
        if not Path("/proc", abandoned.name.split("-")[2]).exists():
            shutil.rmtree(abandoned, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"forum-tests-{os.getpid()}-", dir=MEMORY))


@pytest.fixture(scope="session")
async def operator(server: embedded_postgres.Server) -> AsyncIterator[AsyncConnection]:
    """A connection that makes and drops databases; the template is migrated once."""
    engine = create_async_engine(server.url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text("CREATE DATABASE template_forum"))
        # Alembic's own event loop needs a thread without one.
        await asyncio.to_thread(database.migrate, database_called(server.url, "template_forum"))
        # Whoever connects first leaves a file behind that spares all later ones work; copies have it too.
        template = create_async_engine(database_called(server.url, "template_forum"))
        async with template.connect():
            pass
        await template.dispose()
        yield connection
    await engine.dispose()


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_is_heard() -> Iterator[None]:
    """A shell that starts the tests in the background lets them ignore Ctrl-C, and with them all that they start."""
    before = signal.getsignal(signal.SIGINT)
    if before == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session", autouse=True)
def _statements_are_compiled_once() -> Iterator[None]:
    """Compiling for each test's engines anew took a third of its time. A forum does it once, too: its engines are the
    same as long as it runs."""
    with pytest.MonkeyPatch.context() as patch:
        # What was compiled is kept by its dialect, which each engine has of its own, though all are the same.
        patch.setattr(PGDialect_asyncpg, "__eq__", lambda one, other: type(one) is type(other))
        patch.setattr(PGDialect_asyncpg, "__hash__", lambda one: hash(type(one)))
        shared = partial(create_async_engine, execution_options={"compiled_cache": {}})
        patch.setattr(database, "create_async_engine", shared)
        yield


@pytest.fixture(autouse=True)
def _no_wait_for_wrong_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong password is told at once; tests of how long it takes ask for their own time."""
    monkeypatch.setattr(hashing, "FAILED_AFTER", 0.0)


@pytest.fixture(autouse=True)
def _hashes_are_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """New passwords and codes are hashed with next to no work; tests of the hashes leave them as they are."""
    monkeypatch.setattr(hashing, "OWN_HASHES", make.QUICK_HASHES)


@pytest.fixture
async def database_url(server: embedded_postgres.Server, operator: AsyncConnection) -> AsyncIterator[str]:
    """The address of a migrated database that nobody used before."""
    name = f"test_{next(_numbers)}"
    await operator.execute(text(f"CREATE DATABASE {name} {AS_IT_WAS_MIGRATED}"))
    yield database_called(server.url, name)
    await operator.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="session")
def unthrottled() -> Settings:
    """Settings whose throttles are out of the way, made once: to make them takes as long as some requests."""
    return Settings(pool_size=5, **make.UNTHROTTLED)


@pytest.fixture
def settings(unthrottled: Settings, database_url: str, tmp_path: Path) -> Settings:
    """Settings of a forum of its own; tests of throttles ask for their own."""
    return unthrottled.model_copy(update={"database_url": database_url, "data": tmp_path})


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The application, started."""
    async with make.application(settings) as application:
        yield application


@pytest.fixture
def services(app: FastAPI) -> Services:
    """What the application is made of."""
    result: Services = app.state.services
    return result


@pytest.fixture
async def guest(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who is not signed in."""
    async with make.client(app) as client:
        yield client


def database_called(url: str, name: str) -> str:
    """The same server's address for another database."""
    return make_url(url).set(database=name).render_as_string(hide_password=False)
