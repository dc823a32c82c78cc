"""Journeys in a real browser, with JavaScript and without: nothing needs it, and nothing that was typed is lost."""

import asyncio
import re

from playwright.async_api import Error, Page, Route, expect

from forum.authentication.second_factor import totp
from tests.browser.house import House
from tests.browser.steps import ask, decide, follow, look, main, open_the_case, page_faults, press, reply
from tests.support import make

RUDE = "You would say that. Your social worker is a lying toad, and so are you."
INSULT = "a lying toad"


async def test_somebody_joins_asks_and_is_answered_by_an_adviser(house: House, scripts: bool) -> None:
    handle = "new-heron" if scripts else "old-heron"
    async with house.visitor(java_script_enabled=scripts) as page:
        await page.goto("/")
        await look(page, scripts)
        await page.goto("/join")
        await page.fill("[name=handle]", handle)
        await page.fill("[name=email]", f"{handle}@example.org")
        await page.fill("[name=password]", make.PASSWORD)
        for box in await main(page).locator("[type=checkbox]").all():
            await box.check()
        await look(page, scripts)
        await press(page, "Join")
        await expect(main(page)).to_contain_text("check your e-mail")
        link = re.search(r"https?://\S+#\S+", await house.letter_to(f"{handle}@example.org"))
        assert link
        await page.goto(link[0])
        if scripts:
            assert "#" not in page.url  # it does not stay in the address
        else:
            await page.fill("[name=token]", link[0])
        await main(page).locator("form button").first.click()
        await page.fill("[name=login]", handle)
        await page.fill("[name=password]", make.PASSWORD)
        await press(page, "Sign in")
        await page.goto("/boards/court/new")
        await page.fill("[name=title]", "What happens on Monday?")
        await page.fill("[name=body_markdown]", "They are coming on Monday. What do I *do*?")
        await press(page, "See how it looks")
        await expect(main(page)).to_contain_text("How it looks")
        await look(page, scripts)
        await press(page, "Send")
        await page.wait_for_url("**done=opened**")
        await expect(main(page).locator("h1")).to_have_text("What happens on Monday?")
        await look(page, scripts)
        async with house.visitor("adviser", java_script_enabled=scripts) as suzie:
            await suzie.goto("/advising")
            await look(suzie, scripts)
            await suzie.goto(page.url.partition("?")[0].partition("#")[0])
            await suzie.fill("[name=body_markdown]", "You can ask for an interpreter and an advocate.")
            await press(suzie, "Send")
            await suzie.wait_for_url("**done=sent**")
        await page.reload()
        await expect(page.locator(".adviser .role")).to_contain_text("Online adviser, Example Family Charity")


async def report(page: Page, words: str, category: str, note: str, scripts: bool) -> None:
    """Report the post on this page that has these words."""
    await page.locator("article", has_text=words).get_by_role("link", name="Something wrong?").click()
    await look(page, scripts)
    await main(page).locator(f"a[href*='category={category}']").click()
    if category == "rule":
        await main(page).locator("[name=rules][value='10']").check()
    await page.fill("[name=note]", note)
    await look(page, scripts)
    await press(page, "Send")
    await expect(page.locator(".done")).to_be_visible()


async def take_the_case(page: Page, title: str, scripts: bool) -> None:
    """Find the case of a thread among those that wait, and take it."""
    await page.goto("/moderation")
    await look(page, scripts)
    await open_the_case(page, title)
    if await main(page).get_by_role("button", name="Take this case").count():
        await press(page, "Take this case")


