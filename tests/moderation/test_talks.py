"""Moderators write to whom a case is about, or to who reported; they answer there, and nobody else reads it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.core import clock
from forum.core.settings import Settings
from forum.http.services import Services
from forum.members.tables import Role, Standing
from tests.support import make, scenes
from tests.support.jobs import run_due_jobs, run_hourly_jobs
from tests.support.scenes import API, DISMISS, WARN

CRISIS = "I want to end my life tonight."


@dataclass
class Scene:
    """A case about a post of Stepdad's that Magpie and Tern reported; Suzie and Orla moderate."""

    case: dict[str, Any]
    suzie: httpx.AsyncClient
    orla: httpx.AsyncClient
    stepdad: httpx.AsyncClient
    magpie: httpx.AsyncClient
    tern: httpx.AsyncClient
    reports: dict[str, str]

    @property
    def talks(self) -> str:
        return f"{API}/moderation/cases/{self.case['id']}/talks"

    async def write(self, words: str = "Are you well?", **more: Any) -> dict[str, Any]:
        """Suzie writes, to Stepdad unless `report_id` says otherwise."""
        answer = await self.suzie.post(self.talks, json={"text": words, **more})
        assert answer.status_code == 201, answer.text
        message: dict[str, Any] = answer.json()
        return message


@pytest.fixture
async def scene(app: FastAPI, services: Services) -> AsyncIterator[Scene]:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "stepdad") as stepdad,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "tern") as tern,
    ):
        filed = {name: await scenes.report(client, post.id) for name, client in (("magpie", magpie), ("tern", tern))}
        ids = {name: answer.json()["id"] for name, answer in filed.items()}
        yield Scene(await scenes.a_case(suzie, post.id), suzie, orla, stepdad, magpie, tern, ids)


def own(talk_id: str) -> str:
    return f"{API}/talks/{talk_id}/messages"


async def told(services: Services, client: httpx.AsyncClient) -> list[tuple[str, str]]:
    await run_due_jobs(services, clock.now())
    items = (await client.get(f"{API}/me/notifications")).json()["items"]
    return [(item["kind"], item["subject_id"]) for item in items if item["kind"].startswith(("talk", "complaint"))]


async def test_the_author_reads_and_answers_and_both_sides_are_told(services: Services, scene: Scene) -> None:
    message = await scene.write()
    talk = message["talk_id"]
    assert await told(services, scene.stepdad) == [("talk_message", talk)]
    [listed] = (await scene.stepdad.get(f"{API}/me/talks")).json()["items"]
    assert (listed["id"], listed["side"], listed["messages"], listed["closed_at"]) == (talk, "author", 1, None)
    answered = await scene.stepdad.post(own(talk), json={"text": "I am, thank you."})
    assert answered.status_code == 201, answered.text
    assert await told(services, scene.suzie) == [("talk_answered", scene.case["id"])]
    assert await told(services, scene.orla) == []  # Suzie wrote there, and can go on
    page = (await scene.stepdad.get(own(talk))).json()["items"]
    assert [(item["mine"], item["moderator"], item["text"]) for item in page] == [
        (False, None, "Are you well?"),
        (True, None, "I am, thank you."),
    ]
    seen = (await scene.orla.get(f"{API}/moderation/talks/{talk}/messages")).json()["items"]
    assert [(item["by"] and item["by"]["handle"], item["signed"], item["crisis"]) for item in seen] == [
        ("suzie", False, False),
        (None, False, False),
    ]


async def test_a_moderator_chooses_for_each_message_whether_to_sign(scene: Scene) -> None:
    talk = (await scene.write("Not signed"))["talk_id"]
    assert (await scene.write("Signed", signed=True))["talk_id"] == talk
    text = (await scene.stepdad.get(own(talk))).text
    assert [item["moderator"] for item in (await scene.stepdad.get(own(talk))).json()["items"]] == [None, "Suzie"]
    assert "suzie" not in text  # a name, and no handle


