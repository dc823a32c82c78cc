"""Decisions: who may take them, on what they saw, with which words; one by one and many at once."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.administration.roles import grant
from forum.core import clock
from forum.core.settings import Settings
from forum.http.services import Services
from forum.members.queries import get_member
from forum.members.tables import Role
from tests.support import make, scenes
from tests.support.scenes import API, DISMISS, PUBLISH, REDACT, REMOVE, WARN

SOON = "2999-01-01T00:00:00Z"
SILENCE = {"kind": "silence", "until": SOON}


async def opened(app: FastAPI, moderator: httpx.AsyncClient, post_id: int) -> dict[str, Any]:
    """A case that Magpie's report opens."""
    async with make.signed_in(app, "magpie") as magpie:
        assert (await scenes.report(magpie, post_id)).status_code == 201
    return await scenes.a_case(moderator, post_id)


@pytest.mark.parametrize(
    ("measure", "rules", "notice"),
    [
        (REDACT, [10], "Edited by Suzie as breaches rule 10"),
        (REDACT, [10, 3], "Edited by Suzie as breaches rules 3 and 10"),
        (REMOVE, [10], "Removed by Suzie as breaches rule 10"),
        (REMOVE, [3, 10, 1], "Removed by Suzie as breaches rules 1, 3 and 10"),
        ({"kind": "edit", "body_markdown": "She did not listen."}, [], "Edited by Suzie"),
        ({"kind": "edit", "body_markdown": "She did not listen."}, [10], "Edited by Suzie as breaches rule 10"),
    ],
)
async def test_a_notice_says_who_and_which_rule(
    app: FastAPI, services: Services, guest: httpx.AsyncClient, measure: dict[str, Any], rules: list[int], notice: str
) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        case = await opened(app, suzie, post.id)
        assert (await scenes.decide(suzie, case, measure, rules=rules)).status_code == 201
    seen = (await scenes.first_page(guest, post.thread_id))[1]
    kind = notice.partition(" ")[0].lower()
    assert seen["notice"] == {"kind": kind, "by": "Suzie", "rules": sorted(rules), "text": notice}
    if measure is REMOVE:
        assert set(seen) == {"id", "thread_id", "number", "visibility", "notice"}


async def test_a_house_that_names_no_moderators_says_a_moderator(settings: Settings) -> None:
    quiet = settings.model_copy(update={"names_moderators": False})
    async with make.application(quiet) as app, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        post = await scenes.a_post(app.state.services)
        await scenes.decided(app, suzie, post.id, REDACT)
        seen = (await suzie.get(f"{API}/posts/{post.id}")).json()["notice"]
    assert (seen["by"], seen["text"]) == ("a moderator", "Edited by a moderator as breaches rule 10")


NONSENSE: list[tuple[list[dict[str, Any]], dict[str, Any], str]] = [
    ([], {}, "#/measures"),
    ([WARN, WARN], {}, "#/measures"),
    ([DISMISS, WARN], {}, "#/measures"),
    ([PUBLISH, REMOVE], {}, "#/measures"),
    ([REDACT, {"kind": "edit", "body_markdown": "Hm"}], {}, "#/measures"),
    ([REDACT], {"rules": []}, "#/rules"),
    ([WARN], {"rules": []}, "#/rules"),
    ([WARN], {"rules": [99]}, "#/rules"),
    ([{"kind": "redact"}], {}, "#/measures/0/spans"),
    ([{"kind": "redact", "spans": [[0, 0]]}], {}, "#/measures"),
    ([{"kind": "redact", "spans": [[0, 5000]]}], {}, "#/measures"),
    ([{"kind": "redact", "spans": [[0, 5], [4, 8]]}], {}, "#/measures"),
    ([{"kind": "silence"}], {}, "#/measures/0/until"),
    ([WARN, {"kind": "suspend", "until": "2001-01-01T00:00:00Z"}], {}, "#/measures/1/until"),
    ([WARN | {"until": SOON}], {}, "#/measures/0/until"),
    ([{"kind": "edit"}], {}, "#/measures/0/body_markdown"),
    ([{"kind": "retitle"}], {}, "#/measures/0/title"),
    ([{"kind": "move"}], {}, "#/measures/0/board"),
    ([{"kind": "move", "board": "nowhere"}], {}, "#/measures"),
    ([{"kind": "overturn"}], {}, "#/measures"),
    ([{"kind": "shout"}], {}, "#/measures/0"),
    ([WARN], {"reason": ""}, "#/reason"),
    ([WARN], {"version": None}, "#/version"),
    ([WARN], {"revision": None}, "#/revision"),
]


