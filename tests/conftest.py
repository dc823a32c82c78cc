"""What every test stands on: a real PostgreSQL, and a fresh migrated database for each test."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from forum.app import create_app
from forum.core import database, embedded_postgres
from forum.core.settings import Settings
from forum.http.services import Services
from forum.passwords import hashing
from tests.support import make

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded_postgres.Server]:
    """The PostgreSQL of this test run; FORUM_POSTGRES_BIN chooses another version."""
    with embedded_postgres.running(tmp_path_factory.mktemp("server"), durable=False) as running:
        yield running


@pytest.fixture(scope="session")
async def operator(server: embedded_postgres.Server) -> AsyncIterator[AsyncConnection]:
    """A connection that makes and drops databases; the template is migrated once."""
    engine = create_async_engine(server.url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text("CREATE DATABASE template_forum"))
        # Alembic's own event loop needs a thread without one.
        await asyncio.to_thread(database.migrate, database_called(server.url, "template_forum"))
        yield connection
    await engine.dispose()


@pytest.fixture(autouse=True)
def _no_wait_for_wrong_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong password is told at once; tests of how long it takes ask for their own time."""
    monkeypatch.setattr(hashing, "FAILED_AFTER", 0.0)


@pytest.fixture
async def database_url(server: embedded_postgres.Server, operator: AsyncConnection) -> AsyncIterator[str]:
    """The address of a migrated database that nobody used before."""
    name = f"test_{next(_numbers)}"
    await operator.execute(text(f"CREATE DATABASE {name} TEMPLATE template_forum"))
    yield database_called(server.url, name)
    await operator.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings whose throttles are out of the way; tests of throttles ask for their own."""
    return Settings(database_url=database_url, data=tmp_path, pool_size=5, **make.UNTHROTTLED)


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The application, started."""
    application = create_app(settings)
    async with application.router.lifespan_context(application):
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
