"""One forum and one browser for all journeys, each of them with JavaScript and without."""

from collections.abc import AsyncIterator

import pytest

from tests.browser.house import House, opened


@pytest.fixture(scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A running forum with its community."""
    async with opened(tmp_path_factory.mktemp("house")) as running:
        yield running


@pytest.fixture(params=[True, False], ids=["scripts", "no-scripts"])
def scripts(request: pytest.FixtureRequest) -> bool:
    """Whether the browser runs JavaScript."""
    return bool(request.param)
