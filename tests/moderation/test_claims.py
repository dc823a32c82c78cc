"""Claims: who is at a case, and how it comes free."""

import asyncio
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from forum.core import clock
from forum.core.errors import Conflict
from forum.http.services import Services
from forum.members.tables import Role
from moderation import case_actions
from tests.support import make, scenes
from tests.support.scenes import API


async def a_case(app: FastAPI, services: Services, suzie: httpx.AsyncClient) -> dict[str, Any]:
    """An open case."""
    post = await scenes.a_post(services)
    async with make.signed_in(app, "magpie") as magpie:
        await scenes.report(magpie, post.id)
    return await scenes.a_case(suzie, post.id)


def claim_of(case: dict[str, Any]) -> str:
    return f"{API}/moderation/cases/{case['id']}/claim"


async def run_out(services: Services) -> None:
    """Ten minutes pass."""
    await scenes.sql(services, "UPDATE case_claim SET until = now() - interval '1 second'")


async def test_of_many_who_claim_at_once_one_has_the_case(app: FastAPI, services: Services) -> None:
    async with AsyncExitStack() as stack:
        team = [
            await stack.enter_async_context(make.signed_in(app, handle, Role.MODERATOR))
            for handle in ("suzie", "orla", "finn", "dara")
        ]
        case = await a_case(app, services, team[0])
        answers = await asyncio.gather(*(one.put(claim_of(case)) for one in team))
    winners = [one.json()["by"]["name"] for one in answers if one.status_code == 200]
    assert sorted(one.status_code for one in answers) == [200, 409, 409, 409]
    for loser in (one.json() for one in answers if one.status_code == 409):
        assert loser["changed_by"]["name"] == winners[0]
        assert loser["changed_at"] < loser["until"]


