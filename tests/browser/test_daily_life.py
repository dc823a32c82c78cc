"""Daily life in a real browser, with JavaScript and without: told of an answer, gone on there, and somebody thanked."""

import re
from urllib.parse import urlsplit

from playwright.async_api import Locator, expect

from forum.core import clock
from forum.members.queries import get_member
from forum.notifications import letter_choices
from tests.browser.house import House
from tests.browser.steps import ask, call, comes, follow, look, main, press, reply

PAGES = 3  # of an evening
FOLDED = "A post by somebody whom you ignore"


async def test_an_evening_takes_three_pages(house: House, scripts: bool) -> None:
    who = "rosa_m" if scripts else "nell1990"
    title = f"The letter came {scripts}"
    where = await ask(house, who, title, "What does it say?", board="kinship")
    await reply(house, "biscuit_tin", where, *(f"Line {number}" for number in range(2, 10)))
    await call(house, who, "PUT", f"{where}/read", number=7)
    async with house.visitor(who, java_script_enabled=scripts) as page:
        seen = set[str]()
        page.on("framenavigated", lambda frame: seen.add(urlsplit(frame.url).path))
        await page.goto("/")
        await look(page, scripts)
        await follow(page, title)
        assert page.url.endswith(f"{where}#post-8")
        await expect(page.locator("#new + li")).to_contain_text("Line 8")
        await look(page, scripts)
        await page.fill("[name=body_markdown]", "It is for Monday")
        await press(page, "Send")
        await page.wait_for_url("**done=sent**")
        # It is not their first post: they were asked about mails long ago.
        await expect(main(page)).not_to_contain_text("Shall we write to you")
        await reply(house, "biscuit_tin", where, "Then you have time. Sleep on it", reply_to=10)
        await comes(page, "/", "Something happened that concerns you")
        await follow(page, "Something happened that concerns you")
        await comes(page, "/me/notices", f"Somebody answered you in “{title}”.")  # something else happened before
        await follow(page, f"Somebody answered you in “{title}”.")
        assert page.url.endswith(f"{where}#post-11")
        await expect(page.locator("#post-11")).to_contain_text("Sleep on it")
        assert seen == {"/", where, "/me/notices"}
        assert len(seen) <= PAGES


async def test_one_tap_tells_of_new_posts_and_another_does_not(house: House, scripts: bool) -> None:
    who = "tamar" if scripts else "jonty_b"
    title = f"Who comes on Friday? {scripts}"
    where = await ask(house, "tiredmum83", title, "I cannot", board="kinship")
    async with house.visitor(who, java_script_enabled=scripts) as page:
        for place in (where, "/boards/kinship"):
            await page.goto(place)
            await press(page, "Notifications on")
            await expect(main(page)).to_contain_text("You are told of each new post here.")
            await look(page, scripts)
        await reply(house, "biscuit_tin", where, "I can")
        await comes(page, "/me/notices", f"There is a new post in “{title}”.")
        await page.goto(where)
        await press(page, "Notifications off")
        await expect(main(page)).to_contain_text("You are told of nothing here, not even when somebody answers you.")
        await page.goto("/me/subscriptions")
        switch = page.locator("form[action='/boards/kinship/subscription']").get_by_role("button")
        await switch.click()
        await expect(switch).to_have_text("Notifications on")
        await look(page, scripts)
        await page.goto("/boards/kinship")
        await expect(main(page).get_by_role("button", name="Notifications on")).to_have_count(1)


async def test_mails_stop_with_the_button_behind_their_link_and_not_before(house: House, scripts: bool) -> None:
    who = "willow22" if scripts else "moth"
    async with house.visitor(who, java_script_enabled=scripts) as page:
        await page.goto("/me/mails")
        await page.check("[name=mode][value=daily]")
        await look(page, scripts)
        await press(page, "Save")
        async with house.visitor(java_script_enabled=scripts) as mail:
            for _ in range(2):  # also what looks for viruses opens it
                await mail.goto(await off_link(house, who))
            await look(mail, scripts)
            await page.goto("/me/mails")
            await expect(page.locator("[name=mode][value=daily]")).to_be_checked()
            await press(mail, "Send no more of these mails")
            await expect(main(mail)).to_contain_text("no more of these mails come")
            await look(mail, scripts)
        for _ in range(100):  # until the worker has done its part
            await page.goto("/me/mails")
            if await page.locator("[name=mode][value=off]").is_checked():
                break
        await expect(page.locator("[name=mode][value=off]")).to_be_checked()


async def off_link(house: House, handle: str) -> str:
    """The link at the end of somebody's mails."""
    services = house.village.services
    async with services.database.work() as session:
        who = (await get_member(session, handle)).id
        return f"/unsubscribe/{await letter_choices.create_off_token(session, who, services.settings, clock.now())}"