async def test_each_reporter_has_a_talk_of_their_own(scene: Scene) -> None:
    talks = {
        "stepdad": (await scene.write("To the author"))["talk_id"],
        "magpie": (await scene.write("To Magpie", report_id=scene.reports["magpie"]))["talk_id"],
        "tern": (await scene.write("To Tern", report_id=scene.reports["tern"]))["talk_id"],
    }
    assert len(set(talks.values())) == 3
    clients = {"stepdad": scene.stepdad, "magpie": scene.magpie, "tern": scene.tern}
    for name, client in clients.items():
        assert [talk["id"] for talk in (await client.get(f"{API}/me/talks")).json()["items"]] == [talks[name]]
        for other, talk in talks.items():
            expected = 200 if other == name else 404
            assert (await client.get(own(talk))).status_code == expected
            posted = await client.post(own(talk), json={"text": "Hello"})
            assert posted.status_code == (201 if other == name else 404)
    [of_magpie] = (await scene.magpie.get(f"{API}/me/talks")).json()["items"]
    assert (of_magpie["side"], of_magpie["report_id"]) == ("reporter", scene.reports["magpie"])
    listed = (await scene.orla.get(scene.talks)).json()["items"]
    assert [(talk["member"]["handle"], talk["side"], talk["messages"]) for talk in listed] == [
        ("stepdad", "author", 2),
        ("magpie", "reporter", 2),
        ("tern", "reporter", 2),
    ]


async def test_the_member_learns_nothing_else_of_the_case(scene: Scene) -> None:
    talk = (await scene.write())["talk_id"]
    read = [await scene.stepdad.get(address) for address in (f"{API}/me/talks", own(talk), f"{API}/me/notifications")]
    for answer in read:
        for secret in (scene.case["id"], *scene.reports.values(), "magpie", "Magpie", "Suzie"):
            assert secret not in answer.text
    for address in (scene.talks, f"{API}/moderation/talks/{talk}/messages"):
        assert (await scene.stepdad.get(address)).status_code == 403


async def test_only_who_may_decide_the_case_reads_and_writes(app: FastAPI, services: Services, scene: Scene) -> None:
    talk = (await scene.write())["talk_id"]
    await make.board(services, "elsewhere")
    addresses = (scene.talks, f"{API}/moderation/talks/{talk}/messages")
    async with make.signed_in(app, "bobby", boards=("elsewhere",)) as bobby:
        for address in addresses:
            assert (await bobby.get(address)).status_code == 404
        assert (await bobby.post(scene.talks, json={"text": "x"})).status_code == 404
        assert (await bobby.put(f"{API}/moderation/talks/{talk}/closure")).status_code == 404
    await scene.orla.put(f"{API}/moderation/cases/{scene.case['id']}/recusal")
    for address in addresses:
        assert (await scene.orla.get(address)).json()["code"] == "stepped_back"


@pytest.mark.parametrize("role", [Role.MODERATOR, Role.ADMINISTRATOR, Role.ADVISER])
async def test_an_accused_of_the_staff_has_their_own_talk_and_nothing_else(
    app: FastAPI, services: Services, scene: Scene, role: Role
) -> None:
    await make.member(services, "ada", role)
    await make.member(services, "joan", Role.ADMINISTRATOR)
    post = await scenes.a_post(services, author="ada")
    await scenes.report(scene.magpie, post.id)
    async with make.signed_in(app, "ada") as ada, make.signed_in(app, "joan") as joan:
        case = await scenes.a_case(joan, post.id)
        talks = f"{API}/moderation/cases/{case['id']}/talks"
        begun = await joan.post(talks, json={"text": "Why?"})
        assert begun.status_code == 201, begun.text
        talk = begun.json()["talk_id"]
        await joan.post(talks, json={"text": "Tell me more", "report_id": case["reported"][0]["id"]})
        assert (await ada.get(own(talk))).status_code == 200
        assert [item["id"] for item in (await ada.get(f"{API}/me/talks")).json()["items"]] == [talk]
        for address in (talks, f"{API}/moderation/talks/{talk}/messages"):
            assert (await ada.get(address)).status_code in {403, 404}
            assert "Tell me more" not in (await ada.get(address)).text


@pytest.mark.parametrize("standing", [Standing.SILENCED, Standing.SUSPENDED, Standing.BANNED])
async def test_who_may_not_post_may_still_answer(services: Services, scene: Scene, standing: Standing) -> None:
    talk = (await scene.write())["talk_id"]
    await make.sanction(services, "stepdad", standing)
    posted = await scene.stepdad.post(own(talk), json={"text": "Yes."}, headers={"Idempotency-Key": "1"})
    assert posted.status_code == 201, posted.text
    assert (await scene.stepdad.get(f"{API}/me/talks")).status_code == 200


