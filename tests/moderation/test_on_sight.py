"""On sight: a moderator acts on what they see, without a report, about a post or about a member."""

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.exc import IntegrityError

from forum.http.services import Services
from forum.members.tables import Role, Standing
from tests.support import make, scenes
from tests.support.scenes import API, DISMISS, REMOVE, WARN, sql


async def seen(client: httpx.AsyncClient, post_id: int, **changes: Any) -> httpx.Response:
    """A case on sight, about the first revision."""
    sighting = {"note": "It names her.", "revision": 1, **changes}
    headers = {"Idempotency-Key": changes.pop("key")} if "key" in changes else {}
    sighting.pop("key", None)
    return await client.post(f"{API}/moderation/posts/{post_id}/case", json=sighting, headers=headers)


async def seen_member(client: httpx.AsyncClient, handle: str, **changes: Any) -> httpx.Response:
    """A case on sight about a member."""
    return await client.post(f"{API}/moderation/members/{handle}/case", json={"note": "He writes mails.", **changes})


async def screen(client: httpx.AsyncClient, case_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get(f"{API}/moderation/cases/{case_id}")).json()
    return found


async def acts(services: Services) -> list[str]:
    return [row.act for row in await scenes.sql(services, "SELECT act FROM audit_entry ORDER BY number")]


# A post


async def test_whoever_opens_a_case_on_sight_has_claimed_it_and_may_decide_it(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie, make.signed_in(app, "stepdad") as stepdad:
        opened = await seen(suzie, post.id, category="rule")
        assert opened.status_code == 201, opened.text
        case = opened.json()
        assert (case["kind"], case["category"], case["reports"]) == ("post", "rule", 0)
        assert case["claim"]["by"]["handle"] == "suzie"
        whole = await screen(suzie, case["id"])
        assert [(note["by"]["handle"], note["text"]) for note in whole["notes"]] == [("suzie", "It names her.")]
        assert all(one["allowed"] for one in whole["permitted"])
        assert (await scenes.decide(suzie, whole, REMOVE)).status_code == 201
        [statement] = (await stepdad.get(f"{API}/me/statements")).json()["items"]
        assert (statement["initiative"], statement["post_id"]) == ("moderator", post.id)
        assert (await acts(services))[-3:] == ["case.claimed", "case.opened_on_sight", "case.decided"]


async def test_a_case_that_is_open_is_found_and_its_reports_count(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "stepdad") as stepdad,
    ):
        await scenes.report(magpie, post.id, category="spam", rules=[])
        known = await scenes.a_case(suzie, post.id)
        found = await seen(suzie, post.id)
        assert (found.status_code, found.json()["id"], found.json()["category"]) == (200, known["id"], "spam")
        graver = await seen(suzie, post.id, category="risk")
        assert (graver.json()["category"], graver.json()["reports"]) == ("risk", 1)
        assert graver.json()["due_at"] < known["due_at"]
        assert (await scenes.decide(suzie, await screen(suzie, known["id"]), WARN)).status_code == 201
        [statement] = (await stepdad.get(f"{API}/me/statements")).json()["items"]
        assert statement["initiative"] == "report"


