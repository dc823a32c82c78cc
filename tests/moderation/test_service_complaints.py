"""Complaints about the service: from anybody, heard by somebody who did not decide what they are about."""

from datetime import timedelta
from typing import Any

import httpx
from fastapi import FastAPI

from forum.core import clock
from forum.core.settings import Settings
from forum.http.services import Services
from forum.members.departure import delete_belongings
from forum.members.tables import Role, Standing
from moderation.service_complaints import telling
from tests.moderation.test_public_reports import filed, kinds, progress
from tests.support import mailbox, make, scenes
from tests.support.jobs import clean_up
from tests.support.scenes import API, DISMISS, REMOVE, sql
from tests.web.support import fields_of, form, text_of

UNHEARD = "I reported it two weeks ago, and he still reads where we live."
ANSWER = {"outcome": "upheld", "answer": "You are right. It is taken out now, and we are sorry."}


async def complained(client: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    answer = await client.post(f"{API}/complaints", json={"about": "not_dealt_with", "text": UNHEARD, **changes})
    assert answer.status_code == 201, answer.text
    receipt: dict[str, Any] = answer.json()
    return receipt


async def waiting(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await client.get(f"{API}/moderation/complaints")).json()["items"]
    return items


async def test_words_of_danger_call_also_who_may_not_answer(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    tonight = "I have taken all my tablets and I am going to die tonight."
    async with (
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
        make.signed_in(app, "stepdad") as stepdad,
        make.signed_in(app, "magpie") as magpie,
    ):
        assert (await scenes.report(magpie, post.id)).status_code == 201
        await scenes.decide(joan, await scenes.a_case(joan, post.id), REMOVE)
        await mailbox.come(services)
        await complained(stepdad, about="own_content", text=tonight)
        assert [letter.to for letter in await mailbox.come(services)] == ["joan@example.org"]


async def test_a_complaint_about_a_report_is_answered_by_another_than_who_decided(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
    ):
        code = (await filed(guest, services, post.id))["token"]
        await scenes.decide(suzie, await scenes.a_case(suzie, post.id), DISMISS)
        receipt = await complained(guest, report_code=code, email="gran@example.org")
        assert (await progress(guest, receipt["token"], "complaints")).json()["outcome"] is None
        [hers], [his] = await waiting(suzie), await waiting(joan)
        assert (hers["case_id"], hers["author"], his["because"]) == (his["case_id"], None, None)
        assert "somebody else answers" in hers["because"]
        at = f"{API}/moderation/complaints/{his['id']}/answer"
        refused = await suzie.put(at, json=ANSWER)
        assert (refused.status_code, refused.json()["code"]) == (403, "complaint_about_own_decision")
        assert (await joan.put(at, json=ANSWER)).status_code == 204
        assert (await joan.put(at, json=ANSWER)).json()["code"] == "complaint_answered"
        assert await waiting(joan) == []
        for hearer in (suzie, joan):
            told = (await hearer.get(f"{API}/me/notifications")).json()["items"]
            assert not [one for one in told if one["kind"] == "service_complaint_waiting"]
    answer = (await progress(guest, receipt["token"], "complaints")).json()
    assert (answer["outcome"], answer["words"]) == ("upheld", ANSWER["answer"])
    subjects = sorted(letter.subject for letter in await mailbox.come(services) if letter.to == "gran@example.org")
    assert subjects == ["It has arrived", "There is an answer"]
    assert len(await sql(services, "SELECT 1 FROM audit_entry WHERE act = 'service_complaint.answered'")) == 1
    async with services.database.work() as session:
        await clean_up(session, clock.now() + timedelta(days=731))
    assert not await sql(services, "SELECT 1 FROM service_complaint")


async def test_a_member_in_any_standing_complains_and_is_told(app: FastAPI, services: Services) -> None:
    async with (
        make.signed_in(app, "heron") as heron,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        await make.sanction(services, "heron", Standing.BANNED)
        own = await complained(heron, about="own_content", text="I was banned for a joke.")
        assert "second look" in own["advice"]
        [item] = await waiting(orla)
        assert item["author"]["handle"] == "heron"
        assert (await orla.put(f"{API}/moderation/complaints/{item['id']}/answer", json=ANSWER)).status_code == 204
        [mine] = (await heron.get(f"{API}/complaints")).json()["items"]
        assert mine["words"] == ANSWER["answer"]
        told = [one["kind"] for one in (await heron.get(f"{API}/me/notifications")).json()["items"]]
        assert "service_complaint_answered" in told
        assert ANSWER["answer"] in (await heron.get("/complaints")).text
        assert (await heron.get(f"{API}/moderation/complaints")).status_code == 403
    [heron_id] = await sql(services, "SELECT id FROM member WHERE handle = 'heron'")
    async with services.database.work() as session:
        await delete_belongings(session, heron_id.id)
    assert not await sql(services, "SELECT 1 FROM service_complaint")


async def test_only_ones_own_report_can_be_complained_of_and_ones_own_complaint_not_answered(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "heron") as heron,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        report_id = (await scenes.report(magpie, post.id)).json()["id"]
        about = {"about": "not_dealt_with", "text": UNHEARD, "report_id": report_id}
        for client in (heron, guest):
            refused = await client.post(f"{API}/complaints", json=about)
            assert (refused.status_code, refused.json()["code"]) == (422, "report_not_found")
        unknown = await guest.post(f"{API}/complaints", json={**about, "report_id": None, "report_code": "x" * 43})
        assert (unknown.status_code, unknown.json()["code"]) == (422, "code_not_known")
        page = await magpie.get(f"/complaints?report={report_id}")
        refused = await form(magpie, page, "/complaints", text="")
        assert (refused.status_code, fields_of(refused.text, "/complaints")["report_id"]) == (422, report_id)
        refused = await form(magpie, page, "/complaints", text="", report_id="")  # it was not ticked
        assert "report_id" not in fields_of(refused.text, "/complaints")
        assert f'value="{report_id}"' in refused.text
        await complained(magpie, report_id=report_id)
        urgent = await complained(orla, about="screening", text="I want to kill myself tonight.")
        assert urgent["help"]["level"] == "acute"
        first, second = await waiting(orla)
        assert (first["is_urgent"], second["is_urgent"]) == (True, False)
        assert first["because"] == "You made this complaint yourself: somebody else answers it."
        assert (await guest.get(f"{API}/complaints")).status_code == 401
        assert (await progress(guest, urgent["token"])).status_code == 404


async def test_nobody_hears_of_a_complaint_about_a_report_on_them_nor_answers_what_they_decided(
    app: FastAPI, services: Services
) -> None:
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
        make.signed_in(app, "zoe", Role.ADMINISTRATOR) as zoe,
        make.signed_in(app, "magpie") as magpie,
    ):
        post = await scenes.a_post(services, author="suzie")
        report_id = (await scenes.report(magpie, post.id)).json()["id"]
        await complained(magpie, report_id=report_id, email="magpie@example.org")
        assert [row.email for row in await sql(services, "SELECT email FROM service_complaint")] == [None]
        [item] = await waiting(orla)
        assert await waiting(suzie) == []
        at = f"{API}/moderation/complaints/{item['id']}"
        assert (await suzie.put(f"{at}/answer", json=ANSWER)).status_code == 404
        assert (await suzie.get(at.removeprefix(API))).status_code == 404
        assert "service_complaint_waiting" not in await kinds(suzie)
        # Whoever heard the second look decided it, too.
        await scenes.decide(joan, await scenes.a_case(joan, post.id), REMOVE)
        [statement] = (await suzie.get(f"{API}/me/statements")).json()["items"]
        await scenes.appeal(suzie, statement["id"])
        heard = await scenes.hear(zoe, (await scenes.a_case(zoe, post.id, "appeal"))["id"], "uphold")
        assert heard.status_code == 201, heard.text
        await complained(magpie, report_id=report_id)
        await complained(suzie, about="own_content")
        assert [bool(one["because"]) for one in await waiting(orla)] == [False] * 3
        assert [bool(one["because"]) for one in await waiting(joan)] == [False, True, True]
        assert [bool(one["because"]) for one in await waiting(zoe)] == [False, True, True]


async def test_where_everybody_has_a_part_the_receipt_names_somebody_outside_and_the_next_one_is_told(
    settings: Settings,
) -> None:
    named = settings.model_copy(update={"outside_contact": "The trustees: 020 7946 0000"})
    async with make.application(named) as app:
        services: Services = app.state.services
        await scenes.house_rules(services)
        post = await scenes.a_post(services)
        async with (
            make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
            make.signed_in(app, "stepdad") as stepdad,
            make.signed_in(app, "magpie") as magpie,
        ):
            await scenes.report(magpie, post.id)
            await scenes.decide(joan, await scenes.a_case(joan, post.id), REMOVE)
            receipt = await complained(stepdad, about="own_content")
            assert receipt["outside_contact"] == "The trustees: 020 7946 0000"
            page = await form(
                stepdad, await stepdad.get("/complaints"), "/complaints", about="own_content", text=UNHEARD
            )
            assert "020 7946 0000" in text_of(page.text)
            assert [one for one in await kinds(joan) if "complaint" in one] == ["service_complaint_without_hearer"] * 2
            async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
                for days in (1, 15, 16):
                    async with services.database.work() as session:
                        await telling.remind(session, {}, clock.now() + timedelta(days=days))
                assert await kinds(orla) == ["service_complaint_waiting"]
                assert [one for one in await kinds(joan) if "complaint" in one] == ["service_complaint_overdue"] * 2
        async with services.database.work() as session:
            await delete_belongings(session, (await make.viewer(services, "stepdad")).member_id)
            await clean_up(session, clock.now())
        assert not await sql(services, "SELECT 1 FROM notification WHERE kind LIKE 'service_complaint%'")
