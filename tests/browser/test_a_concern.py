"""A concern on a narrow phone without scripts: a member raises it, and the safeguarding lead looks after it."""

from datetime import timedelta

from playwright.async_api import expect

from forum.core import clock
from tests.browser.house import PHONE, House
from tests.browser.steps import follow, main, page_faults, press

WIDTH = "document.documentElement.scrollWidth"


async def test_a_lead_looks_after_a_concern_on_a_phone_without_scripts(house: House) -> None:
    async with house.visitor("olu.t", java_script_enabled=False) as page:
        await page.goto("/members/femi/report")
        await follow(page, "Tell the safeguarding lead")
        await page.fill("[name=text]", "Femi asked my niece for her number.")
        await page.fill("[name=about]", "@femi, nobody-here")
        await press(page, "Send")
        await expect(page_faults(page)).to_contain_text("Whom it is about")
        await page.fill("[name=about]", "@femi")
        await press(page, "Send")
        await expect(main(page)).to_contain_text("The safeguarding leads are told now.")
    async with house.visitor("priya", java_script_enabled=False) as page:
        await page.goto("/me/notices")
        await follow(page, "A concern waits for you.")
        await expect(main(page)).to_contain_text("Femi asked my niece for her number.")
        await page.fill("[name=text]", "Rang the aunt. She keeps the messages.")
        await press(page, "Add this")
        await expect(page.locator("#chronology")).to_contain_text("She keeps the messages.")
        await page.get_by_text("Write it anew").click()
        await page.select_option("[name=consent]", "not_sought")
        await press(page, "Keep this version")
        await expect(page_faults(page)).to_contain_text("Please say why nobody was asked.")
        await page.fill("[name=consent_why]", "She is eleven.")
        await press(page, "Keep this version")
        await expect(page.locator("#assessment")).to_contain_text("She is eleven.")
        await page.get_by_text("Place a legal hold").click()
        await page.fill("[name=hold_review_on]", (clock.now() + timedelta(days=7)).date().isoformat())
        await press(page, "Place the hold")
        await expect(page.locator("#evidence")).to_contain_text("Priya placed a legal hold.")
        assert await page.evaluate(WIDTH) <= PHONE["width"]
        await page.fill("[name=keep_until]", (clock.now() + timedelta(days=365)).date().isoformat())
        await press(page, "Close it")
        await expect(main(page)).to_contain_text("Kept until")
        await follow(page, "Who read it, and what they did")
        await expect(main(page)).to_contain_text("Priya closed it")
        assert await page.evaluate(WIDTH) <= PHONE["width"]
