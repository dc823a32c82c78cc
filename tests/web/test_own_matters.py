"""What was decided about oneself, what one reported, and talks with moderators: on pages, also for those shut out."""

import re
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.http.services import Services
from forum.members.tables import Role, Standing
from tests.support import make, scenes
from tests.web.support import form, text_of

API = "/api/v1"
NOBODY = "0197d2e5-5a3c-7c4e-9a61-2f6f3f0f9b1d"


@pytest.fixture
async def statement(app: FastAPI, services: Services) -> str:
    """A statement to stepdad: orla took words out that heron reported; joan administers."""
    await scenes.house_rules(services)
    await make.member(services, "joan", Role.ADMINISTRATOR)
    post = await scenes.a_post(services)
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "orla", Role.MODERATOR) as orla:
        assert (await scenes.report(heron, post.id)).status_code == 201
        case = await scenes.a_case(orla, post.id)
        decided = await scenes.decide(orla, case, scenes.REDACT)
        assert decided.status_code == 201, decided.text
        return str(decided.json()["statement_id"])


async def test_an_author_reads_why_and_asks_for_a_second_look(app: FastAPI, statement: str) -> None:
    async with make.signed_in(app, "stepdad") as stepdad, make.signed_in(app, "heron") as heron:
        notices = await stepdad.get("/me/notices")
        assert f"/me/statements/{statement}" in notices.text
        listed = await stepdad.get("/me/statements")
        assert "Some words of your post are taken out" in text_of(listed.text)
        page = await stepdad.get(f"/me/statements/{statement}")
        assert page.status_code == 200
        assert "a lying toad" in text_of(page.text)
        assert "Rule 10" in text_of(page.text)
        assert (await heron.get(f"/me/statements/{statement}")).status_code == 404

        way = f"/me/statements/{statement}/appeal"
        asking = await stepdad.get(way)
        empty = await form(stepdad, asking, way, text="")
        assert empty.status_code == 422
        words = "I said what she did,\r\nand I was tired."
        sent = [await form(stepdad, asking, way, text=words) for _ in range(2)]  # two taps
        assert {answer.headers["Location"] for answer in sent} == {f"/me/statements/{statement}?done=appealed"}
        another = await form(stepdad, asking, way, text="And one more thing that I have to say about it.")
        assert another.status_code == 409
        assert "one more thing" in text_of(another.text)  # what was written is still there
        page = await stepdad.get(f"/me/statements/{statement}")
        assert "and I was tired" in text_of(page.text)
        assert "It waits for" in text_of(page.text)
        assert way not in page.text


async def test_what_came_of_a_second_look_is_found_from_what_happened(app: FastAPI, statement: str) -> None:
    async with make.signed_in(app, "stepdad") as stepdad, make.signed_in(app, "joan") as joan:
        way = f"/me/statements/{statement}/appeal"
        await form(stepdad, await stepdad.get(way), way, text="It was not meant so.")
        cases = (await joan.get(f"{API}/moderation/cases")).json()["items"]
        heard = await scenes.hear(joan, cases[0]["id"], "overturn")
        assert heard.status_code == 201, heard.text
        found = re.search(r'href="(/me/appeals/[^"]+)"', (await stepdad.get("/me/notices")).text)
        assert found
        leads = await stepdad.get(found[1])
        assert leads.headers["Location"] == f"/me/statements/{statement}#appeal"
        assert "The decision was undone" in text_of((await stepdad.get(f"/me/statements/{statement}")).text)
        assert (await stepdad.get(f"/me/appeals/{NOBODY}")).status_code == 404
        assert (await joan.get(found[1])).status_code == 404