async def test_a_decided_case_is_opened_again_on_sight(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        made = await scenes.decided(app, suzie, post.id, DISMISS)
        again = await seen(suzie, post.id)
        assert (again.status_code, again.json()["id"], again.json()["state"]) == (201, made["case_id"], "open")
        assert again.json()["reports"] == 0


async def test_what_somebody_else_works_on_is_left_to_them(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        answers = await asyncio.gather(seen(suzie, post.id), seen(orla, post.id))
        assert sorted(one.status_code for one in answers) == [201, 409]
        [refused] = [one.json() for one in answers if one.status_code == 409]
        assert refused["code"] == "case_claimed"
        assert len(await scenes.sql(services, "SELECT id FROM case_note")) == 1


async def test_the_same_sighting_sent_five_times_is_one(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        first = await seen(suzie, post.id, key="one")
        again = [await seen(suzie, post.id, key="one") for _ in range(4)]
    assert {one.status_code for one in (first, *again)} == {201}
    assert {one.json()["id"] for one in again} == {first.json()["id"]}
    assert len(await scenes.sql(services, "SELECT id FROM case_note")) == 1


async def test_what_is_not_there_any_more_cannot_be_acted_on(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    other = await make.post(services, "stepdad", post.thread_id, "Toad")
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie, make.signed_in(app, "stepdad") as stepdad:
        edit = {"revision": 1, "body_markdown": "She is kind."}
        assert (await stepdad.patch(f"{API}/posts/{post.id}", json=edit)).status_code == 200
        stale = await seen(suzie, post.id)
        assert (stale.status_code, stale.json()["code"], stale.json()["current"]) == (409, "post_changed", 2)
        assert (await seen(suzie, post.id, revision=2)).status_code == 201
        await stepdad.delete(f"{API}/posts/{other.id}")
        gone = await seen(suzie, other.id)
        assert (gone.status_code, gone.json()["code"]) == (409, "post_withdrawn")
        assert (await seen(suzie, 2**40)).status_code == 404


async def test_only_moderators_of_the_board_act_on_sight_and_never_on_their_own_post(
    app: FastAPI, services: Services
) -> None:
    await make.board(services, "court")
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "other", boards=("court",)) as other,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "stepdad") as stepdad,
        make.signed_in(app, "orla", boards=("new-here",)) as orla,
        make.client(app) as guest,
    ):
        for somebody, status in ((other, 403), (magpie, 403), (stepdad, 403), (guest, 401), (orla, 201)):
            assert (await seen(somebody, post.id)).status_code == status
        assert (await seen(magpie, post.id)).json()["code"] == "not_a_moderator"
        mine = await make.post(services, "orla", post.thread_id, "Mine")
        refused = await seen(orla, mine.id)
        assert (refused.status_code, refused.json()["code"]) == (403, "own_post")
    await make.member(services, "robin", Role.MODERATOR)
    await make.sanction(services, "robin", Standing.SILENCED)
    async with make.signed_in(app, "robin") as robin:
        assert (await seen(robin, post.id)).json()["code"] == "account_silenced"


# A report by somebody who may decide


async def test_a_report_by_the_only_moderator_is_a_case_on_sight(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie, make.signed_in(app, "stepdad") as stepdad:
        report = await scenes.report(suzie, post.id)
        assert report.status_code == 201, report.text
        case = await scenes.a_case(suzie, post.id)
        assert (case["claim"]["by"]["handle"], case["reports"], len(case["reported"])) == ("suzie", 0, 1)
        assert (await scenes.decide(suzie, case, WARN)).status_code == 201
        [statement] = (await stepdad.get(f"{API}/me/statements")).json()["items"]
        assert statement["initiative"] == "moderator"
        assert (await suzie.get(f"{API}/me/reports")).json()["items"][0]["outcome"] == "upheld"
        assert (await scenes.report(suzie, post.id)).json()["id"] == report.json()["id"]
    assert "case.opened_on_sight" in await acts(services)


async def test_others_reports_still_count_beside_a_moderators_own(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "stepdad") as stepdad,
    ):
        await scenes.report(magpie, post.id)
        await scenes.report(suzie, post.id)
        case = await scenes.a_case(suzie, post.id)
        assert case["reports"] == 1
        await scenes.decide(suzie, case, WARN)
        [statement] = (await stepdad.get(f"{API}/me/statements")).json()["items"]
        assert statement["initiative"] == "report"


async def test_a_report_on_sight_leaves_the_case_with_whoever_works_on_it(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        assert (await seen(orla, post.id)).status_code == 201
        assert (await scenes.report(suzie, post.id)).status_code == 201
        case = await scenes.a_case(suzie, post.id)
        assert (case["claim"]["by"]["handle"], case["reports"]) == ("orla", 0)


async def test_a_moderator_of_another_board_reports_as_everybody_does(app: FastAPI, services: Services) -> None:
    await make.board(services, "court")
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "other", boards=("court",)) as other,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
    ):
        assert (await scenes.report(other, post.id)).status_code == 201
        case = await scenes.a_case(suzie, post.id)
        assert (case["reports"], case["claim"]) == (1, None)
        assert (await scenes.decide(suzie, case, WARN)).status_code == 201


# A member


async def test_a_member_is_warned_without_a_post_and_appeals(app: FastAPI, services: Services) -> None:
    await scenes.house_rules(services)
    await make.member(services, "stepdad")
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "stepdad") as stepdad,
    ):
        opened = await seen_member(suzie, "stepdad")
        assert opened.status_code == 201, opened.text
        case = await screen(suzie, opened.json()["id"])
        assert (case["kind"], case["post_id"], case["board"], case["posts"]) == ("member", None, None, [])
        assert case["author"]["handle"] == "stepdad"
        about_members = {"rename", "warn", "review", "silence", "suspend", "ban", "dismiss"}
        assert {one["act"] for one in case["permitted"]} == {"claim", *about_members}
        silence = {"kind": "silence", "until": "2100-01-01T00:00:00Z"}
        for measure in (REMOVE, {"kind": "lock"}, {"kind": "retitle", "title": "Other"}):
            refused = await scenes.decide(suzie, case, measure)
            assert (refused.status_code, refused.json()["code"]) == (422, "measure_needs_post")
        assert (await scenes.decide(suzie, case, WARN, silence, revision=None)).status_code == 201
        [statement] = (await stepdad.get(f"{API}/me/statements")).json()["items"]
        assert (statement["post_id"], statement["excerpts"], statement["initiative"]) == (None, [], "moderator")
        assert (await stepdad.get(f"{API}/me/notifications")).json()["items"][0]["kind"] == "statement_issued"
        assert (await orla.get(f"{API}/moderation/members/stepdad")).json()["standing"] == "silenced"
        decided = (await orla.get(f"{API}/moderation/members/stepdad")).json()["decided"]
        assert {(one["kind"], one["post_id"]) for one in decided} == {("warn", None), ("silence", None)}

        assert (await scenes.appeal(stepdad, statement["id"])).status_code == 201
        queue = (await orla.get(f"{API}/moderation/cases")).json()["items"]
        [hearing] = [one for one in queue if one["kind"] == "appeal"]
        assert (await scenes.hear(suzie, hearing["id"], "overturn")).status_code == 403
        assert (await screen(orla, hearing["id"]))["appeal"]["decided_by"] == "Suzie"
        assert (await scenes.hear(orla, hearing["id"], "overturn")).status_code == 201
        assert (await orla.get(f"{API}/moderation/members/stepdad")).json()["standing"] == "active"