async def test_a_claim_lasts_ten_minutes_and_claiming_again_renews_it(app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        case = await a_case(app, services, suzie)
        before = clock.now()
        first, again = [datetime.fromisoformat((await suzie.put(claim_of(case))).json()["until"]) for _ in range(2)]
    assert before + timedelta(minutes=10) <= first < again <= clock.now() + timedelta(minutes=10)


async def test_an_expired_claim_is_free_to_take(app: FastAPI, services: Services) -> None:
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        case = await a_case(app, services, suzie)
        await suzie.put(claim_of(case))
        await run_out(services)
        assert (await orla.get(f"{API}/moderation/cases/{case['id']}")).json()["claim"] is None
        assert (await orla.put(claim_of(case))).status_code == 200
        assert (await suzie.put(claim_of(case))).json()["changed_by"]["name"] == "Orla"
        assert await scenes.sql(services, "SELECT count(*) FROM case_claim") == [(1,)]


async def test_taking_over_needs_a_reason_which_the_others_read(app: FastAPI, services: Services) -> None:
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        case = await a_case(app, services, suzie)
        await suzie.put(claim_of(case))
        assert (await orla.put(claim_of(case))).status_code == 409
        assert (await orla.put(claim_of(case), json={})).status_code == 409
        assert (await orla.put(claim_of(case), json={"reason": ""})).status_code == 422
        assert (await orla.put(claim_of(case), json={"reason": "  "})).status_code == 422
        taken = await orla.put(claim_of(case), json={"reason": "Suzie fell ill."})
        assert (taken.status_code, taken.json()["by"]["handle"]) == (200, "orla")
        screen = (await suzie.get(f"{API}/moderation/cases/{case['id']}")).json()
        assert [note["text"] for note in screen["notes"]] == ["Suzie fell ill."]
        log = (await suzie.get(f"{API}/moderation/log?act=case.taken_over")).json()["items"]
        assert [entry["subject_id"] for entry in log] == [case["id"]]
        assert (await scenes.decide(suzie, case, scenes.DISMISS)).status_code == 409


async def test_a_note_by_whoever_is_at_the_case_renews_the_claim_and_another_s_does_not(
    app: FastAPI, services: Services
) -> None:
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        case = await a_case(app, services, suzie)
        first = (await suzie.put(claim_of(case))).json()["until"]
        notes = f"{API}/moderation/cases/{case['id']}/notes"
        await orla.post(notes, json={"text": "Look at his last post."})
        screen = (await suzie.get(f"{API}/moderation/cases/{case['id']}")).json()
        assert screen["claim"]["until"] == first
        await suzie.post(notes, json={"text": "I did."})
        screen = (await suzie.get(f"{API}/moderation/cases/{case['id']}")).json()
        assert screen["claim"]["until"] > first


async def test_a_claim_is_released_by_hand_and_only_ones_own(app: FastAPI, services: Services) -> None:
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        case = await a_case(app, services, suzie)
        await suzie.put(claim_of(case))
        assert (await orla.delete(claim_of(case))).status_code == 204
        assert (await orla.put(claim_of(case))).status_code == 409
        assert (await suzie.delete(claim_of(case))).status_code == 204
        assert (await suzie.delete(claim_of(case))).status_code == 204
        assert (await orla.put(claim_of(case))).status_code == 200
        log = (await suzie.get(f"{API}/moderation/log?act=case.released")).json()["items"]
        assert len(log) == 1


async def test_a_decision_releases_the_claim_and_a_decided_case_cannot_be_claimed(
    app: FastAPI, services: Services
) -> None:
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        case = await a_case(app, services, suzie)
        await suzie.put(claim_of(case))
        assert (await scenes.decide(suzie, case, scenes.DISMISS)).status_code == 201
        assert await scenes.sql(services, "SELECT count(*) FROM case_claim") == [(0,)]
        late = await orla.put(claim_of(case), json={"reason": "Let me"})
        assert (late.status_code, late.json()["changed_by"]["name"]) == (409, "Suzie")


async def test_deciding_without_a_claim_is_allowed_only_when_nobody_holds_one(app: FastAPI, services: Services) -> None:
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        case = await a_case(app, services, suzie)
        await suzie.put(claim_of(case))
        refused = await scenes.decide(orla, case, scenes.DISMISS)
        assert (refused.status_code, refused.json()["changed_by"]["name"]) == (409, "Suzie")
        await run_out(services)
        assert (await scenes.decide(orla, case, scenes.DISMISS)).status_code == 201


async def test_nobody_takes_a_case_that_they_may_not_decide(app: FastAPI, services: Services) -> None:
    await make.member(services, "stepdad", Role.MODERATOR)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "stepdad") as author,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        case = await a_case(app, services, suzie)
        await orla.put(f"{scenes.API}/moderation/cases/{case['id']}/recusal")
        for close, status in ((author, 404), (orla, 403)):
            assert (await close.put(claim_of(case))).status_code == status
            assert (await close.put(claim_of(case), json={"reason": "Mine"})).status_code == status


async def test_stepping_back_is_for_good_and_frees_the_case(app: FastAPI, services: Services) -> None:
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        case = await a_case(app, services, suzie)
        await suzie.put(claim_of(case))
        recusal = f"{API}/moderation/cases/{case['id']}/recusal"
        assert [(await suzie.put(recusal)).status_code for _ in range(2)] == [204, 204]
        assert (await suzie.put(claim_of(case))).status_code == 403
        assert (await scenes.decide(suzie, case, scenes.DISMISS)).status_code == 403
        assert (await scenes.decide(orla, case, scenes.DISMISS)).status_code == 201


async def test_the_action_tells_who_is_working_on_a_case_and_until_when(app: FastAPI, services: Services) -> None:
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR),
    ):
        case = await a_case(app, services, suzie)
        await suzie.put(claim_of(case))
    orla = await make.viewer(services, "orla")
    later = clock.now() + timedelta(minutes=10, seconds=1)
    with pytest.raises(Conflict, match="Suzie is working on this case") as refused:
        async with services.transactions(clock.now()).begin() as work:
            await case_actions.claim(work, orla, UUID(case["id"]))
    assert refused.value.facts["until"] < later
    async with services.transactions(later).begin() as work:
        assert await case_actions.claim(work, orla, UUID(case["id"])) == later + case_actions.CLAIM_LASTS