async def test_a_rude_reply_is_reported_decided_and_looked_at_again(house: House, scripts: bool) -> None:
    """The first founding page of the forum: what readers see, what the author reads, and who hears the appeal."""
    title = f"Does she have to come in? {scripts}"
    where = await ask(house, "tiredmum83", title, "She was at the door again.", board="kinship")
    async with house.visitor("member", java_script_enabled=scripts) as si:
        await si.goto(where)
        await si.fill("[name=body_markdown]", RUDE)
        await press(si, "Send")
        await si.wait_for_url("**done=sent**")
        await expect(si.locator("article", has_text=INSULT)).to_be_visible()
        async with house.visitor("tiredmum83", java_script_enabled=scripts) as mum:
            await mum.goto(where)
            await report(mum, INSULT, "rule", "He calls me names.", scripts)
        async with house.visitor("moderator", java_script_enabled=scripts) as orla:
            await take_the_case(orla, title, scripts)
            if not await orla.locator("[name=spans]").is_visible():
                await orla.locator("details:has([name=spans]) > summary").click()
            await orla.fill("[name=spans]", INSULT)
            await orla.locator("[name=rules][value='10']").check()
            await decide(orla, "redact", "Say what she did instead.", scripts)
        async with house.visitor(java_script_enabled=scripts) as reader:
            await reader.goto(where)
            await expect(reader.locator(".notice")).to_contain_text("Changed by Orla, a moderator. Read rule 10")
            assert INSULT not in await reader.content()
            await look(reader, scripts)
        await si.goto("/me/statements")
        await main(si).locator(".threads a").first.click()
        await expect(main(si)).to_contain_text("Say what she did instead.")
        await look(si, scripts)
        await main(si).locator("a[href$='/appeal']").click()
        await si.fill("[name=text]", "She did lie.")
        await look(si, scripts)
        await main(si).locator("form button.main").click()
        await expect(main(si)).to_contain_text("She did lie.")
        await expect(main(si)).to_contain_text("It waits for a moderator.")
        await _is_heard_by_somebody_else(house, title, scripts)
        await si.goto("/me/notices")
        await follow(si, "Somebody took a second look, as you asked.")
        await expect(main(si)).to_contain_text("The decision stays.")
        await expect(main(si)).to_contain_text("You may say that she lied. Call nobody names.")
        await look(si, scripts)


async def _is_heard_by_somebody_else(house: House, title: str, scripts: bool) -> None:
    """Orla decided, and cannot hear the appeal; Femi, who moderates the same board, can."""
    async with house.visitor("moderator", java_script_enabled=scripts) as orla:
        await orla.goto("/moderation?category=appeal")
        appeal = main(orla).get_by_role("link", name=title)
        if await appeal.count():
            await appeal.first.click()
            await expect(main(orla).get_by_role("button", name="Take this case")).to_have_count(0)
            await expect(main(orla).locator("[name=measures]")).to_have_count(0)
            await look(orla, scripts)
    async with house.visitor("femi", java_script_enabled=scripts) as femi:
        await take_the_case(femi, title, scripts)
        await expect(main(femi)).to_contain_text("She did lie.")
        await expect(main(femi)).to_contain_text("Orla had decided, with this reason:")
        await decide(femi, "uphold", "You may say that she lied. Call nobody names.", scripts)


async def test_what_happened_is_told_opened_and_marked_as_read(house: House, scripts: bool) -> None:
    who = "olu.t" if scripts else "magpie"
    where = await ask(house, "tiredmum83", f"What is a conference? {scripts}", "Do ring me: I am at my mum's.")
    async with house.visitor(who, java_script_enabled=scripts) as page:
        await page.goto("/me/notices")
        if await main(page).get_by_role("button", name="Mark all as read").count():
            await press(page, "Mark all as read")
        await expect(page.locator(".badge", has_text="New")).to_have_count(0)
        await look(page, scripts)
        await page.goto("/")
        await expect(main(page)).not_to_contain_text("Something happened that concerns you")
        await page.goto(where)
        await report(page, "Do ring me", "other", "She should not write where she is.", scripts)
        await page.goto("/")
        await follow(page, "Something happened that concerns you")
        await expect(page.locator(".card", has_text="We have your report.").locator(".badge")).to_have_text("New")
        await look(page, scripts)
        await follow(page, "We have your report.")
        await expect(main(page)).to_contain_text("She should not write where she is.")
        await look(page, scripts)
        await page.goto("/me/notices")
        await press(page, "Mark all as read")
        await expect(page.locator(".badge", has_text="New")).to_have_count(0)
        await expect(main(page)).to_contain_text("We have your report.")
        await page.goto("/")
        await expect(main(page)).not_to_contain_text("Something happened that concerns you")


