"""At night: whoever is called first does not answer, and the next one is; and a board that is closed until the morning.

The forum runs by the clock of the machine: what waits for a later time is moved to now.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import expect

from forum.content import boards
from forum.core import clock
from forum.core.weekly_hours import WEEK
from tests.browser.house import House
from tests.browser.steps import call, comes, decide, follow, look, main, open_the_case, press
from tests.support import make, scenes

CRY = "I have took all\nthe tablets and nobody is here."
ALWAYS = {"weekdays": list(WEEK), "starts": "00:00", "ends": "00:00"}
DAY_AND_NIGHT = [{"weekdays": list(WEEK), "opens": "00:00", "closes": "00:00"}]
NIGHT_BOARD = "child-protection"


@asynccontextmanager
async def on_call(house: House, *handles: str) -> AsyncIterator[None]:
    """These are on call at all hours, in this order; after that, whoever was before."""
    before = await call(house, "ruth", "GET", "/moderation/on-call")
    kept = [{name: shift[name] for name in ("weekdays", "starts", "ends")} for shift in before["items"]]
    theirs = [{"handle": shift["member"]["handle"], **each} for shift, each in zip(before["items"], kept, strict=True)]
    for items in ([{"handle": handle, **ALWAYS} for handle in handles], theirs):
        version = (await call(house, "ruth", "GET", "/moderation/on-call"))["version"]
        await call(house, "ruth", "PUT", "/moderation/on-call", version=version, items=items)
        if items is not theirs:
            yield


async def ten_minutes_later(house: House) -> None:
    """What was to be done then if nobody answered a call is due."""
    due = "UPDATE jobs.queue SET execute_after = now() WHERE entrypoint = 'call_next' RETURNING id"
    assert await scenes.sql(house.village.services, due)


async def test_the_second_moderator_is_called_opens_the_call_and_decides(house: House, scripts: bool) -> None:
    title, author = f"Awake and alone {scripts}", f"night-heron-{scripts}".lower()
    await make.member(house.village.services, author)
    async with on_call(house, "orla", "femi"):
        async with house.visitor(author, java_script_enabled=scripts) as page:
            await page.goto("/boards/kinship/new")
            await page.fill("[name=title]", title)
            await page.fill("[name=body_markdown]", CRY)
            await press(page, "Send")
            await expect(main(page).locator("h2").first).to_contain_text("ring 999 now")
            await expect(main(page)).to_contain_text("Somebody is on call")
        async with (
            house.visitor("orla", java_script_enabled=scripts) as orla,
            house.visitor("femi", java_script_enabled=scripts) as femi,
        ):
            await comes(orla, "/me/notices", "A case cannot wait.")  # she is asleep
            await femi.goto("/me/notices")
            await expect(main(femi)).not_to_contain_text("A case cannot wait.")
            await ten_minutes_later(house)
            await comes(femi, "/me/notices", "A case cannot wait.")
            await follow(femi, "A case cannot wait.")
            await expect(main(femi)).to_contain_text("Orla was called: they are on call, by mail too. No answer yet.")
            await look(femi, scripts)
            await press(femi, "Take this case")
            await expect(main(femi)).to_contain_text("Femi was called: they are on call, by mail too. Took it")
            await decide(femi, "dismiss", "An ambulance is with her. The words stay.", scripts)


async def test_a_first_post_of_the_night_waits_and_is_published_in_the_morning(house: House) -> None:
    title, author = "Which form is it?", "night-owl"
    services = house.village.services
    await make.member(services, author)
    await make.hours(services, "hold_newcomers", NIGHT_BOARD)
    try:
        async with house.visitor(author, java_script_enabled=False) as page:
            await page.goto(f"/boards/{NIGHT_BOARD}/new")
            await expect(main(page)).to_contain_text("This board is closed now. It opens again")
            await expect(main(page)).to_contain_text("First posts wait until then: a moderator reads them first.")
            await page.fill("[name=title]", title)
            await page.fill("[name=body_markdown]", "Is it the C100?")
            await press(page, "Send")
            await expect(main(page)).to_contain_text("A moderator reads it first")
            where = page.url.partition("?")[0]
            await make.hours(services, "hold_newcomers", NIGHT_BOARD, week=DAY_AND_NIGHT)
            async with (
                house.visitor("guest", java_script_enabled=False) as guest,
                house.visitor("orla", java_script_enabled=False) as orla,
            ):
                await guest.goto(f"/boards/{NIGHT_BOARD}")
                await expect(main(guest)).to_contain_text("Somebody looks after this board now")
                await expect(main(guest)).not_to_contain_text(title)
                await orla.goto("/moderation")
                await open_the_case(orla, title)
                await decide(orla, "publish", "Welcome.", scripts=False)
                await guest.goto(where)
                await expect(main(guest)).to_contain_text("Is it the C100?")
            await comes(page, "/me/notices", "Everybody can see your post now.")
    finally:
        async with services.database.work() as session:
            await boards.set_hours(session, await boards.lock_board_row(session, NIGHT_BOARD), None, clock.now())