async def test_somebody_shut_out_reads_and_asks(app: FastAPI, services: Services, statement: str) -> None:
    async with make.signed_in(app, "stepdad") as stepdad:
        await make.sanction(services, "stepdad", Standing.SUSPENDED)
        way = f"/me/statements/{statement}/appeal"
        asked = await form(stepdad, await stepdad.get(way), way, text="Please look again.")
        assert asked.status_code == 303, text_of(asked.text)
        for path in ("/me/talks", "/me/reports", "/me/complaints", "/me/statements"):
            assert (await stepdad.get(path)).status_code == 200


async def test_a_reporter_sees_what_came_of_it(app: FastAPI, services: Services) -> None:
    await scenes.house_rules(services)
    await make.member(services, "joan", Role.ADMINISTRATOR)
    post = await scenes.a_post(services)
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "orla", Role.MODERATOR) as orla:
        reported = (await scenes.report(heron, post.id, note="It hurts <me>")).json()
        page = await heron.get("/me/reports")
        assert "It hurts <me>" in text_of(page.text)
        assert "It waits for" in text_of(page.text)
        way = f"/me/reports/{reported['id']}/appeal"
        early = await heron.get(way)
        assert early.status_code == 200
        assert f'action="{way}"' not in early.text
        dismissed = await scenes.decide(orla, await scenes.a_case(orla, post.id), scenes.DISMISS)
        assert dismissed.status_code == 201, dismissed.text
        assert "left it as it is" in text_of((await heron.get("/me/reports")).text)
        asked = await form(heron, await heron.get(way), way, text="It still hurts.")
        assert asked.headers["Location"] == f"/me/reports?done=appealed#report-{reported['id']}"
        assert "It still hurts" in text_of((await heron.get("/me/reports")).text)
        assert (await orla.get(way)).status_code == 404


async def test_a_member_answers_a_moderator_and_complains(app: FastAPI, services: Services) -> None:
    await scenes.house_rules(services)
    post = await scenes.a_post(services)
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "orla", Role.MODERATOR) as orla:
        await scenes.report(heron, post.id)
        case = await scenes.a_case(orla, post.id)
        asked = await said(
            orla.post(f"{API}/moderation/cases/{case['id']}/talks", json={"text": "Are <you> safe?", "signed": True})
        )
        async with make.signed_in(app, "stepdad") as stepdad:
            found = re.search(r'href="(/me/talks/[^"]+)"', (await stepdad.get("/me/notices")).text)
            assert found
            page = await stepdad.get(found[1])
            assert "Are <you> safe?" in text_of(page.text)
            assert "Orla, a moderator" in text_of(page.text)
            for _ in range(2):  # two taps
                answered = await form(stepdad, page, found[1], text="I am, thank you.")
                assert answered.headers["Location"] == f"{found[1]}?done=answered"
            page = await stepdad.get(found[1])
            assert text_of(page.text).count("I am, thank you.") == 1
            assert "2 messages" in text_of((await stepdad.get("/me/talks")).text)
            complaint = re.search(r'href="(/me/talks/[^"]+/complaint\?message=[^"]+)"', page.text)
            assert complaint
            asking = await stepdad.get(complaint[1])
            assert "Are <you> safe?" in text_of(asking.text)
            way = complaint[1].partition("?")[0]
            done = await form(stepdad, asking, way, text="She laughs at me.")
            assert done.headers["Location"] == f"{found[1]}?done=complained"
            assert "She laughs at me." in text_of((await stepdad.get("/me/complaints")).text)
            nothing = await stepdad.get(f"{way}?message={NOBODY}")
            assert "choose a message" in text_of(nothing.text)
            assert (await heron.get(found[1])).status_code == 404
            await orla.put(f"{API}/moderation/talks/{asked['talk_id']}/closure")
            words = "Is anybody there? I have more to say."
            late = await form(stepdad, page, found[1], text=words)
            assert late.status_code == 409
            assert words in text_of(late.text)


async def said(asking: Any) -> dict[str, Any]:
    answer: httpx.Response = await asking
    assert answer.is_success, answer.text
    result: dict[str, Any] = answer.json()
    return result
