"""The pages of watched terms: tried, written, changed and switched off by administrators, read by moderators."""

from fastapi import FastAPI

from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make, scenes
from tests.support.scenes import API
from tests.web.support import form, text_of

PATH = "/moderation/terms"


async def test_an_administrator_tries_a_term_and_watches_for_it(app: FastAPI, services: Services) -> None:
    await scenes.house_rules(services)
    await make.board(services)
    await make.member(services, "magpie")
    await make.thread(services, "magpie", title="About a scrounger", body="Hello")
    async with (
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "wren") as wren,
    ):
        page = await joan.get(PATH)
        assert "No term is watched for" in text_of(page.text)
        term = {"kind": "word", "text": "scrounger", "effect": "hold", "note": "The troll of May"}
        tried = await form(joan, page, f"{PATH}/trial", **term)
        said = text_of(tried.text)
        assert tried.status_code == 200
        assert "It is in one of the last 1 posts" in said
        assert "Post 1 in “About a scrounger”" in said
        assert (await joan.get(f"{API}/moderation/terms")).json()["items"] == []
        wrong = await form(joan, page, PATH, **(term | {"kind": "pattern", "text": "a(?=b)"}))
        assert wrong.status_code == 422
        assert "A pattern cannot look ahead or behind" in text_of(wrong.text)
        # What was tried is still in the form.
        assert (await form(joan, tried, PATH)).status_code == 303
        opened = {"title": "A question", "body_markdown": "You scr0unger"}
        held = (await wren.post(f"{API}/boards/new-here/threads", json=opened)).json()["first_post"]
        case = await scenes.a_case(suzie, held["id"])
        screen = text_of((await suzie.get(f"/moderation/cases/{case['id']}")).text)
        assert "scr0unger [A watched term]" in screen
        assert "Watched term: scrounger · The troll of May" in screen
        shown = await suzie.get(PATH)
        assert "Found in one case" in text_of(shown.text)
        assert f'action="{PATH}"' not in shown.text
        [watched] = (await joan.get(f"{API}/moderation/terms")).json()["items"]
        address = f"{PATH}/{watched['id']}"
        change = await form(joan, await joan.get(address), address, effect="case")
        assert change.status_code == 303
        stale = await form(joan, await joan.get(address), address, version="1", effect="point_out")
        assert stale.status_code == 409
        assert "Joan was here meanwhile" in text_of(stale.text)
        assert (await form(joan, await joan.get(address), f"{address}/off")).status_code == 303
        assert "It is not watched for now" in text_of((await suzie.get(address)).text)
        assert (await wren.get(PATH)).status_code == 403
        assert "scrounger" not in (await wren.get(f"/threads/{held['thread_id']}")).text.replace("scr0unger", "")