async def test_a_safeguarding_lead_sees_danger_and_notes_who_was_told(house: House, scripts: bool) -> None:
    """The lead reads and notes; moderators decide; each sees what the other did."""
    title, done = f"I am so tired {scripts}", "Rang the out-of-hours team at 21.40. They go round tonight."
    author = "tiredmum83" if scripts else "twoundertwo"  # what one member writes in two hours is one case
    where = await ask(house, author, title, "I do not want to wake up any more.")
    async with house.visitor("biscuit_tin", java_script_enabled=scripts) as reader:
        await reader.goto(where)
        await report(reader, "wake up", "risk", "She means it.", scripts)
    async with (
        house.visitor("lead", java_script_enabled=scripts) as priya,
        house.visitor("moderator", java_script_enabled=scripts) as orla,
    ):
        await priya.goto("/")
        await priya.locator(".nav summary").click()
        await priya.get_by_role("link", name="Safeguarding").click()
        await look(priya, scripts)
        await open_the_case(priya, title)
        await expect(main(priya)).to_contain_text("I do not want to wake up any more [Words of somebody in danger].")
        await expect(main(priya)).to_contain_text("She means it.")
        await expect(main(priya)).to_contain_text("Orla was told that it cannot wait")
        await expect(main(priya).locator("[name=measures]")).to_have_count(0)
        await look(priya, scripts)
        await press(priya, "Keep this note")
        await expect(page_faults(priya)).to_be_visible()
        await look(priya, scripts)
        await priya.fill("[name=text]", done)
        await press(priya, "Keep this note")
        await expect(main(priya)).to_contain_text(done)
        await take_the_case(orla, title, scripts)
        await expect(main(orla)).to_contain_text(done)
        await decide(orla, "dismiss", "Help is on its way. The words stay.", scripts)
        await priya.goto("/safeguarding?state=decided")
        await look(priya, scripts)
        await open_the_case(priya, title)
        await expect(main(priya)).to_contain_text("Help is on its way. The words stay.")
        await look(priya, scripts)


async def test_a_grandmother_without_an_account_reports_and_reads_what_came_of_it(house: House, scripts: bool) -> None:
    title = f"Ask my mum {scripts}"
    where = await ask(house, "tiredmum83", title, "The woman with the red hair at the till told them everything.")
    async with house.visitor(java_script_enabled=scripts) as page:
        await page.goto(where)
        await page.get_by_role("link", name="Report a post").click()
        await look(page, scripts)
        await press(page, "Send")
        await expect(page_faults(page)).to_be_visible()
        await look(page, scripts)
        await page.fill("[name=post]", f"{house.address}{where}")
        await main(page).locator("[name=capacity][value=named]").check()
        await main(page).locator("[name=category][value=personal_information]").check()
        await page.fill("[name=text]", "That is me.")
        await press(page, "Send")
        await look(page, scripts)
        code = await main(page).locator("code").inner_text()
        assert code not in page.url
        async with house.visitor("moderator", java_script_enabled=scripts) as orla:
            await take_the_case(orla, title, scripts)
            await expect(main(orla)).to_contain_text("Somebody without an account")
            await orla.locator("details:has([name=rules]) > summary").click()
            await orla.locator("[name=rules][value='10']").check()
            await decide(orla, "remove", "It tells of somebody who is not here.", scripts)
        await press(page, "What came of it")
        await page.fill("[name=token]", code)
        await press(page, "Show")
        await expect(main(page)).to_contain_text("did something about it")
        assert code not in page.url
        await look(page, scripts)


async def test_words_survive_the_end_of_a_session(house: House, scripts: bool) -> None:
    where = await ask(house, "tiredmum83", f"I wrote for an hour {scripts}", "Hello.")
    words = "It took me an hour to write <this>."
    async with house.visitor("tiredmum83", java_script_enabled=scripts) as page:
        await page.goto(where)
        await page.fill("[name=body_markdown]", words)
        await page.context.clear_cookies()
        await press(page, "Send")
        await expect(main(page)).to_contain_text(words)
        await look(page, scripts)
        await page.fill("[name=login]", "tiredmum83")
        await page.fill("[name=password]", make.PASSWORD)
        await press(page, "Sign in")
        if await main(page).get_by_role("button", name="Send it now").count():
            await press(page, "Send it now")
        await page.goto(where)
        await expect(main(page)).to_contain_text(words)


