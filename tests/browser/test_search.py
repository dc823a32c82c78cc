"""Something is found again, with JavaScript and without; and a title shows threads like it."""

from playwright.async_api import expect

from tests.browser.house import NARROW, House
from tests.browser.steps import ask, look, main, press


async def test_a_question_is_found_again_and_met_before_it_is_asked_twice(house: House, scripts: bool) -> None:
    word = "marmalade" if scripts else "rhubarb"
    title = f"Who brings {word} on Friday?"
    await ask(house, "tiredmum83", title, f"I have no **{word}** left", board="kinship")
    async with house.visitor("guest", java_script_enabled=scripts, viewport=NARROW) as page:
        addresses = list[str]()
        page.on("request", lambda request: addresses.append(request.url))
        for _ in range(100):  # the worker does its part a moment later
            await page.goto("/")
            await page.get_by_role("link", name="Search", exact=True).click()
            await page.fill("main [name=query]", word)
            await press(page, "Search")
            if await page.locator("mark").count() == 2:
                break
        await expect(main(page)).to_contain_text(f"Searched for: {word}")
        await look(page, scripts)
        await page.get_by_role("link", name=title).first.click()
        await page.wait_for_load_state()
        await expect(main(page)).to_contain_text(f"I have no {word} left")
        assert not any(word in address for address in addresses)
    async with house.visitor("rosa_m", java_script_enabled=scripts) as page:
        await page.goto("/boards/kinship/new")
        await page.fill("[name=title]", f"Where is the {word}?")
        await page.fill("[name=body_markdown]", "I looked everywhere")
        if not scripts:
            await press(page, "See how it looks")
        help_ = page.locator("main details[data-similar]" if scripts else "main section.box")
        await expect(help_).to_contain_text("Threads that may help too")
        if scripts:
            await help_.locator("summary").click()
            await look(page, scripts)
        await expect(help_.get_by_role("link", name=title)).to_be_visible()