async def test_a_decision_that_makes_no_sense_is_refused_and_changes_nothing(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        case = await opened(app, suzie, post.id)
        for measures, more, pointer in NONSENSE:
            refused = await scenes.decide(suzie, case, *measures, **more)
            assert refused.status_code == 422, (measures, more, refused.text)
            assert {fault["pointer"] for fault in refused.json()["errors"]} == {pointer}, (measures, more)
        assert await scenes.a_case(suzie, post.id) == case


async def test_a_law_is_as_good_a_ground_as_a_rule(app: FastAPI, services: Services, guest: httpx.AsyncClient) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie, make.signed_in(app, "stepdad") as stepdad:
        case = await opened(app, suzie, post.id)
        law = "Children Act 1989, section 97"
        made = await scenes.decide(suzie, case, REDACT, rules=[], law=law)
        assert made.status_code == 201, made.text
        statement = (await stepdad.get(f"{API}/statements/{made.json()['statement_id']}")).json()
    assert (statement["law"], statement["rules"]) == (law, [])
    assert "[removed]and" in (await scenes.first_page(guest, post.thread_id))[1]["body_markdown"]


async def test_several_measures_are_taken_together(app: FastAPI, services: Services, guest: httpx.AsyncClient) -> None:
    post = await scenes.a_post(services)
    lock, retitle = {"kind": "lock"}, {"kind": "retitle", "title": "About a meeting"}
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        made = await scenes.decided(app, suzie, post.id, REDACT, lock, retitle, SILENCE)
        assert made["statement_id"]
    thread = (await guest.get(f"{API}/threads/{post.thread_id}")).json()
    assert (thread["state"], thread["title"]) == ("locked", "About a meeting")
    async with make.signed_in(app, "stepdad") as stepdad:
        reply = await stepdad.post(f"{API}/threads/{post.thread_id}/posts", json={"body_markdown": "But"})
        assert reply.status_code == 403
        [statement] = (await stepdad.get(f"{API}/me/statements")).json()["items"]
    assert [one["kind"] for one in statement["measures"]] == ["redact", "lock", "retitle", "silence"]


# What was on the screen


async def test_a_decision_on_an_older_revision_is_refused_with_who_edited_and_when(
    app: FastAPI, services: Services
) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie, make.signed_in(app, "stepdad") as stepdad:
        case = await opened(app, suzie, post.id)
        edited = await stepdad.patch(f"{API}/posts/{post.id}", json={"revision": 1, "body_markdown": "Sorry."})
        stale = await scenes.decide(suzie, case, REDACT)
        assert stale.status_code == 409
        told = stale.json()
        assert (told["changed_by"]["name"], told["current"]) == ("Stepdad", 2)
        assert told["changed_at"] == edited.json()["edited_at"]
        assert "edited" in told["detail"]
        assert (await scenes.decide(suzie, await scenes.a_case(suzie, post.id), DISMISS)).status_code == 201


async def test_a_decision_on_an_older_version_of_the_case_is_refused(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie, make.signed_in(app, "robin") as robin:
        case = await opened(app, suzie, post.id)
        await scenes.report(robin, post.id, category="risk", rules=[])
        stale = await scenes.decide(suzie, case, DISMISS)
        assert (stale.status_code, stale.json()["current"]) == (409, 2)
        assert "new reports" in stale.json()["detail"]
        assert stale.json()["changed_at"] > case["opened_at"]


async def test_of_two_decisions_at_once_one_stands_and_the_other_is_told_whose(
    app: FastAPI, services: Services
) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        case = await opened(app, suzie, post.id)
        answers = await asyncio.gather(*(scenes.decide(one, case, WARN) for one in (suzie, orla)))
        [won], [lost] = [[one.json() for one in answers if one.status_code == status] for status in (201, 409)]
        assert (lost["changed_by"]["name"], lost["changed_at"]) == (won["decided_by"], won["decided_at"])
        assert await scenes.sql(services, "SELECT count(*) FROM decision") == [(1,)]


# Whose decision it is not


@pytest.mark.parametrize("close", ["author", "reporter", "recused"])
async def test_nobody_decides_in_their_own_interest(app: FastAPI, services: Services, close: str) -> None:
    await make.member(services, "ada", *([] if close == "reporter" else [Role.MODERATOR]))
    post = await scenes.a_post(services, author="ada" if close == "author" else "stepdad")
    async with make.signed_in(app, "ada") as ada, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        case = await opened(app, suzie, post.id)
        if close == "reporter":  # before they were a moderator: what a moderator reports is a case on sight
            await scenes.report(ada, post.id)
            async with services.database.work() as session:
                await grant(session, await get_member(session, "ada"), Role.MODERATOR, clock.now())
            await make.sign_in_again(app, ada, "ada")
        if close == "recused":
            await ada.put(f"{API}/moderation/cases/{case['id']}/recusal")
        case = await scenes.a_case(suzie, post.id)
        assert (await scenes.decide(ada, case, DISMISS)).status_code == (404 if close == "author" else 403)
        assert (await scenes.decide(suzie, case, DISMISS)).status_code == 201


@pytest.mark.parametrize("measure", [WARN, SILENCE, {"kind": "suspend", "until": SOON}, {"kind": "ban"}])
async def test_only_an_administrator_decides_about_the_standing_of_staff(
    app: FastAPI, services: Services, measure: dict[str, Any]
) -> None:
    await make.member(services, "ada", Role.ADVISER)
    post = await scenes.a_post(services, author="ada")
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "boss", Role.MODERATOR, Role.ADMINISTRATOR) as boss,
    ):
        case = await opened(app, suzie, post.id)
        assert (await scenes.decide(suzie, case, REDACT, measure)).status_code == 403
        assert (await scenes.decide(boss, case, measure)).status_code == 201