async def test_four_taps_send_one_reply_and_back_does_not_send_again(house: House, scripts: bool) -> None:
    where = await ask(house, "tiredmum83", f"Four taps {scripts}", "Hello.")
    async with house.visitor("tiredmum83", java_script_enabled=scripts) as page:
        await page.goto("/")
        await page.goto(where)
        await page.fill("[name=body_markdown]", "Once and no more.")
        send = main(page).get_by_role("button", name="Send", exact=True)
        await asyncio.gather(*(send.click(no_wait_after=True, force=True) for _ in range(4)), return_exceptions=True)
        # Asked again and again, for each tap cuts off another. The last may meet the empty form of the page that came.
        await expect(page).to_have_url(re.compile("done=sent|/reply"))
        await _go_back(page)
        await page.go_forward()
        await page.goto(where)
        await expect(main(page).locator("article", has_text="Once and no more.")).to_have_count(1)


async def _go_back(page: Page) -> None:
    """Go back, though the answer to another tap may arrive in that moment and lead forward."""
    for _ in range(3):
        try:
            await page.go_back()
        except Error as error:
            if "ERR_ABORTED" not in error.message:
                raise
        else:
            return
    raise AssertionError("Back led nowhere, three times")


async def test_a_line_that_is_cut_keeps_the_words(house: House) -> None:
    """Only JavaScript can: without it the browser shows its own page, and the words are where Back leads."""
    where = await ask(house, "tiredmum83", "On the bus", "Hello.")

    async def cut(route: Route) -> None:
        await route.abort("internetdisconnected")

    async with house.visitor("tiredmum83") as page:
        for path, field in ((where, "[name=body_markdown]"), ("/contact", "[name=text]")):
            await page.goto(path)
            await page.fill(field, "Between two stops.")
            await page.context.route("**", cut)
            await press(page, "Send")
            await expect(main(page)).to_contain_text("You seem to be offline. Your words are still here.")
            assert await page.input_value(field) == "Between two stops."
            await page.context.unroute("**", cut)
            await press(page, "Send")
            await page.wait_for_url("**done=**")


async def test_somebody_is_asked_before_it_is_posted_and_decides(house: House, scripts: bool) -> None:
    where = await ask(house, "biscuit_tin", f"Who is awake {scripts}", "I am.")
    numbers = ["07700 900123", "07700 900456"]
    async with house.visitor("tiredmum83", java_script_enabled=scripts) as page:
        await page.goto(where)
        await page.fill("[name=body_markdown]", f"Ring me on {numbers[0]}, or on {numbers[1]}.")
        await press(page, "Send")
        await expect(main(page)).to_contain_text("Before you send it")
        await expect(main(page).locator("mark")).to_have_text(numbers)
        await look(page, scripts)
        assert await page.input_value("[name=body_markdown]") == f"Ring me on {numbers[0]}, or on {numbers[1]}."
        await page.fill("[name=body_markdown]", f"Ring me on {numbers[0]}, or mail sam@example.org.")
        await press(page, "Send what I changed")
        await expect(main(page).locator("mark")).to_have_text([numbers[0], "sam@example.org"])
        await page.fill("[name=body_markdown]", f"Ring me on {numbers[0]}.")
        await press(page, "Post it as it is")
        await page.wait_for_url("**done=sent**")
        await expect(main(page)).to_contain_text(f"Ring me on {numbers[0]}.")


