"""Reports of names: who may, what the case shows, what is told, and what is forgotten."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.core import clock
from forum.http.services import Services
from forum.members.tables import FORMER, Role, Standing
from tests.support import make
from tests.support.jobs import clean_up, run_due_jobs, run_hourly_jobs
from tests.support.scenes import API, DISMISS, WARN, decide, hear, house_rules, sql

TELLING = "jamie-smiths-mum"
NEUTRAL = {"kind": "rename", "handle": "neutral"}


@pytest.fixture(autouse=True)
async def somebody(services: Services) -> None:
    """A member whose handle says whose mother she is."""
    await house_rules(services)
    await make.member(services, TELLING)
    await sql(services, "UPDATE member SET name = 'Jamie''s mum' WHERE handle = :handle", handle=TELLING)


async def report(client: httpx.AsyncClient, handle: str = TELLING, **changes: Any) -> httpx.Response:
    complaint = {"category": "personal_information", "note": "That is her son.", **changes}
    return await client.post(f"{API}/members/{handle}/reports", json=complaint)


async def queue(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await client.get(f"{API}/moderation/cases")).json()["items"]
    return items


async def the_case(client: httpx.AsyncClient, kind: str = "member") -> dict[str, Any]:
    [found] = [case for case in await queue(client) if case["kind"] == kind]
    screen: dict[str, Any] = (await client.get(f"{API}/moderation/cases/{found['id']}")).json()
    return screen


async def mine(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await client.get(f"{API}/me/reports")).json()["items"]
    return items


async def hourly(services: Services) -> None:
    async with services.database.work() as session:
        await clean_up(session, clock.now())


@pytest.mark.parametrize(
    ("who", "handle", "changes", "status", "code"),
    [
        ("magpie", TELLING, {}, 201, None),
        ("magpie", TELLING.upper(), {}, 201, None),
        (TELLING, TELLING, {}, 403, "own_name"),
        (TELLING, TELLING, {"category": "risk"}, 403, "own_name"),
        ("silent", TELLING, {}, 403, "account_silenced"),
        ("silent", TELLING, {"category": "risk"}, 201, None),
        ("magpie", "nobody-here", {}, 404, "member_not_found"),
        ("magpie", TELLING, {"category": "rule"}, 422, "rule_missing"),
        ("magpie", TELLING, {"category": "rule", "rules": [99]}, 422, "rule_not_found"),
        ("magpie", TELLING, {"revision": 1}, 422, None),
    ],
)
async def test_who_may_report_which_name(
    app: FastAPI,
    services: Services,
    who: str,
    handle: str,
    changes: dict[str, Any],
    status: int,
    code: str | None,
) -> None:
    if who != TELLING:
        await make.member(services, who)
    if who == "silent":
        await make.sanction(services, who, Standing.SILENCED)
    async with make.signed_in(app, who) as client:
        answer = await report(client, handle, **changes)
    assert answer.status_code == status, answer.text
    if code:
        faults = answer.json().get("errors", [answer.json()])
        assert code in {answer.json()["code"], *(fault["code"] for fault in faults)}


async def test_a_guest_cannot_report_a_name(guest: httpx.AsyncClient) -> None:
    assert (await report(guest)).status_code == 401


async def test_the_screen_shows_the_name_that_was_reported_also_when_its_member_has_another(
    app: FastAPI, services: Services
) -> None:
    async with (
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, TELLING) as member,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
    ):
        filed = (await report(magpie)).json()
        assert (filed["post_id"], filed["revision"]) == (None, None)
        assert (filed["reported_handle"], filed["reported_name"]) == (TELLING, "Jamie's mum")
        assert (await member.patch(f"{API}/me", json={"name": "A swift"})).status_code == 200
        assert (await member.put(f"{API}/me/handle", json={"handle": "quiet-tern"})).status_code == 200
        await run_due_jobs(services, clock.now() + timedelta(minutes=1))
        await hourly(services)
        case = await the_case(suzie)
        assert (case["category"], case["reports"], case["author"]["handle"]) == (
            "personal_information",
            1,
            "quiet-tern",
        )
        [seen] = case["reported"]
        assert (seen["by"]["handle"], seen["note"]) == ("magpie", "That is her son.")
        assert (seen["reported_handle"], seen["reported_name"]) == (TELLING, "Jamie's mum")

        assert (await decide(suzie, case, DISMISS)).status_code == 201
        await hourly(services)
        [own] = await mine(magpie)
        assert (own["outcome"], own["reported_handle"], own["reported_name"]) == ("dismissed", None, "Jamie's mum")


async def test_those_who_may_decide_are_told_and_the_reporter_and_never_the_member(
    app: FastAPI, services: Services
) -> None:
    async with (
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, TELLING) as member,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
    ):
        await report(magpie)
        await run_due_jobs(services, clock.now() + timedelta(minutes=1))

        async def told(client: httpx.AsyncClient) -> list[str]:
            return [one["kind"] for one in (await client.get(f"{API}/me/notifications")).json()["items"]]

        assert (await told(suzie), await told(magpie), await told(member)) == (
            ["case_waiting"],
            ["report_received"],
            [],
        )
        made = await decide(suzie, await the_case(suzie), WARN)
        assert made.status_code == 201, made.text
        assert await told(magpie) == ["report_settled", "report_received"]
        [own] = await mine(magpie)
        assert (own["outcome"], own["case_id"]) == ("upheld", None)
        everything = (await member.get(f"{API}/me/statements")).text + (await member.get(f"{API}/me")).text
        assert "agpie" not in everything


async def test_the_same_name_is_one_report_and_a_graver_one_or_another_name_a_new_one(
    app: FastAPI, services: Services
) -> None:
    async with (
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "robin") as robin,
        make.signed_in(app, TELLING) as member,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
    ):
        answers = await asyncio.gather(*(report(magpie, category="other") for _ in range(4)))
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert ((await the_case(suzie))["reports"], (await the_case(suzie))["version"]) == (1, 1)
        await report(robin, category="spam")
        await report(magpie, category="risk")
        case = await the_case(suzie)
        assert (case["category"], case["reports"]) == ("risk", 2)
        assert (await member.patch(f"{API}/me", json={"name": "Jamie S"})).status_code == 200
        again = await report(magpie, category="other")
        assert again.json()["reported_name"] == "Jamie S"
        assert [one["category"] for one in (await the_case(suzie))["reported"]] == ["other", "spam", "risk", "other"]
        assert len(await mine(magpie)) == 3


@pytest.mark.parametrize(
    ("measure", "category", "outcome"),
    [(DISMISS, "other", "dismissed"), (WARN, "other", "upheld"), (DISMISS, "risk", None)],
)
async def test_what_was_decided_about_a_name_stands_unless_something_graver_is_said(
    app: FastAPI, services: Services, measure: dict[str, Any], category: str, outcome: str | None
) -> None:
    async with (
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "robin") as robin,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
    ):
        await report(magpie)
        assert (await decide(suzie, await the_case(suzie), measure)).status_code == 201
        assert (await report(robin, category=category)).json()["outcome"] == outcome
        assert len(await queue(suzie)) == (outcome is None)


async def test_a_dismissal_is_appealed_heard_by_another_and_decided_again(app: FastAPI, services: Services) -> None:
    async with (
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        filed = (await report(magpie)).json()
        assert (await decide(suzie, await the_case(suzie), DISMISS)).status_code == 201
        appealed = await magpie.post(f"{API}/reports/{filed['id']}/appeal", json={"text": "It is her real son."})
        assert appealed.status_code == 201, appealed.text
        screen = await the_case(orla, "appeal")
        assert [one["reported_handle"] for one in screen["reported"]] == [TELLING]
        heard = await hear(orla, screen["id"], "overturn")
        assert heard.status_code == 201, heard.text

        case = await the_case(orla)
        assert (case["reports"], [one["id"] for one in case["reported"]]) == (1, [filed["id"]])
        assert (await decide(suzie, case, WARN)).json()["code"] == "own_dismissal"
        assert (await decide(orla, case, NEUTRAL)).status_code == 201
        [own] = await mine(magpie)
        assert (own["outcome"], own["appeal"]["outcome"]) == ("upheld", "overturn")


async def test_an_appeal_that_changes_the_dismissal_upholds_the_report(app: FastAPI, services: Services) -> None:
    async with (
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        filed = (await report(magpie)).json()
        await decide(suzie, await the_case(suzie), DISMISS)
        await magpie.post(f"{API}/reports/{filed['id']}/appeal", json={"text": "It is her real son."})
        screen = await the_case(orla, "appeal")
        heard = await hear(orla, screen["id"], "change", NEUTRAL, rules=[10])
        assert heard.status_code == 201, heard.text
        assert (await mine(magpie))[0]["outcome"] == "upheld"


async def test_a_moderators_report_is_a_case_on_sight_and_they_do_not_hear_the_appeal(
    app: FastAPI, services: Services
) -> None:
    async with (
        make.signed_in(app, TELLING) as member,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "femi", Role.MODERATOR) as femi,
    ):
        assert (await report(suzie)).json()["case_id"]
        case = await the_case(suzie)
        assert (case["claim"]["by"]["handle"], case["reports"]) == ("suzie", 0)
        await suzie.delete(f"{API}/moderation/cases/{case['id']}/claim")
        made = await decide(orla, case, WARN)
        assert made.status_code == 201, made.text
        lodged = await member.post(f"{API}/statements/{made.json()['statement_id']}/appeal", json={"text": "No."})
        assert lodged.status_code == 201
        screen = await the_case(femi, "appeal")
        assert (await hear(suzie, screen["id"], "uphold")).json()["code"] == "own_report"
        assert (await hear(femi, screen["id"], "uphold")).status_code == 201


async def test_with_a_key_a_report_is_made_once(app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, "magpie") as magpie:
        headers = {"Idempotency-Key": "5b4b8a1e8d5a4d0f9c3e2a7b6c5d4e3f"}
        complaint = {"category": "other", "note": "Hm"}
        url = f"{API}/members/{TELLING}/reports"
        first = await magpie.post(url, json=complaint, headers=headers)
        # Also when the member has another handle meanwhile.
        await sql(services, "UPDATE member SET handle = 'tern', skeleton = 'tern' WHERE handle = :old", old=TELLING)
        again = await magpie.post(url, json=complaint, headers=headers)
        assert (again.status_code, again.json()) == (201, first.json())


async def test_of_somebody_who_leaves_no_reported_name_stays(app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, "magpie") as magpie, make.signed_in(app, TELLING) as member:
        await report(magpie)
        assert (await member.put(f"{API}/me/departure", json={"kind": "leave"})).status_code == 200
        await run_hourly_jobs(services, clock.now() + timedelta(days=14, minutes=1))
        assert (await report(magpie)).status_code == 404
        [own] = await mine(magpie)
        assert (own["reported_handle"], own["reported_name"], own["outcome"]) == (None, FORMER, None)
