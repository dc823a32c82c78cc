"""Every page in a browser that asks for Welsh."""

import pytest

from tests.browser.house import House
from tests.browser.test_every_page import CUT_OFF, TARGETS, WIDTH, address, pages

ONCE = dict(reversed(list(pages())))  # each for its first reader: what staff alone see is on pages of their own


@pytest.mark.parametrize(("path", "role"), list(ONCE.items()))
async def test_a_page_can_be_used_in_welsh(house: House, path: str, role: str) -> None:
    """Its words are longer, and the page says which language it is in; all else is as in English, where axe looks."""
    async with house.reader(role, "cy-GB") as page:
        await page.goto(address(house, path))
        assert await page.get_attribute("html", "lang") == "cy"
        assert await page.evaluate(WIDTH) <= 0, "it scrolls sideways"
        assert await page.evaluate(TARGETS) == []
        assert await page.evaluate(CUT_OFF) == []
