"""The community that the walks through all pages read; and a look at every page that any test is shown."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from fastapi import Request, Response
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from forum.core import embedded_postgres
from forum.core.settings import Settings
from forum.web import visits
from tests.conftest import AS_IT_WAS_MIGRATED, database_called
from tests.support import make
from tests.web.checks import faults_of
from tests.web.village import Village, village


@pytest.fixture(autouse=True)
def _every_page_is_sound(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever page a test of pages comes to, in whatever state: its HTML has no fault."""
    shown: dict[bytes, str] = {}
    encoded: Callable[..., Response] = visits._encoded

    def and_note(request: Request, content: bytes, *rest: Any) -> Response:
        shown.setdefault(content, request.url.path)
        return encoded(request, content, *rest)

    monkeypatch.setattr(visits, "_encoded", and_note)
    yield
    new = {content: path for content, path in shown.items() if content not in _SOUND}
    assert not {path: faults for content, path in new.items() if (faults := faults_of(content.decode()))}
    _SOUND.update(new)


_SOUND: set[bytes] = set()


@pytest.fixture(scope="module")
async def lived_in(made_once: Village) -> Village:
    """The community, with browsers of all roles, who are signed in whatever the walks of other files did."""
    await made_once.sign_in_again()
    return made_once


@pytest.fixture(scope="session")
async def made_once(
    server: embedded_postgres.Server, operator: AsyncConnection, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Village]:
    """The community, made for all tests of a process."""
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
