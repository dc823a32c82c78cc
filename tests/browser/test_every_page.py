"""Every page in a browser, for whom it is: axe in three colour schemes, 320 px, 400 per cent, the keyboard."""

from collections.abc import Iterator

import pytest
from playwright.async_api import Page

from tests.browser import axe
from tests.browser.house import NARROW, ZOOMED, House
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
# WCAG 2.2, 2.4.7 and 2.4.11: what has the focus shows it, and some of it is in sight with nothing on top.
LOST_FOCUS = """(part) => {
  const focused = document.activeElement, style = getComputedStyle(focused);
  if (focused === document.body || !focused.closest(part)) return null;
  const inSight = [...focused.getClientRects()].some((box) => {
    const [left, right] = [Math.max(box.left, 0), Math.min(box.right, innerWidth)];
    const [top, bottom] = [Math.max(box.top, 0), Math.min(box.bottom, innerHeight)];
    const parts = left < right && top < bottom ? [0.1, 0.5, 0.9] : [];
    return parts.some((across) => parts.some((down) => focused.contains(
      document.elementFromPoint(left + across * (right - left), top + down * (bottom - top)))));
  });
  const isRinged = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
  return inSight && isRinged ? '' : `${inSight ? 'no ring' : 'out of sight'}: ${focused.outerHTML.slice(0, 120)}`;
}"""
STUCK = """[...document.querySelectorAll('*')].filter((element) =>
  ['fixed', 'sticky'].includes(getComputedStyle(element).position)).map((element) => element.outerHTML.slice(0, 80))"""
MOST_KEYS = 80  # of a page whose focus goes round; none has as many links and fields


# A text, files, and a page that leads away at once.
NO_PAGES = {
    *("/robots.txt", "/boards/{slug}/feed.atom", "/me/copy/{id}", "/moderation/assessments.zip"),
    *("/admin/boards/{slug}/export.zip", "/leave"),
}


def pages() -> Iterator[tuple[str, str]]:
    """Every page, once for a guest or a member, and once for staff, if they see it."""
    for path, row in ROWS.items():
        if row.status == 200 and path not in NO_PAGES:
            for roles in (("guest", "member", "suspended"), ("moderator", "administrator", "adviser", "lead")):
                first = next((role for role in roles if role in row.readers), None)
                if first:
                    yield path, first


def address(house: House, path: str) -> str:
    """Where a page is, with something on it."""
    return (ROWS[path].example or path).format(**house.village.places)


@pytest.mark.parametrize(("path", "role"), list(pages()))
async def test_a_page_can_be_used_by_everybody(house: House, path: str, role: str) -> None:
    async with house.reader(role) as page:
        await page.goto(address(house, path))
        assert await page.evaluate(WIDTH) <= 0, "it scrolls sideways at 320 px"
        assert await page.evaluate(TARGETS) == []
        assert await axe.violations(page) == []
        await page.set_viewport_size(ZOOMED)
        assert await page.evaluate(WIDTH) <= 0, "it scrolls sideways at 400 per cent"
        assert await page.evaluate(STUCK) == [], "it covers a part of the page, which is small enough"
        # What is around it is the same on every page: one walk goes there.
        part = "body" if path == "/" else "main"
        await page.focus(part)
        await _walk_with_the_keyboard(page, "Tab", MOST_KEYS, part)
        await page.set_viewport_size(NARROW)
        await _walk_with_the_keyboard(page, "Shift+Tab", 20, part)  # upwards the bar would cover it
        await page.evaluate(
            "(css) => { const sheet = new CSSStyleSheet(); sheet.replaceSync(css);"
            "document.adoptedStyleSheets = [sheet]; }",
            SPACING,
        )
        assert await page.evaluate(WIDTH) <= 0, "it scrolls sideways with more space between letters"
        assert await page.evaluate(CUT_OFF) == []


async def _walk_with_the_keyboard(page: Page, key: str, most: int, part: str) -> None:
    """Go towards the other end of a part of the page: one always sees what has the focus."""
    for _ in range(most):
        await page.keyboard.press(key)
        lost = await page.evaluate(LOST_FOCUS, part)
        if lost:  # on a busy machine, the browser has not scrolled there yet
            await page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
            lost = await page.evaluate(LOST_FOCUS, part)
        if lost is None:
            return
        assert not lost