async def test_somebody_thanks_sends_a_hug_and_saves_a_post_while_they_write(house: House, scripts: bool) -> None:
    where = await ask(house, "tiredmum83", "A day with scripts" if scripts else "A day without", "It was a hard one.")
    async with house.visitor("biscuit_tin", java_script_enabled=scripts) as page:
        await page.goto(where)
        await page.fill("[name=body_markdown]", "I am here")
        article, save = page.locator("article").first, page.get_by_role("button", name="Save post 1")
        await say(article, "Thank you")
        await expect(article).to_contain_text("You say thank you.")
        await say(article, "Send a hug")
        await expect(article).to_contain_text("You send a hug.")
        await look(page, scripts)
        for is_saved in ("true", "false", "true"):
            await save.click()
            await expect(save).to_have_attribute("aria-pressed", is_saved)
        await say(article, "Thank you")
        await expect(article).not_to_contain_text("You say thank you.")
        if scripts:
            assert page.url == f"{house.address}{where}"
            assert await page.input_value("[name=body_markdown]") == "I am here"
        await page.goto("/me/bookmarks")
        await expect(main(page)).to_contain_text("A day with")
        await look(page, scripts)
    async with house.visitor("tiredmum83", java_script_enabled=scripts) as author:
        await author.goto(where)
        await expect(main(author)).to_contain_text("One person sends a hug.")
        await expect(main(author)).not_to_contain_text("thank you")
        await follow(author, "See who")
        await expect(main(author).get_by_role("listitem")).to_have_count(1)
        await look(author, scripts)


async def say(article: Locator, words: str) -> None:
    """Say something with a button to a post, or take it back."""
    button = article.get_by_role("button", name=words)
    if not await button.is_visible():
        await article.locator("summary", has_text="Thank").click()
    await button.click()


async def test_the_posts_of_somebody_are_folded_unfolded_and_not_folded_any_more(house: House, scripts: bool) -> None:
    who = "layla.h" if scripts else "burnt_toast"
    where = await ask(house, "grandad_ken", f"In my day {scripts}", "You lot have it easy.")
    async with house.visitor(who, java_script_enabled=scripts) as page:
        await page.goto(where)
        await page.locator("article").first.get_by_role("heading").get_by_role("link").click()
        await press(page, "Ignore them")
        await look(page, scripts)
        await press(page, "Ignore them")
        await expect(page.locator(".done")).to_have_text("You ignore them now. They are not told.")
        await look(page, scripts)
        await page.goto(where)
        await expect(page.locator("article")).to_be_hidden()
        await look(page, scripts)
        await page.locator("summary", has_text=FOLDED).click()
        await expect(page.locator("article")).to_contain_text("You lot have it easy.")
        await expect(page.locator("article")).to_be_visible()
        await page.goto("/me/ignored")
        await main(page).get_by_role("button", name="Stop ignoring").click()
        await expect(page.locator(".done")).to_be_visible()
        await page.goto(where)
        await expect(page.locator("article")).to_be_visible()


async def test_what_moved_to_the_staff_room_is_told_to_no_follower(house: House, scripts: bool) -> None:
    who = "olu.t" if scripts else "magpie"
    title = f"Where we live now {scripts}"
    where = await ask(house, "hopeful_dee", title, "We have moved", board="kinship")
    async with house.visitor(who, java_script_enabled=scripts) as page:
        await page.goto(where)
        await press(page, "Notifications on")
        await reply(house, "hopeful_dee", where, "It is behind the mill")
        await comes(page, "/me/notices", title)
        async with house.visitor("moderator", java_script_enabled=scripts) as orla:
            await orla.goto(where)
            await press(orla, "Look after this thread")
            await orla.select_option("[name=board]", "staff-room")
            await press(orla, "Move it")
            await expect(orla.locator(".done")).to_have_text("The thread is on its new board.")
        for place in ("/", "/me/notices", "/me/threads?kind=followed", "/me/subscriptions"):
            await page.goto(place)
            await expect(main(page)).not_to_contain_text(title)
        answer = await page.goto(where)
        assert answer is not None
        assert answer.status == 404


async def test_an_open_page_says_what_is_new_and_stays_as_it_is(house: House, scripts: bool) -> None:
    who = "rosa_m" if scripts else "nell1990"
    where = await ask(house, who, f"Is it open? {scripts}", "Until five", board="kinship")
    async with house.visitor(who, java_script_enabled=scripts) as page, house.visitor() as guest:
        for reader in (page, guest):
            await reader.goto(where)
        shown = main(page).get_by_role("link", name="1 new answer: show")
        for number in (1, 2):
            await reply(house, "biscuit_tin", where, f"Until six {number}")
            if scripts:
                await expect(main(page).get_by_role("link", name=f"{number} new answer")).to_be_visible()
                await expect(main(page)).not_to_contain_text("Until six")
                await expect(main(guest).get_by_role("link", name=f"{number} new answer")).to_be_visible()
        await look(page, scripts)
        if not scripts:
            await expect(shown).to_have_count(0)
            return
        await expect(page.locator(".nav [href='/me']")).to_have_text(re.compile(r"You \(\d+\)"))
        await follow(page, "2 new answers: show")
        await expect(main(page)).to_contain_text("Until six 1")
        await expect(main(page)).to_contain_text("Until six 2")