async def test_a_cry_is_answered_with_help_and_so_is_whoever_is_told_to_harm_themselves(
    house: House, scripts: bool
) -> None:
    where = await ask(house, "biscuit_tin", f"Awake at three {scripts}", "Who else is up?")
    async with house.visitor("tiredmum83", java_script_enabled=scripts) as page:
        await page.goto(where)
        await page.fill("[name=body_markdown]", "I've taken the tablets. My number is 07700 900123.")
        await press(page, "Send")
        await expect(main(page).locator("h2").first).to_contain_text("ring 999 now")
        await expect(main(page).locator("a[href^='tel:']").first).to_have_text("Ring 999")
        await expect(main(page)).not_to_contain_text("Before you send it")
        await look(page, scripts)
        await press(page, "Go on to the thread")
        await expect(main(page)).to_contain_text("My number is 07700 900123.")
        await reply(house, "biscuit_tin", where, "Just go and kill yourself.", reply_to=2)
        await page.goto(where)
        await expect(main(page)).to_contain_text("Only you see this.")
        await look(page, scripts)
    async with house.visitor("biscuit_tin", java_script_enabled=scripts) as page:
        await page.goto(where)
        await expect(main(page)).to_contain_text("Just go and kill yourself.")
        await expect(main(page)).not_to_contain_text("Only you see this.")
        await page.goto("/help")
        await press(page, "Scotland")
        await expect(main(page)).to_contain_text("Who helps in Scotland")
        await expect(main(page).locator("a[href='tel:08000271234']").first).to_be_visible()
        await look(page, scripts)


async def test_an_edit_of_what_somebody_else_changed_shows_both(house: House, scripts: bool) -> None:
    where = await ask(house, "tiredmum83", f"Two phones {scripts}", "She came at nine.")
    async with (
        house.visitor("tiredmum83", java_script_enabled=scripts) as phone,
        house.visitor("tiredmum83", java_script_enabled=scripts) as other,
    ):
        for page in (phone, other):
            await page.goto(where)
            await main(page).locator("a[href$='/edit']").first.click()
        await other.fill("[name=body_markdown]", "She came at ten.")
        await press(other, "Send")
        await other.wait_for_url("**done=**")
        await phone.fill("[name=body_markdown]", "She came at nine, with a friend.")
        await press(phone, "Send")
        await expect(main(phone)).to_contain_text("What your text would change")
        await look(phone, scripts)
        assert await phone.input_value("[name=body_markdown]") == "She came at nine, with a friend."
        await press(phone, "Send")
        await expect(main(phone)).to_contain_text("She came at nine, with a friend.")


async def test_an_old_address_leads_on_to_its_comment(house: House, scripts: bool) -> None:
    thread = house.village.places["thread"]
    async with house.visitor(java_script_enabled=scripts) as page:
        await page.goto("/viewtopic.php?t=33#p77")
        await page.wait_for_url(f"**/threads/{thread}#{'post-1' if scripts else 'p77'}")
        await page.goto("/2019/05/what-now/#comment-4711")  # it did not move: the thread is all there is
        await page.wait_for_url(f"**/threads/{thread}{'' if scripts else '#comment-4711'}")


async def test_leaving_leads_away_and_back_shows_nothing_of_ours(house: House) -> None:
    async with house.visitor("tiredmum83") as page:
        await page.goto("about:blank")
        await page.goto(f"/threads/{house.village.places['thread']}")
        await page.get_by_role("button", name="Leave").click()
        await page.wait_for_url("**/static/**")
        await page.go_back()
        assert page.url == "about:blank"
        async with asyncio.timeout(10):  # the session ends, too: the page leads away without waiting for that
            while "/sign-in" not in page.url:
                await page.goto("/me")


async def test_leaving_works_without_scripts_and_three_escapes_do_with_them(house: House) -> None:
    async with house.visitor("tiredmum83", java_script_enabled=False) as page:
        await page.goto(f"/threads/{house.village.places['thread']}")
        await page.get_by_role("button", name="Leave").click()
        await page.wait_for_url("**/static/**")
        await page.goto("/me")
        assert "/sign-in" in page.url
    async with house.visitor() as page:
        await page.goto("/help")
        for _ in range(3):
            await page.keyboard.press("Escape")
        await page.wait_for_url("**/static/**")


