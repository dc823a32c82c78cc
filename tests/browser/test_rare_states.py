"""What seldom stands on a page, on a narrow screen: the states that no walk and no journey comes to."""

from datetime import timedelta

from playwright.async_api import Page, expect

from forum.core import clock
from tests.browser import axe
from tests.browser.house import NARROW, House
from tests.browser.steps import ask, call, main, press
from tests.browser.test_every_page import CUT_OFF, TARGETS, WIDTH

LAW = "Crime: Data Protection Act 2018, Schedule 2, paragraph 2"


async def sound(page: Page, words: str) -> None:
    """The page says this, and everybody can use it."""
    await expect(main(page)).to_contain_text(words)
    assert await page.evaluate(WIDTH) <= 0, "it scrolls sideways at 320 px"
    assert await page.evaluate(TARGETS) == []
    assert await page.evaluate(CUT_OFF) == []
    assert await axe.violations(page) == []


async def test_words_that_may_show_who_somebody_is_and_a_search_that_finds_nothing(house: House) -> None:
    where = await ask(house, "tiredmum83", "Contact on Saturdays", "My boy is 6 and he cries at every contact.")
    async with house.visitor("tiredmum83", viewport=NARROW) as page:
        await page.goto(f"{where}/reply")
        await page.fill("[name=body_markdown]", "He goes to Greenfield Primary School. My number is 07700 900123.")
        await press(page, "See how it looks")
        await sound(page, "As they are, they wait for a moderator")
        await page.goto("/search")
        await page.fill("[name=query]", "zebra")
        await press(page, "Search")
        await sound(page, "We found no post with all of these words")


async def test_a_concern_with_a_hold_a_correction_and_a_lead_who_is_shut_out(house: House) -> None:
    path = f"/moderation/concerns/{house.village.places['concern']}"
    soon = (clock.now() + timedelta(days=7)).date().isoformat()
    first = await call(house, "priya", "POST", f"{path}/entries", text="Rang the school.")
    await call(house, "priya", "POST", f"{path}/entries", text="It was the nursery.", corrects=first["id"])
    said = {"number": 1, "consent": "not_sought", "consent_why": "She is eleven."}
    await call(house, "priya", "PUT", f"{path}/assessment", **said)
    hold = {"reason": "safeguarding", "review_on": soon, "exemption": LAW}
    await call(house, "priya", "PUT", f"{path}/hold", **hold)
    async with house.visitor("priya", viewport=NARROW) as page:
        await page.goto(path)
        await sound(page, "corrects an earlier entry")


async def test_a_term_that_is_tried_and_a_board_that_changed_meanwhile(house: House) -> None:
    async with house.visitor("administrator", viewport=NARROW) as page:
        await page.goto("/moderation/terms")
        await page.fill("[name=text]", "the")
        await page.select_option("[name=effect]", "hold")
        await press(page, "Try it on the last 1,000 posts")
        await sound(page, "it cannot hold posts")
        await page.goto("/admin/boards/court")
        other = await page.context.new_page()
        await other.goto("/admin/boards/court")
        await other.fill("[name=description]", "Letters, hearings and orders.")
        await press(other, "Save")
        await page.fill("[name=description]", "Hearings.")
        await press(page, "Save")
        await sound(page, "changed this board at")