async def test_a_closed_talk_takes_no_words_until_it_is_opened_again(scene: Scene) -> None:
    talk = (await scene.write())["talk_id"]
    closure = f"{API}/moderation/talks/{talk}/closure"
    for _ in range(2):
        assert (await scene.orla.put(closure)).status_code == 204
    assert (await scene.stepdad.post(own(talk), json={"text": "But"})).json()["code"] == "talk_closed"
    assert (await scene.suzie.post(scene.talks, json={"text": "And"})).json()["code"] == "talk_closed"
    assert len((await scene.stepdad.get(own(talk))).json()["items"]) == 1
    for _ in range(2):
        assert (await scene.orla.delete(closure)).status_code == 204
    assert (await scene.stepdad.post(own(talk), json={"text": "But"})).status_code == 201
    log = (await scene.suzie.get(f"{API}/moderation/log?subject_kind=case&subject_id={scene.case['id']}")).json()
    acts = [entry["act"] for entry in log["items"] if entry["act"].startswith("talk")]
    assert acts == ["talk.reopened", "talk.closed", "talk.written", "talk.begun"]
    assert "Are you well?" not in str(log)


async def test_a_cry_in_a_closed_talk_is_answered_with_help_and_read(scene: Scene) -> None:
    talk = (await scene.write())["talk_id"]
    assert (await scene.orla.put(f"{API}/moderation/talks/{talk}/closure")).status_code == 204
    refused = await scene.stepdad.post(own(talk), json={"text": CRISIS})
    assert (refused.json()["code"], refused.json()["help"]["kind"]) == ("talk_closed", "suicide")
    urgent = (await scene.orla.get(f"{API}/moderation/cases")).json()["items"][0]
    whole = (await scene.orla.get(f"{API}/moderation/cases/{urgent['id']}")).json()
    assert [(one["kind"], one["text"]) for one in whole["refused_texts"]] == [("answer", CRISIS)]


async def test_a_talk_goes_on_when_the_case_is_decided(services: Services, scene: Scene) -> None:
    talk = (await scene.write())["talk_id"]
    case = await scenes.a_case(scene.suzie, scene.case["post_id"])
    assert (await scenes.decide(scene.suzie, case, DISMISS)).status_code == 201
    assert (await scene.stepdad.post(own(talk), json={"text": "Thank you."})).status_code == 201
    assert await told(services, scene.suzie) == [("talk_answered", scene.case["id"])]
    assert (await scene.write("Gladly."))["talk_id"] == talk


async def test_words_of_danger_in_an_answer_make_the_case_urgent(services: Services, scene: Scene) -> None:
    talk = (await scene.write())["talk_id"]
    assert (await scene.stepdad.post(own(talk), json={"text": CRISIS})).status_code == 201
    case = await scenes.a_case(scene.suzie, scene.case["post_id"])
    assert case["category"] == "risk"
    assert case["version"] > scene.case["version"]
    assert case["due_at"] < scene.case["due_at"]
    [_, answer] = (await scene.suzie.get(f"{API}/moderation/talks/{talk}/messages")).json()["items"]
    assert answer["crisis"] is True
    await run_due_jobs(services, clock.now())
    items = (await scene.orla.get(f"{API}/me/notifications")).json()["items"]
    assert "case_urgent" in {item["kind"] for item in items}
    await scene.write(CRISIS)  # a moderator's words are no cry for help
    newest = (await scene.suzie.get(f"{API}/moderation/talks/{talk}/messages")).json()["items"][-1]
    assert newest["crisis"] is False


async def test_words_of_danger_after_the_decision_open_a_case_about_the_member(
    services: Services, scene: Scene
) -> None:
    talk = (await scene.write(report_id=scene.reports["magpie"]))["talk_id"]
    case = await scenes.a_case(scene.suzie, scene.case["post_id"])
    assert (await scenes.decide(scene.suzie, case, DISMISS)).status_code == 201
    assert (await scene.magpie.post(own(talk), json={"text": CRISIS})).status_code == 201
    [opened] = (await scene.orla.get(f"{API}/moderation/cases")).json()["items"]
    assert (opened["kind"], opened["category"], opened["author"]["handle"]) == ("member", "risk", "magpie")
    await run_due_jobs(services, clock.now())
    items = (await scene.orla.get(f"{API}/me/notifications")).json()["items"]
    assert ("case_urgent", opened["id"]) in {(item["kind"], item["subject_id"]) for item in items}