async def test_a_member_of_staff_signs_in_with_a_code(house: House, scripts: bool) -> None:
    who = "marcus" if scripts else "femi"
    async with house.visitor(java_script_enabled=scripts) as page:
        await page.goto("/sign-in")
        await page.fill("[name=login]", who)
        await page.fill("[name=password]", make.PASSWORD)
        await press(page, "Sign in")
        await look(page, scripts)
        await page.fill("[name=code]", house.code_of(who))
        await main(page).locator("form button.main").first.click()
        await page.goto("/me")
        await expect(page.locator("h1")).to_be_visible()
        assert page.url.endswith("/me")


async def test_an_app_is_set_up_with_the_secret_on_the_page(house: House, scripts: bool) -> None:
    who = "grandad_ken" if scripts else "nana-bev"
    async with house.visitor(who, java_script_enabled=scripts) as page:
        await page.goto("/me/second-factor/app")
        if await main(page).locator("[name=code]").count() == 0:
            await main(page).locator("form button").first.click()
        await look(page, scripts)
        link = await main(page).locator("a[href^='otpauth:']").get_attribute("href")
        secret = re.search(r"secret=([A-Z2-7]+)", link or "")
        assert secret
        await page.fill("[name=code]", totp.current_code(secret[1], house.now()))
        await main(page).locator("form:has([name=code]) button").first.click()
        await look(page, scripts)
        await expect(main(page).locator("li, code, pre").first).to_be_visible()


async def test_a_passkey_is_made_and_signs_in_without_a_password(house: House) -> None:
    async with house.visitor("biscuit_tin") as page:
        device = await page.context.new_cdp_session(page)
        await device.send("WebAuthn.enable")
        about = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
        options = {**about, "isUserVerified": True, "automaticPresenceSimulation": True}
        await device.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        await page.goto("/me/passkeys/new")
        await page.fill("[name=name]", "My phone")
        await main(page).locator("form button").first.click()
        await expect(page.locator("h1")).to_have_text("Your recovery codes")
        await look(page, scripts=True)
        await page.context.clear_cookies()
        await page.goto("/sign-in")
        await main(page).get_by_role("button", name=re.compile("passkey", re.IGNORECASE)).click()
        await page.wait_for_url("**done=signed-in**")


async def test_signing_in_and_replying_takes_few_keys(house: House) -> None:
    """At most 25, besides what is typed."""
    where, keys = await ask(house, "tiredmum83", "By keyboard", "Hello."), 0
    async with house.visitor() as page:
        await page.goto(f"/sign-in?back={where}")

        async def until_focus(selector: str) -> None:
            nonlocal keys
            while not await page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
                await page.keyboard.press("Tab")
                keys += 1
                assert keys <= 25, selector

        async def enter() -> None:
            nonlocal keys
            await page.keyboard.press("Enter")
            keys += 1

        await until_focus("[name=login]")
        await page.keyboard.type("tiredmum83")
        await until_focus("[name=password]")
        await page.keyboard.type(make.PASSWORD)
        await enter()
        await page.wait_for_url(f"{house.address}{where}?done=signed-in")
        await page.wait_for_load_state()
        await until_focus("a.skip[href='#reply']")
        await enter()
        await until_focus("[name=body_markdown]")
        await page.keyboard.type("Typed without a mouse.")
        await page.keyboard.press("Control+Enter")
        keys += 1
        await page.wait_for_url("**done=sent**")
    assert keys <= 25


async def test_a_thread_of_twenty_posts_weighs_little_and_asks_nobody_else(house: House) -> None:
    where = await ask(house, "tiredmum83", "A long one", "Hello.")
    line = "We had the same letter, and it took three weeks until somebody rang us back. "
    await reply(house, "biscuit_tin", where, *(f"Reply {number}. {line * 4}" for number in range(19)))
    async with house.visitor() as page:
        session = await page.context.new_cdp_session(page)
        await session.send("Network.enable")
        sizes, asked = list[float](), list[str]()
        session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
        session.on("Network.requestWillBeSent", lambda event: asked.append(event["request"]["url"]))
        await page.goto(where)
        await page.wait_for_load_state("networkidle")
        assert len(asked) <= 4, asked
        assert all(url.startswith(house.address) for url in asked)
        assert sum(sizes) <= 30_000, sizes
        assert await page.evaluate("Object.keys(localStorage).length + Object.keys(sessionStorage).length") == 0