async def test_an_appeal_about_a_member_can_change_what_was_decided(app: FastAPI, services: Services) -> None:
    await scenes.house_rules(services)
    await make.member(services, "stepdad")
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "stepdad") as stepdad,
    ):
        case = (await seen_member(suzie, "stepdad")).json()
        made = await scenes.decide(suzie, case, {"kind": "silence", "until": "2100-01-01T00:00:00Z"})
        await scenes.appeal(stepdad, made.json()["statement_id"])
        [hearing] = (await orla.get(f"{API}/moderation/cases")).json()["items"]
        heard = await scenes.hear(orla, hearing["id"], "change", REMOVE, rules=[10])
        assert (heard.status_code, heard.json()["code"]) == (422, "measure_needs_post")
        assert (await scenes.hear(orla, hearing["id"], "change", WARN, rules=[10])).status_code == 201
        statements = (await stepdad.get(f"{API}/me/statements")).json()["items"]
        assert [(one["kind"]) for one in statements[0]["measures"]] == ["warn"]
        assert statements[0]["initiative"] == "moderator"


async def test_a_member_has_one_open_case_and_a_new_one_after_a_decision(app: FastAPI, services: Services) -> None:
    await scenes.house_rules(services)
    await make.member(services, "stepdad")
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        answers = await asyncio.gather(*(seen_member(suzie, "stepdad") for _ in range(4)))
        assert sorted(one.status_code for one in answers) == [200, 200, 200, 201]
        [first] = {one.json()["id"] for one in answers}
        graver = (await seen_member(suzie, "stepdad", category="risk")).json()
        assert (graver["id"], graver["category"]) == (first, "risk")
        assert (await scenes.decide(suzie, graver, WARN)).status_code == 201
        again = await seen_member(suzie, "stepdad")
        assert (again.status_code, again.json()["id"] == first) == (201, False)
    twin = (
        "INSERT INTO moderation_case (id, kind, subject_persona_id, state, category, reports, priority, version,"
        " opened_at, due_at, changed_at) SELECT gen_random_uuid(), kind, subject_persona_id, state, category, 0, 0, 1,"
        " opened_at, due_at, changed_at FROM moderation_case WHERE state = 'open'"
    )
    with pytest.raises(IntegrityError, match="uq_moderation_case_member"):
        await scenes.sql(services, twin)


async def test_only_moderators_of_the_whole_forum_decide_about_members(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "stepdad")
    async with (
        make.signed_in(app, "here", boards=("new-here",)) as here,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
    ):
        assert (await seen_member(magpie, "stepdad")).json()["code"] == "not_a_moderator"
        assert (await seen_member(here, "stepdad")).json()["code"] == "not_a_moderator_of_all"
        assert (await seen_member(suzie, "suzie")).json()["code"] == "own_record"
        assert (await seen_member(suzie, "nobody")).status_code == 404
        assert (await seen_member(suzie, "stepdad", note=" ")).status_code == 422
        case = (await seen_member(suzie, "stepdad")).json()
        assert (await here.get(f"{API}/moderation/cases")).json()["items"] == []
        assert (await here.get(f"{API}/moderation/cases/{case['id']}")).status_code == 404


async def test_an_administrator_is_told_that_a_moderator_decides(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "heron")
    await make.member(services, "orla", Role.MODERATOR)
    thread = await make.thread(services, "heron")
    post = await make.post(services, "heron", thread)
    seen = {"revision": 1, "note": "Rude"}
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        for path, body in ((f"posts/{post.id}", seen), ("members/heron", {"note": "Rude"})):
            answer = await joan.post(f"{API}/moderation/{path}/case", json=body)
            assert (answer.status_code, answer.json()["code"]) == (403, "another_moderator_decides"), path
    assert await sql(services, "SELECT count(*) FROM moderation_case") == [(0,)]