async def test_who_is_written_to_can_complain_of_it_and_the_moderator_never_learns(
    app: FastAPI, services: Services, scene: Scene
) -> None:
    await make.member(services, "joan", Role.ADMINISTRATOR)
    message = await scene.write("You again.")
    complaints = f"{API}/talks/{message['talk_id']}/complaints"
    wanted = {"message_id": message["id"], "text": "She laughs at me."}
    first, again = [await scene.stepdad.post(complaints, json=wanted) for _ in range(2)]
    assert (first.status_code, again.json()) == (201, first.json())
    async with make.signed_in(app, "joan") as joan:
        [case] = (await joan.get(f"{API}/moderation/cases")).json()["items"]
        assert (case["kind"], case["author"]["handle"]) == ("member", "suzie")
        [seen] = (await joan.get(f"{API}/moderation/cases/{case['id']}")).json()["complaints"]
        assert (seen["by"]["handle"], seen["message"], seen["text"]) == ("stepdad", "You again.", "She laughs at me.")
    assert (await scene.suzie.get(f"{API}/moderation/cases/{case['id']}")).status_code == 404
    assert case["id"] not in (await scene.suzie.get(f"{API}/moderation/cases?limit=100")).text
    assert "laughs" not in (await scene.suzie.get(f"{API}/moderation/talks/{message['talk_id']}/messages")).text


@pytest.mark.parametrize(("measure", "outcome"), [(WARN, "upheld"), (DISMISS, "dismissed")])
async def test_who_complained_hears_what_came_of_it_and_nothing_of_the_moderator(
    app: FastAPI, services: Services, scene: Scene, measure: dict[str, Any], outcome: str
) -> None:
    await make.member(services, "joan", Role.ADMINISTRATOR)
    message = await scene.write("You again.")
    wanted = {"message_id": message["id"], "text": "She laughs at me."}
    sent = (await scene.stepdad.post(f"{API}/talks/{message['talk_id']}/complaints", json=wanted)).json()
    assert (sent["outcome"], sent["settled_at"]) == (None, None)
    assert (await scene.stepdad.get(f"{API}/me/complaints")).json() == {"items": [sent], "next": None}
    async with make.signed_in(app, "joan") as joan:
        [case] = (await joan.get(f"{API}/moderation/cases")).json()["items"]
        decision = {"version": case["version"], "measures": [measure], "rules": [10], "reason": "Say it kindly."}
        decided = await joan.post(f"{API}/moderation/cases/{case['id']}/decisions", json=decision)
        assert decided.status_code == 201, decided.text
    assert ("complaint_settled", sent["id"]) in await told(services, scene.stepdad)
    read = await scene.stepdad.get(f"{API}/me/complaints?limit=1")
    [settled] = read.json()["items"]
    assert settled == sent | {"outcome": outcome, "settled_at": settled["settled_at"]}
    notices = (await scene.stepdad.get(f"{API}/me/notifications")).text
    for secret in ("suzie", "kindly", "warn", case["id"]):
        assert secret not in read.text.casefold() + notices.casefold()
    assert (await scene.tern.get(f"{API}/me/complaints")).json()["items"] == []
    assert "complaint_settled" not in {kind for kind, _ in await told(services, scene.suzie)}


async def test_only_a_moderators_message_in_ones_own_talk_is_complained_of(scene: Scene) -> None:
    theirs = await scene.write(report_id=scene.reports["magpie"])
    mine = await scene.write()
    complaints = f"{API}/talks/{mine['talk_id']}/complaints"
    answer = (await scene.stepdad.post(own(mine["talk_id"]), json={"text": "Yes."})).json()
    for message_id in (theirs["id"], answer["id"], mine["talk_id"]):
        refused = await scene.stepdad.post(complaints, json={"message_id": message_id, "text": "x"})
        assert (refused.status_code, refused.json()["code"]) == (422, "message_not_found")
    stranger = await scene.tern.post(complaints, json={"message_id": mine["id"], "text": "x"})
    assert (stranger.status_code, stranger.json()["code"]) == (404, "talk_not_found")


async def test_a_moderator_who_complains_does_not_decide(app: FastAPI, services: Services, scene: Scene) -> None:
    await make.member(services, "joan", Role.ADMINISTRATOR)
    post = await scenes.a_post(services, author="orla")
    await scenes.report(scene.magpie, post.id)
    case = await scenes.a_case(scene.suzie, post.id)
    message = (await scene.suzie.post(f"{API}/moderation/cases/{case['id']}/talks", json={"text": "You too?"})).json()
    wanted = {"message_id": message["id"], "text": "She laughs at me."}
    complained = await scene.orla.post(f"{API}/talks/{message['talk_id']}/complaints", json=wanted)
    assert complained.status_code == 201, complained.text
    [(case_id,)] = await scenes.sql(services, "SELECT case_id::text FROM talk_complaint")
    refused = await scene.orla.put(f"{API}/moderation/cases/{case_id}/claim")
    assert (refused.status_code, refused.json()["code"]) == (403, "stepped_back")


