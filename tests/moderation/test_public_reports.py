"""Reports that need no account: filed by anybody, the same answer whatever the post, and found by its case."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.core import clock
from forum.core.settings import Settings
from forum.http.services import Services
from forum.members.tables import Role
from moderation.public_reports import actions
from moderation.public_reports.post_links import MeantPost, place_of
from tests.support import mailbox, make, scenes
from tests.support.jobs import clean_up, run_due_jobs
from tests.support.scenes import API, DISMISS, REMOVE, sql
from tests.web.support import form, text_of

SITE = "https://forum.test"
NAMED = "My grandson Tom is named in it, with his school."
DANGER = "I want to kill myself tonight."


def a_report(post: object, **changes: Any) -> dict[str, Any]:
    return {
        "post": str(post),
        "capacity": "parent_or_carer",
        "category": "personal_information",
        "text": NAMED,
        **changes,
    }


async def filed(client: httpx.AsyncClient, services: Services, post: object, **changes: Any) -> dict[str, Any]:
    """The receipt of a report whose post was looked for."""
    answer = await client.post(f"{API}/reports", json=a_report(post, **changes))
    assert answer.status_code == 201, answer.text
    await run_due_jobs(services, clock.now())
    receipt: dict[str, Any] = answer.json()
    return receipt


async def kinds(client: httpx.AsyncClient) -> list[str]:
    """What somebody was told of."""
    return [one["kind"] for one in (await client.get(f"{API}/me/notifications")).json()["items"]]


async def progress(client: httpx.AsyncClient, token: str, of: str = "reports") -> httpx.Response:
    return await client.post(f"{API}/{of}/progress", json={"token": token})


def test_a_link_or_a_number_says_which_post_is_meant() -> None:
    known = {
        "4711": MeantPost(4711),
        " #4711 ": MeantPost(4711),
        "/posts/4711": MeantPost(4711),
        f"{SITE}/posts/4711/report": MeantPost(4711),
        f"{SITE}/api/v1/posts/4711": MeantPost(4711),
        "forum.test/posts/4711": MeantPost(4711),
        f"{SITE}/threads/42": MeantPost(None, 42, 1),
        f"{SITE}/threads/42?start=21#post-23": MeantPost(None, 42, 23),
        f"{SITE}/threads/42?start=21": MeantPost(None, 42, 21),
        f"{SITE}/threads/42#content": MeantPost(None, 42, 1),
    }
    assert {typed: place_of(typed, SITE) for typed in known} == known
    unknown = (
        "",
        "the one about the swings",
        "https://other.test/posts/4711",
        "9" * 40,
        "/posts/x",
        "//[",
        "-1",
        "１２",
    )
    assert {place_of(typed, SITE) for typed in unknown[:-1]} == {None}
    assert place_of(unknown[-1], SITE) == MeantPost(12)


async def test_a_guest_is_answered_alike_whatever_the_post(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    shown = await scenes.a_post(services)
    await make.board(services, "members-only", readers=("member",))
    hidden = await scenes.a_post(services, slug="members-only")
    site = services.settings.public_url
    asked = [f"{site}/posts/{shown.id}", f"{site}/posts/{hidden.id}", f"{site}/posts/999999", "I do not know"]
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        receipts = [await filed(guest, services, post) for post in asked]
        said = [receipt | {"token": "", "due_at": ""} for receipt in receipts]
        assert said == [said[0]] * 4
        answers = [(await progress(guest, receipt["token"])).json() for receipt in receipts]
        alike = [answer | {"sent_at": "", "due_at": ""} for answer in answers]
        assert alike == [alike[0]] * 4
        assert alike[0]["outcome"] is None
        for post in (shown, hidden):
            [reported] = (await scenes.a_case(suzie, post.id))["reported"]
            assert (reported["by"], reported["capacity"], reported["note"]) == (None, "parent_or_carer", NAMED)
        waiting = (await suzie.get(f"{API}/moderation/reports")).json()["items"]
        assert [one["post"] for one in waiting] == asked[2:]
        told = (await suzie.get(f"{API}/me/notifications")).json()["items"]
        assert [one["kind"] for one in told if one["kind"].startswith("public")] == ["public_report_waiting"]


async def test_what_came_of_it_is_read_with_the_code_and_said_by_mail(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    post = await scenes.a_post(services)
    receipt = await filed(guest, services, post.id, email="gran@example.org")
    [arrived] = await mailbox.come(services)
    assert (arrived.to, arrived.subject) == ("gran@example.org", "It has arrived")
    assert receipt["token"] not in arrived.words
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        assert (await scenes.decide(suzie, await scenes.a_case(suzie, post.id), REMOVE)).status_code == 201
    answer = (await progress(guest, receipt["token"].replace("-", " ").lower())).json()  # as people write it
    assert answer["outcome"] == "upheld"
    assert "did something about it" in answer["words"]
    [letter] = await mailbox.come(services)
    assert letter.subject == "There is an answer"
    assert not any(word in letter.words for word in ("report", "Tom", receipt["token"]))
    assert [row.email for row in await sql(services, "SELECT email FROM public_report")] == [None]
    [row] = await sql(services, "SELECT * FROM public_report")
    assert receipt["token"] not in str(row)
    # Decided already: the next one hears at once.
    again = await filed(guest, services, post.id)
    assert (await progress(guest, again["token"])).json()["outcome"] is None  # it is gone: somebody answers
    async with services.database.work() as session:
        await clean_up(session, clock.now() + timedelta(days=181))
    assert [row.note for row in await sql(services, "SELECT note FROM report")] == [""]
    assert (await progress(guest, receipt["token"])).json()["code"] == "code_not_known"


async def test_a_report_of_words_that_were_decided_on_waits_until_somebody_looks(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    post = await scenes.a_post(services)
    await filed(guest, services, post.id, text=DANGER)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "boss", Role.ADMINISTRATOR) as boss,
    ):
        await scenes.decide(suzie, await scenes.a_case(suzie, post.id), DISMISS)
        again = await filed(guest, services, post.id, text=DANGER)
        assert (await progress(guest, again["token"])).json()["outcome"] is None
        mine = await filed(suzie, services, post.id)
        assert "public_report_urgent" in await kinds(suzie)
        theirs, own = (await suzie.get(f"{API}/moderation/reports")).json()["items"]
        assert (theirs["because"], own["because"]) == (None, "You reported this: somebody else decides.")
        # Administrators hear once of what waits longer than was promised.
        for hours in (2, 200, 201):
            async with services.database.work() as session:
                await actions.remind(session, {}, clock.now() + timedelta(hours=hours))
        assert (await kinds(boss)).count("public_report_overdue") == 2
        at = f"{API}/moderation/reports"
        answer = {"outcome": "dismissed", "answer": "Somebody rang them."}
        assert (await suzie.put(f"{at}/{own['id']}/answer", json=answer)).json()["code"] == "own_report"
        assert (await suzie.put(f"{at}/{own['id']}/post", json={"post_id": post.id})).status_code == 204
        assert (await progress(guest, mine["token"])).json()["outcome"] == "dismissed"
        assert len(await sql(services, "SELECT 1 FROM case_recusal")) == 1
        assert await sql(services, "SELECT filed_by FROM public_report WHERE filed_by IS NOT NULL") == []
        assert (await suzie.put(f"{at}/{theirs['id']}/answer", json=answer)).status_code == 204
        assert not [kind for kind in await kinds(boss) if kind.startswith("public_report")]


async def test_two_taps_with_a_key_are_one_report_and_another_text_is_refused(
    services: Services, guest: httpx.AsyncClient
) -> None:
    key = {"Idempotency-Key": "7f3a0197c25b4d8e9a61f0d2b48c6e35"}
    both = await asyncio.gather(*(guest.post(f"{API}/reports", json=a_report(1), headers=key) for _ in range(2)))
    assert [answer.status_code for answer in both] == [201, 201]
    assert both[0].json()["token"] == both[1].json()["token"]
    assert len(await sql(services, "SELECT 1 FROM public_report")) == 1
    other = await guest.post(f"{API}/reports", json=a_report(2), headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_words_of_danger_are_answered_with_help_and_call(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        receipt = await filed(guest, services, post.id, text=DANGER)
        assert receipt["help"]["level"] == "acute"
        assert (await scenes.a_case(suzie, post.id))["category"] == "risk"
        assert (await filed(guest, services, "nowhere", text=DANGER))["help"]
        kinds = {one["kind"] for one in (await suzie.get(f"{API}/me/notifications")).json()["items"]}
        assert {"case_urgent", "public_report_urgent"} <= kinds
        urgent = [letter.subject for letter in await mailbox.come(services) if letter.to.startswith("suzie")]
        assert urgent == ["Please look at once"] * 2


async def test_a_moderator_finds_the_post_or_answers(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    post = await scenes.a_post(services)
    first, second = [await filed(guest, services, "the one about the car", text=text) for text in ("One.", "Two.")]
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie, make.signed_in(app, "heron") as heron:
        assert (await heron.get(f"{API}/moderation/reports")).status_code == 403
        ids = [one["id"] for one in (await suzie.get(f"{API}/moderation/reports")).json()["items"]]
        at = [f"{API}/moderation/reports/{report_id}" for report_id in ids]
        assert (await suzie.put(f"{at[0]}/post", json={"post_id": 999999})).json()["code"] == "post_not_found"
        assert (await suzie.put(f"{at[0]}/post", json={"post_id": post.id})).status_code == 204
        assert (await suzie.put(f"{at[0]}/post", json={"post_id": post.id})).json()["code"] == "report_not_found"
        answer = {"outcome": "dismissed", "answer": "There is no such post."}
        assert (await suzie.put(f"{at[1]}/answer", json=answer)).status_code == 204
        assert (await suzie.put(f"{at[1]}/answer", json=answer)).json()["code"] == "public_report_answered"
        assert (await scenes.a_case(suzie, post.id))["reported"][0]["note"] == "One."
        kinds = {one["kind"] for one in (await suzie.get(f"{API}/me/notifications")).json()["items"]}
        assert "public_report_waiting" not in kinds
    assert (await progress(guest, second["token"])).json()["words"] == "There is no such post."
    assert (await progress(guest, first["token"])).json()["outcome"] is None


async def test_who_reports_without_naming_themselves_does_not_decide(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        await filed(suzie, services, post.id)
        case = await scenes.a_case(suzie, post.id)
        refused = await scenes.decide(suzie, case, REMOVE)
        assert (refused.status_code, refused.json()["code"]) == (403, "stepped_back")


async def test_a_report_that_may_be_about_the_only_moderator_names_somebody_outside(settings: Settings) -> None:
    outside = "The trustees: 020 7946 0000"
    async with make.application(settings.model_copy(update={"outside_contact": outside})) as app:
        services: Services = app.state.services
        await make.member(services, "suzie", Role.MODERATOR)
        post = await scenes.a_post(services, author="suzie")
        async with make.client(app) as guest:
            receipts = [await filed(guest, services, asked) for asked in (post.id, 999999)]
            assert [receipt["outside_contact"] for receipt in receipts] == [outside] * 2
            page = await form(guest, await guest.get("/reports"), "/reports", **a_report(post.id))
            assert outside in text_of(page.text)
            for receipt in receipts:
                assert (await progress(guest, receipt["token"])).json()["outside_contact"] == outside
                page = await form(guest, await guest.get("/progress"), "/progress", token=receipt["token"])
                assert outside in text_of(page.text)
            for handle in ("orla", "joan"):
                await make.member(services, handle, Role.MODERATOR)
            for receipt in receipts:
                assert (await progress(guest, receipt["token"])).json()["outside_contact"] is None
            await sql(
                services,
                "INSERT INTO case_recusal (case_id, moderator_id, at) SELECT moderation_case.id, member.id, now() "
                "FROM moderation_case, member WHERE handle IN ('orla', 'joan')",
            )
            told = [(await progress(guest, receipt["token"])).json()["outside_contact"] for receipt in receipts]
            assert told == [outside, None]


async def test_what_a_trusted_flagger_reports_begins_one_step_graver(app: FastAPI, services: Services) -> None:
    theirs, plain, graver = [await scenes.a_post(services) for _ in range(3)]
    async with (
        make.signed_in(app, "partner", Role.TRUSTED_FLAGGER) as partner,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
    ):
        assert (await partner.get(f"{API}/moderation/cases")).status_code == 403
        assert (await scenes.report(magpie, graver.id, category="personal_information", rules=[])).status_code == 201
        assert (await scenes.report(magpie, plain.id)).status_code == 201
        assert (await scenes.report(partner, theirs.id)).status_code == 201
        queue = (await suzie.get(f"{API}/moderation/cases")).json()["items"]
        assert [case["post_id"] for case in queue] == [graver.id, theirs.id, plain.id]
        assert queue[1]["category"] == "rule"
        due = [case["due_at"] for case in queue]
        assert due[1] < due[2]


@pytest.mark.parametrize("limits", [{"public_report_limit": "2/1 hour", "progress_limit": "1000/1 hour"}])
async def test_limits_are_by_address_and_a_code_cannot_be_guessed(limits: dict[str, str], services: Services) -> None:
    settings = services.settings.model_copy(update=limits)
    async with make.application(settings) as app, make.client(app) as guest:
        for status in (201, 201, 429):
            assert (await guest.post(f"{API}/reports", json=a_report(1))).status_code == status
        token = "7F3A-0197-C25B-4D8E-9A61"
        wrong = [f"{token[:-4]}{number:04d}" for number in range(1000)]
        answers = [await progress(guest, guess) for guess in wrong]
        assert {answer.status_code for answer in answers} == {404}
        assert {answer.text for answer in answers} == {answers[0].text}
        assert (await progress(guest, token)).json()["code"] == "limit_progress"
