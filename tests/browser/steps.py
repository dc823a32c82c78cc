"""What journeys have in common: press, follow, look, and a thread to begin with."""

from typing import Any

from playwright.async_api import Locator, Page, expect

from tests.browser import axe
from tests.browser.house import House

API = "/api/v1"


def main(page: Page) -> Locator:
    return page.locator("main")


async def press(page: Page, words: str) -> None:
    """Press the button, or follow the link, that says exactly this; the first, where there are several."""
    found = main(page).get_by_role("button", name=words, exact=True)
    if not await found.count():
        found = main(page).get_by_role("link", name=words, exact=True)
    await found.first.click()
    await expect(page.locator("form[aria-busy]")).to_have_count(0)  # it asks for a line before it is sent
    await page.wait_for_load_state()


def page_faults(page: Page) -> Locator:
    """What a form says that is wrong with it."""
    return page.locator("#faults")


async def look(page: Page, scripts: bool) -> None:
    """axe has nothing to say about the page as it stands; it needs JavaScript itself."""
    if scripts:
        found = await axe.violations(page, schemes=False)
        assert found == [], found


async def call(house: House, who: str, method: str, path: str, **body: Any) -> Any:
    """Ask the API as a member; what it answers."""
    async with await house.client() as http:
        headers = {"Authorization": f"Bearer {await house.village.session_of(who)}"}
        answer = await http.request(method, f"{API}{path}", json=body or None, headers=headers)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None


async def ask(house: House, who: str, title: str, words: str, board: str = "court") -> str:
    """A new thread of a member; its address."""
    made = await call(house, who, "POST", f"/boards/{board}/threads", title=title, body_markdown=words)
    return f"/threads/{made['id']}"


async def reply(house: House, who: str, where: str, *texts: str, **about: Any) -> None:
    """Replies of a member to a thread."""
    for words in texts:
        await call(house, who, "POST", f"{where}/posts", body_markdown=words, **about)


async def follow(page: Page, words: str) -> None:
    """Follow the first link in which these words stand."""
    await main(page).get_by_role("link", name=words).first.click()
    await page.wait_for_load_state()


async def comes(page: Page, path: str, words: str) -> None:
    """Open a page again and again until it says this: the worker does its part a moment later."""
    for _ in range(100):
        await page.goto(path)
        if words in await main(page).inner_text():
            return
    await expect(main(page)).to_contain_text(words)


async def open_the_case(page: Page, title: str) -> None:
    """Open the case of a thread from a list, which goes on to older ones; of one in danger, the title is folded."""
    row = main(page).locator("li.card").filter(has_text=title).first
    older = main(page).locator("[rel=next]")
    await expect(row.or_(older).first).to_be_visible()
    while not await row.count():
        await page.goto(await older.get_attribute("href") or "")
    await row.get_by_role("link").first.click()
    await page.wait_for_load_state()


async def decide(page: Page, measure: str, reason: str, scripts: bool) -> None:
    """Decide the case on this page, once it was seen as its author will read it."""
    await main(page).locator(f"[name=measures][value={measure}]").check()
    await page.fill("[name=reason]", reason)
    await look(page, scripts)
    await press(page, "See what the author will read")
    await expect(main(page)).to_contain_text("Nothing is decided yet")
    await look(page, scripts)
    await press(page, "Decide this")
    await expect(main(page)).to_contain_text("This case is decided")
    await look(page, scripts)