async def test_until_when_a_measure_holds_is_told_in_utc(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie, make.signed_in(app, "stepdad") as stepdad:
        await scenes.decided(app, suzie, post.id, {"kind": "silence", "until": "2999-01-01T02:00:00+02:00"})
        [statement] = (await stepdad.get(f"{API}/me/statements")).json()["items"]
        assert statement["measures"][0]["until"] == SOON


async def test_of_two_administrators_who_ban_each_other_at_once_one_is_left(app: FastAPI, services: Services) -> None:
    handles = ("ada", "boss")
    posts = [(await scenes.a_post(services, author=handle)).id for handle in handles]
    async with AsyncExitStack() as stack:
        bans = []
        for number, handle in enumerate(handles):
            roles = (Role.MODERATOR, Role.ADMINISTRATOR)
            async with services.database.work() as session:
                for role in roles:
                    await grant(session, await get_member(session, handle), role, clock.now())
            chief = await stack.enter_async_context(make.signed_in(app, handle))
            async with make.signed_in(app, "magpie") as magpie:
                await scenes.report(magpie, posts[1 - number])
            bans.append((chief, posts[1 - number]))
        cases = [(chief, await scenes.a_case(chief, post)) for chief, post in bans]
        answers = await asyncio.gather(*(scenes.decide(chief, case, {"kind": "ban"}) for chief, case in cases))
    assert 201 in {answer.status_code for answer in answers}
    assert await scenes.sql(services, "SELECT count(*) FROM sanction") == [(1,)]


async def test_a_moderator_decides_about_the_words_of_staff(app: FastAPI, services: Services) -> None:
    await make.member(services, "ada", Role.ADVISER)
    post = await scenes.a_post(services, author="ada")
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        assert (await scenes.decided(app, suzie, post.id, REDACT))["statement_id"]


async def test_a_held_post_is_published_or_removed_never_left_waiting(app: FastAPI, services: Services) -> None:
    await scenes.house_rules(services)
    await make.board(services, publication="hold_all")
    async with make.signed_in(app, "stepdad") as stepdad, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        words = {"title": "A question", "body_markdown": scenes.RUDE}
        post = (await stepdad.post(f"{API}/boards/new-here/threads", json=words)).json()["first_post"]
        case = await scenes.a_case(suzie, post["id"])
        for measure in (WARN, DISMISS, REDACT):
            assert (await scenes.decide(suzie, case, measure)).status_code == 422
        assert (await scenes.decide(suzie, case, REDACT, PUBLISH)).status_code == 201


# Many at once


@pytest.fixture
async def many(app: FastAPI, services: Services) -> list[int]:
    """Four posts that Magpie reported."""
    first = await scenes.a_post(services)
    others = [await make.post(services, "stepdad", first.thread_id, f"Toad {number}") for number in range(3)]
    ids = [first.id, *(post.id for post in others)]
    async with make.signed_in(app, "magpie") as magpie:
        for post_id in ids:
            assert (await scenes.report(magpie, post_id)).status_code == 201
    return ids


async def bulk(client: httpx.AsyncClient, *each: dict[str, Any]) -> httpx.Response:
    return await client.post(f"{API}/moderation/decisions", json={"decisions": list(each)})


def one(case: dict[str, Any], *measures: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"case_id": case["id"], **scenes.decision(case, *measures, **more)}


async def test_of_many_decisions_each_has_its_own_answer_and_stands_or_falls_alone(
    app: FastAPI, services: Services, many: list[int]
) -> None:
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        good, stale, broken, late = [await scenes.a_case(suzie, post_id) for post_id in many]
        answers = await bulk(
            suzie,
            one(good, WARN),
            one(stale, WARN, version=7),
            one(broken, WARN, REMOVE, {"kind": "move", "board": "nowhere"}),
            one(good, REMOVE),
            one(late, DISMISS),
            one(good | {"id": "00000000-0000-7000-8000-000000000000"}, WARN),
        )
        assert answers.status_code == 200, answers.text
        items = answers.json()["items"]
        assert [item["status"] for item in items] == [201, 409, 422, 409, 201, 404]
        assert [item["case_id"] for item in items][:3] == [good["id"], stale["id"], broken["id"]]
        assert [item["decision"] is None for item in items] == [False, True, True, True, False, True]
        assert all(item["detail"] for item in items if item["status"] != 201)
        assert await scenes.sql(services, "SELECT kind FROM measure ORDER BY id") == [("warn",), ("dismiss",)]
        assert (await scenes.a_case(suzie, many[2]))["version"] == broken["version"]


async def test_a_database_error_in_one_decision_does_not_stop_the_others(
    app: FastAPI, services: Services, many: list[int]
) -> None:
    await scenes.sql(
        services,
        f"CREATE FUNCTION refuse_one() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.post_id = {many[1]} THEN "
        "RAISE EXCEPTION 'disk full'; END IF; RETURN NEW; END $$",
    )
    await scenes.sql(
        services, "CREATE TRIGGER broken BEFORE INSERT ON measure FOR EACH ROW EXECUTE FUNCTION refuse_one()"
    )
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        opened_cases = [await scenes.a_case(suzie, post_id) for post_id in many[:3]]
        answers = await bulk(suzie, *(one(case, DISMISS) for case in opened_cases))
        assert [item["status"] for item in answers.json()["items"]] == [201, 503, 201]
        assert "disk" not in answers.text


async def test_a_hundred_decisions_are_taken_and_a_hundred_and_one_refused(
    app: FastAPI, services: Services, many: list[int]
) -> None:
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        case = await scenes.a_case(suzie, many[0])
        assert (await bulk(suzie, *[one(case, DISMISS)] * 101)).status_code == 422
        assert (await bulk(suzie)).status_code == 422
        items = (await bulk(suzie, *[one(case, DISMISS)] * 100)).json()["items"]
        assert [item["status"] for item in items] == [201] + [409] * 99
