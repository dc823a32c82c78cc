"""Every page in a browser, for whom it is: axe in three colour schemes, 320 px, text spacing, the bar and the focus."""

from collections.abc import Iterator

import pytest
from playwright.async_api import Page

from tests.browser import axe
from tests.browser.house import NARROW, House
from tests.web.routes import ROWS

# WCAG 2.2, 1.4.12: what readers may set themselves.
SPACING = """* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important }
p { margin-bottom: 2em !important }"""
WIDTH = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# Whether something that is cut off holds text that would be longer than its place.
CUT_OFF = """[...document.querySelectorAll('main :not(input):not(textarea):not(select)')].filter((element) => {
  const style = getComputedStyle(element);
  const isSeen = element.clientWidth > 1; // else it is for screen readers alone
  return isSeen && ['hidden', 'clip'].includes(style.overflowX) && element.scrollWidth > element.clientWidth + 1;
}).map((element) => element.outerHTML.slice(0, 80))"""
TARGETS = """[...document.querySelectorAll('main a, main button, main input, main select, main textarea')]
  .filter((element) => element.matches('button, input, select')
    || !element.closest('p, li, td, .words, .text, .help, label'))
  .filter((element) => !(element.matches('[type=checkbox], [type=radio]') && element.labels.length))
  .map((element) => [element.getBoundingClientRect(), element])
  .filter(([box]) => box.width > 0 && (box.height < 24 || box.width < 24))
  .map(([box, element]) => `${Math.round(box.width)}x${Math.round(box.height)} ${element.outerHTML.slice(0, 80)}`)"""
HIDDEN_FOCUS = """() => {
  const focused = document.activeElement, bar = document.querySelector('.bar');
  if (!focused || focused.matches('body, .skip') || bar.contains(focused)) return false;
  const box = focused.getBoundingClientRect(), over = bar.getBoundingClientRect();
  return getComputedStyle(bar).position === 'sticky' && box.bottom <= over.bottom && box.bottom > 0;
}"""


# A text, a file, and a page that leads away at once.
NO_PAGES = {"/robots.txt", "/me/copy/{id}", "/leave"}


def pages() -> Iterator[tuple[str, str]]:
    """Every page, once for a guest or a member, and once for staff, if they see it."""
    for path, row in ROWS.items():
        if row.status == 200 and path not in NO_PAGES:
            for roles in (("guest", "member", "suspended"), ("moderator", "administrator", "adviser", "lead")):
                first = next((role for role in roles if role in row.readers), None)
                if first:
                    yield path, first


@pytest.mark.parametrize(("path", "role"), list(pages()))
async def test_a_page_can_be_used_by_everybody(house: House, path: str, role: str) -> None:
    async with house.visitor(role, viewport=NARROW, reduced_motion="reduce") as page:
        await page.goto((ROWS[path].example or path).format(**house.village.places))
        assert await page.evaluate(WIDTH) <= 0, "it scrolls sideways at 320 px"
        assert await page.evaluate(TARGETS) == []
        assert await axe.violations(page) == []
        await _walk_with_the_keyboard(page)
        await page.evaluate(
            "(css) => { const sheet = new CSSStyleSheet(); sheet.replaceSync(css);"
            "document.adoptedStyleSheets = [sheet]; }",
            SPACING,
        )
        assert await page.evaluate(WIDTH) <= 0, "it scrolls sideways with more space between letters"
        assert await page.evaluate(CUT_OFF) == []


async def _walk_with_the_keyboard(page: Page) -> None:
    """Tab forwards and back again: what has the focus is never below the bar."""
    for key in ["Tab"] * 12 + ["Shift+Tab"] * 6:
        await page.keyboard.press(key)
        assert not await page.evaluate(HIDDEN_FOCUS), await page.evaluate("document.activeElement.outerHTML")
