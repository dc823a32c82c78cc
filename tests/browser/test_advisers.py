"""Advisers in a real browser, with JavaScript and without: two of them, one list, nothing collides."""

import re

from playwright.async_api import expect

from tests.browser.house import House
from tests.browser.steps import ask, follow, look, main, press


async def test_an_adviser_claims_from_the_row_and_another_sees_it(house: House, scripts: bool) -> None:
    title = f"Do we have to let them in? {scripts}"
    where = await ask(house, "tiredmum83", title, "They are at the door.", board="kinship")
    async with (
        house.visitor("adviser", java_script_enabled=scripts) as suzie,
        house.visitor("marcus", java_script_enabled=scripts) as marcus,
        house.visitor("tiredmum83", java_script_enabled=scripts) as mum,
    ):
        await suzie.goto("/advising?board=kinship")
        row = main(suzie).locator("li.card", has_text=title)
        await row.get_by_role("button", name="I will answer").click()
        await expect(main(suzie).locator("li.card", has_text=title)).to_have_count(0)
        await follow(suzie, "You will answer")
        await look(suzie, scripts)
        await marcus.goto("/advising?lane=claimed")
        await expect(main(marcus).locator("li.card", has_text=title)).to_contain_text("Suzie keeps this thread")
        await marcus.goto(where)
        await expect(main(marcus)).to_contain_text("Suzie keeps this thread")
        row = main(suzie).locator("li.card", has_text=title)
        await row.get_by_role("link", name="Answer post 1").click()
        await suzie.fill("[name=body_markdown]", "No, you may ask them to come another day.")
        await press(suzie, "Send")
        await suzie.wait_for_url("**done=sent**")
        await mum.goto(where)
        await mum.fill("[name=body_markdown]", "But what if they come at night")
        await mum.select_option("[name=asks]", "yes")
        await press(mum, "Send")
        await mum.wait_for_url("**done=sent**")
        await marcus.goto("/advising?board=kinship")
        await expect(main(marcus).locator("li.card", has_text=title)).to_contain_text("But what if they come at night")
        await mum.goto(where)
        await look(mum, scripts)
        await press(mum, "Yes, this helped")
        await marcus.reload()
        await expect(main(marcus).locator("li.card", has_text=title)).to_have_count(0)


async def test_an_adviser_answers_with_a_template_and_attaches_a_place_of_help(house: House, scripts: bool) -> None:
    title = f"Who comes to a conference? {scripts}"
    where = await ask(house, "tiredmum83", title, "It is on Thursday.", board="kinship")
    async with (
        house.visitor("adviser", java_script_enabled=scripts) as suzie,
        house.visitor("tiredmum83", java_script_enabled=scripts) as mum,
    ):
        await suzie.goto(where)
        await suzie.fill("[name=body_markdown]", "Hello you,")
        await press(suzie, "Begin with a template")
        await suzie.wait_for_url("**/reply**")
        await suzie.get_by_text("Begin with a template").click()
        await suzie.select_option("[name=template]", label="Before a first child protection conference")
        await press(suzie, "Put it in")
        await expect(suzie.locator("[name=body_markdown]")).to_have_value(re.compile("Hello you,.*A first conf", re.S))
        await look(suzie, scripts)
        words = await suzie.input_value("[name=body_markdown]")
        await suzie.fill("[name=body_markdown]", re.sub(r"\{link:.*?\}", "https://example.org/", words))
        await press(suzie, "Send")
        await suzie.wait_for_url("**done=sent**")
        await suzie.goto(f"{where}/resources")
        await suzie.select_option("[name=resource]", index=1)
        name = (await suzie.locator("[name=resource] option:checked").inner_text()).partition(" · ")[0]
        await press(suzie, "Show it here")
        await look(suzie, scripts)
        await mum.goto(where)
        await expect(main(mum)).to_contain_text("A first conference is frightening")
        await expect(main(mum)).to_contain_text(name)
        await look(mum, scripts)
