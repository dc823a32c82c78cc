"""One forum and one browser for all journeys, each of them with JavaScript and without."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import expect

from tests.browser.house import House, opened

# A machine that is busy with something else takes its time.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A running forum with its community."""
    async with opened(tmp_path_factory.mktemp("house")) as running:
        yield running


@pytest.fixture(params=[True, False], ids=["scripts", "no-scripts"])
def scripts(request: pytest.FixtureRequest) -> bool:
    """Whether the browser runs JavaScript."""
    return bool(request.param)