async def test_several_messages_are_one_unread_notification(services: Services, scene: Scene) -> None:
    talk = (await scene.write())["talk_id"]
    await scene.write("Hello?")
    assert await told(services, scene.stepdad) == [("talk_message", talk)]
    newest = (await scene.stepdad.get(f"{API}/me/notifications")).json()["items"][0]["id"]
    await scene.stepdad.put(f"{API}/me/notifications/read", json={"up_to": newest})
    await scene.write("Please answer.")
    assert await told(services, scene.stepdad) == [("talk_message", talk)] * 2


async def test_a_message_that_is_sent_twice_with_its_key_is_written_once(scene: Scene) -> None:
    key = {"Idempotency-Key": "once"}
    answers = [await scene.suzie.post(scene.talks, json={"text": "Well?"}, headers=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    talk = answers[0].json()["talk_id"]
    answers = [await scene.stepdad.post(own(talk), json={"text": "Yes."}, headers=key) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert len((await scene.stepdad.get(own(talk))).json()["items"]) == 2


async def test_long_talks_come_page_by_page(scene: Scene) -> None:
    for number in range(3):
        talk = (await scene.write(f"Message {number}"))["talk_id"]
    for client, address in ((scene.stepdad, own(talk)), (scene.orla, f"{API}/moderation/talks/{talk}/messages")):
        found, url = [], f"{address}?limit=2"
        while url:
            page = await client.get(url)
            found += [item["text"] for item in page.json()["items"]]
            url = page.links["next"]["url"] if "next" in page.links else ""
        assert found == ["Message 0", "Message 1", "Message 2"]


async def test_a_report_of_another_case_is_nobody_to_write_to(services: Services, scene: Scene) -> None:
    other = await make.post(services, "stepdad", scene.case["thread_id"], "Toads")
    filed = (await scenes.report(scene.magpie, other.id)).json()["id"]
    refused = await scene.suzie.post(scene.talks, json={"text": "x", "report_id": filed})
    assert (refused.status_code, refused.json()["code"]) == (404, "report_not_found")


async def test_nobody_writes_to_who_has_left_and_their_words_go_with_the_case(
    app: FastAPI, services: Services, scene: Scene
) -> None:
    talk = (await scene.write())["talk_id"]
    await scene.stepdad.post(own(talk), json={"text": "Leave me alone, you toads."})
    assert (await scene.stepdad.put(f"{API}/me/departure", json={"kind": "erase"})).status_code == 200
    later = clock.now() + timedelta(days=14, minutes=1)
    await run_hourly_jobs(services, later)
    refused = await scene.suzie.post(scene.talks, json={"text": "x"})
    assert (refused.status_code, refused.json()["code"]) == (409, "member_left")
    seen = f"{API}/moderation/talks/{talk}/messages"
    assert "toads" in (await scene.suzie.get(seen)).text  # until the case is decided
    case = await scenes.a_case(scene.suzie, scene.case["post_id"])
    assert (await scenes.decide(scene.suzie, case, DISMISS)).status_code == 201
    await run_hourly_jobs(services, later)
    assert "toads" not in (await scene.suzie.get(seen)).text


async def test_talks_have_a_limit(settings: Settings) -> None:
    strict = settings.model_copy(update={"talk_limit": "1/1 hour"})
    async with make.application(strict) as app:
        services: Services = app.state.services
        post = await scenes.a_post(services)
        async with (
            make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
            make.signed_in(app, "stepdad") as stepdad,
            make.signed_in(app, "magpie") as magpie,
        ):
            await scenes.report(magpie, post.id)
            case = await scenes.a_case(suzie, post.id)
            begun = await suzie.post(f"{API}/moderation/cases/{case['id']}/talks", json={"text": "Well?"})
            talk = begun.json()["talk_id"]
            assert [(await stepdad.post(own(talk), json={"text": "Yes"})).status_code for _ in range(2)] == [201, 429]


async def test_a_guest_and_a_stranger_see_no_talk(guest: httpx.AsyncClient, scene: Scene) -> None:
    talk = (await scene.write())["talk_id"]
    assert (await guest.get(own(talk))).status_code == 401
    assert (await guest.get(f"{API}/me/talks")).status_code == 401
    assert (await scene.tern.get(own(talk))).json()["code"] == "talk_not_found"
    missing = "018f0000-0000-7000-8000-000000000001"
    for answer in (
        await scene.stepdad.post(own(missing), json={"text": "x"}),
        await scene.suzie.get(f"{API}/moderation/talks/{missing}/messages"),
        await scene.suzie.put(f"{API}/moderation/talks/{missing}/closure"),
    ):
        assert answer.json()["code"] == "talk_not_found"
