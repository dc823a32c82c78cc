"""Every form, sent empty: the page that says what is wrong can be used by everybody, too."""

from collections.abc import Iterator

import pytest

from tests.browser import axe
from tests.browser.house import House
from tests.browser.test_every_page import NO_PAGES, WIDTH, address
from tests.web.routes import OPEN_FORMS, ROWS

ROLES = ("member", "moderator", "administrator", "lead", "adviser")
# Forms with something to fill in. What a folded part hides can be filled in, too.
FORMS = """[...document.querySelectorAll('main form[method=post]')].filter((form) =>
  form.querySelector('input:not([type=hidden]), textarea, select'))"""
SEND_EMPTY = f"""(number) => {{
  const form = {FORMS}[number];
  for (const field of form.elements) {{
    if (['checkbox', 'radio'].includes(field.type)) field.checked = false;
    else if (field.matches('input:not([type=hidden]), textarea')) field.value = '';
  }}
  (form.querySelector('button.main') || form.querySelector('button:not([type=button])')).click();
}}"""

# Where nothing that is chosen or left out is wrong, by their place on the page: they only find or change something.
NEVER_WRONG = {
    "/look": {0},
    "/threads/{id}/care": {0, 1},
    "/moderation/log": {0},
    "/moderation/on-call": {0},
    "/moderation/concerns/{id}": {0},
    "/moderation/handover": {0},
    "/moderation/own-safety": {0},
    "/admin/boards/{slug}/details": {0},
    "/admin/people": {0},
    "/admin/people/{handle}": {0, 2},
}
NEEDS_A_DEVICE = {"/me/passkeys/new"}


def pages() -> Iterator[tuple[str, str]]:
    """Every page, once, for somebody who may send its forms."""
    for path, row in ROWS.items():
        if row.status == 200 and path not in NO_PAGES | NEEDS_A_DEVICE:
            who = ("guest",) if path in OPEN_FORMS else (*ROLES, "guest")
            yield path, next(role for role in who if role in row.readers)


@pytest.mark.parametrize(("path", "role"), list(pages()))
async def test_a_form_that_is_sent_back_can_be_used_by_everybody(house: House, path: str, role: str) -> None:
    async with house.reader(role) as page:
        await page.goto(address(house, path))
        forms = await page.evaluate(f"{FORMS}.length")
        for number in set(range(forms)) - NEVER_WRONG.get(path, set()):
            await page.goto(address(house, path))
            async with page.expect_navigation():
                await page.evaluate(SEND_EMPTY, number)
            assert await page.evaluate("document.activeElement.id") == "faults", page.url
            assert await page.evaluate(WIDTH) <= 0, "it scrolls sideways at 320 px"
            assert await axe.violations(page) == []
