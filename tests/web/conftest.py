"""The community that the walks through all pages read, made once for the test files of a process."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from forum.core import embedded_postgres
from forum.core.settings import Settings
from tests.conftest import AS_IT_WAS_MIGRATED, database_called
from tests.support import make
from tests.web.village import Village, village


@pytest.fixture(scope="session")
async def lived_in(
    server: embedded_postgres.Server, operator: AsyncConnection, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Village]:
    """The community, with browsers of all roles."""
    await operator.execute(text(f"CREATE DATABASE village {AS_IT_WAS_MIGRATED}"))
    settings = Settings(
        database_url=database_called(server.url, "village"),
        data=tmp_path_factory.mktemp("village"),
        pool_size=5,
        charity="Example Family Charity",
        **make.UNTHROTTLED,
    )
    async with village(settings) as made:
        yield made
    await operator.execute(text("DROP DATABASE village WITH (FORCE)"))
