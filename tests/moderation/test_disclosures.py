"""Emergency disclosure: an address is shown with a reason, on the record, and a second person is told."""

from fastapi import FastAPI

from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role
from moderation import disclosures
from tests.support import make, scenes
from tests.support.scenes import API, sql
from tests.web.support import form, text_of

CRY = "I've taken the tablets. It is over soon."
WISH = {"reason": "She took tablets an hour ago.", "recipient": "The police", "reference": "Log 412"}


async def test_an_address_is_shown_on_the_record_and_another_is_told(app: FastAPI, services: Services) -> None:
    await make.board(services)
    thread = await make.thread(services, await scenes.known(services, "heron"))
    async with (
        make.signed_in(app, "wren") as wren,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        for words in (CRY, "My number is 07700 900123."):
            author = wren if words == CRY else orla
            await author.post(f"{API}/threads/{thread}/posts", json={"body_markdown": words})
        [case] = [one["id"] for one in (await suzie.get(f"{API}/moderation/cases")).json()["items"]]
        path, key = f"{API}/moderation/cases/{case}/disclosures", {"Idempotency-Key": "once"}
        assert (await wren.post(path, json=WISH)).json()["code"] == "not_a_moderator"
        assert (await suzie.post(path, json=WISH | {"reason": ""})).status_code == 422
        for _ in range(2):
            shown = await suzie.post(path, json=WISH, headers=key)
            assert (shown.status_code, shown.json()) == (201, {"email": "wren@example.org", "told": 1})
        [note] = (await orla.get(f"{API}/moderation/cases/{case}")).json()["notes"]
        assert note["text"].startswith("The e-mail address was shown, for The police (Log 412): She took")
        log = (await orla.get(f"{API}/moderation/log?subject_kind=case&subject_id={case}")).json()["items"]
        assert (log[0]["act"], set(log[0]["details"])) == ("address.disclosed", {"note"})
        told = await sql(
            services,
            "SELECT handle FROM notification JOIN member ON member.id = member_id WHERE kind = 'address_disclosed'",
        )
        assert [row.handle for row in told] == ["orla"]
        exempt = WISH | {"exemption": "Data Protection Act 2018, Schedule 2, paragraph 2"}
        assert (await suzie.post(path, json=exempt)).status_code == 201
        async with services.database.work() as session:
            [section] = await disclosures.export_own(session, await make.viewer(services, "wren"), clock.now())
        assert [(one["recipient"], one["ground"]) for one in section.items] == [("The police", disclosures.GROUND)]


async def test_where_nobody_else_says_that_there_is_a_danger_administrators_are_told(
    app: FastAPI, services: Services
) -> None:
    post = await scenes.a_post(services, "She never came home.")
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        await make.member(services, "orla", Role.MODERATOR)
        danger = {"category": "risk", "rules": [], "note": "She is in danger."}
        assert (await scenes.report(suzie, post.id, **danger)).status_code == 201
        [case] = [one["id"] for one in (await suzie.get(f"{API}/moderation/cases")).json()["items"]]
        path = f"{API}/moderation/cases/{case}/disclosures"
        assert (await suzie.post(path, json=WISH)).json()["told"] == 1
        await make.member(services, "joan", Role.ADMINISTRATOR)
        assert (await suzie.post(path, json=WISH)).json()["told"] == 2
        async with make.signed_in(app, "magpie") as magpie:
            assert (await scenes.report(magpie, post.id, **danger)).status_code == 201
        assert (await suzie.post(path, json=WISH)).json()["told"] == 1


async def test_the_page_shows_the_address_once_and_none_where_nobody_is_in_danger(
    app: FastAPI, services: Services
) -> None:
    await scenes.a_post(services)
    async with make.signed_in(app, "wren") as wren, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        await wren.post(f"{API}/boards/new-here/threads", json={"title": "I cannot sleep", "body_markdown": CRY})
        [case] = [one["id"] for one in (await suzie.get(f"{API}/moderation/cases")).json()["items"]]
        path = f"/moderation/cases/{case}/address"
        assert f'href="{path}"' in (await suzie.get(f"/moderation/cases/{case}")).text
        page = await suzie.get(path)
        assert "wren@example.org" not in page.text
        shown = await form(suzie, page, path, **WISH)
        assert "wren@example.org" in text_of(shown.text)
        assert shown.headers["Cache-Control"] == "no-store"
        assert (await scenes.report(wren, 2)).status_code == 201
        other = next(
            one["id"]
            for one in (await suzie.get(f"{API}/moderation/cases")).json()["items"]
            if one["category"] == "rule"
        )
        refused = await suzie.post(f"{API}/moderation/cases/{other}/disclosures", json=WISH)
        assert (refused.status_code, refused.json()["code"]) == (409, "no_acute_danger")
        assert "stays closed" in text_of((await suzie.get(f"/moderation/cases/{other}/address")).text)
