"""The house rules: ten to begin with, numbered, versioned, adopted once and never forgotten."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select

from forum.core import clock
from forum.core.errors import Stale
from forum.http.services import Services
from forum.members.tables import Role, RulesEdition
from moderation import rules
from moderation.rules import Rule, RuleDraft
from tests.support import make

API = "/api/v1"


async def _adopt(services: Services) -> bool:
    async with services.database.work() as session:
        return await rules.adopt_house_rules(session, clock.now())


async def _write(services: Services, handle: str, number: int, version: int, title: str) -> None:
    administrator = await make.viewer(services, handle)
    async with services.transactions(clock.now()).begin() as work:
        await rules.write_rule(work, administrator, number, RuleDraft(version, title, "In other words."))


async def test_a_new_forum_has_ten_rules_and_the_tenth_is_about_respect(
    services: Services, guest: httpx.AsyncClient
) -> None:
    before = clock.now()
    assert await _adopt(services)
    answer = await guest.get(f"{API}/rules")
    assert answer.status_code == 200
    told = answer.json()
    assert (told["version"], told["next"]) == (1, None)
    assert [(rule["number"], rule["version"]) for rule in told["items"]] == [(number, 1) for number in range(1, 11)]
    assert all(rule["title"].strip() and len(rule["text"]) > 50 for rule in told["items"])
    assert len({rule["title"] for rule in told["items"]}) == 10
    assert len({rule["since"] for rule in told["items"]}) == 1
    assert told["items"][0]["since"] >= before.isoformat().replace("+00:00", "Z")
    assert told["items"][9]["title"] == "Respect other members and the professionals you mention"


async def test_a_forum_without_rules_says_so(guest: httpx.AsyncClient) -> None:
    assert (await guest.get(f"{API}/rules")).json() == {"version": 0, "items": [], "next": None}


async def test_the_house_rules_are_adopted_once(services: Services, guest: httpx.AsyncClient) -> None:
    assert await _adopt(services)
    first = (await guest.get(f"{API}/rules")).json()
    assert not await _adopt(services)
    assert (await guest.get(f"{API}/rules")).json() == first


async def test_two_processes_that_start_at_once_adopt_them_once(services: Services) -> None:
    assert sorted(await asyncio.gather(*(_adopt(services) for _ in range(4)))) == [False, False, False, True]
    async with services.database.work() as session:
        assert (await session.execute(select(func.count()).select_from(Rule))).scalar_one() == 10
        assert (await session.execute(select(func.count()).select_from(RulesEdition))).scalar_one() == 1


async def test_rules_that_an_administrator_wrote_are_not_replaced(services: Services, guest: httpx.AsyncClient) -> None:
    await make.member(services, "joan", Role.ADMINISTRATOR)
    await _write(services, "joan", 1, 0, "Our own first rule")
    assert not await _adopt(services)
    assert [rule["title"] for rule in (await guest.get(f"{API}/rules")).json()["items"]] == ["Our own first rule"]


async def test_a_member_accepts_the_rules_in_a_version_that_there_is(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await _adopt(services)
    unknown = await guest.post(f"{API}/members", json=make.joining("heron", rules_version=2))
    assert (unknown.status_code, unknown.json()["errors"][0]["pointer"]) == (422, "#/rules_version")
    joined = await guest.post(f"{API}/members", json=make.joining("heron", rules_version=1))
    assert (joined.status_code, joined.json()["rules_version"]) == (201, 1)


async def test_a_changed_rule_keeps_its_number_and_its_earlier_words(
    services: Services, guest: httpx.AsyncClient
) -> None:
    await _adopt(services)
    await make.member(services, "joan", Role.ADMINISTRATOR)
    await _write(services, "joan", 10, 1, "Respect everybody")
    told = (await guest.get(f"{API}/rules")).json()
    assert (told["version"], len(told["items"])) == (2, 10)
    assert (told["items"][9]["version"], told["items"][9]["title"]) == (2, "Respect everybody")
    assert [rule["version"] for rule in told["items"][:9]] == [1] * 9
    async with services.database.work() as session:
        both = (await session.execute(rules.VERSIONS.query, {"number": 10})).all()
    assert [(row.version, row.edition) for row in both] == [(1, 1), (2, 2)]
    with pytest.raises(Stale) as refused:
        await _write(services, "joan", 10, 1, "Respect nobody")
    assert refused.value.facts["current"] == 2


async def test_two_administrators_at_once_bring_two_editions_and_lose_nothing(
    services: Services, guest: httpx.AsyncClient
) -> None:
    await _adopt(services)
    await make.member(services, "joan", Role.ADMINISTRATOR)
    await make.member(services, "marge", Role.ADMINISTRATOR)
    writing = [
        _write(services, ("joan", "marge")[number % 2], number, 1, f"Rule {number} anew") for number in range(1, 6)
    ]
    await asyncio.gather(*writing)
    told = (await guest.get(f"{API}/rules")).json()
    assert told["version"] == 6
    assert [rule["title"] for rule in told["items"][:5]] == [f"Rule {number} anew" for number in range(1, 6)]


async def test_of_two_who_rewrite_one_rule_at_once_one_is_refused(services: Services) -> None:
    await _adopt(services)
    await make.member(services, "joan", Role.ADMINISTRATOR)
    titles = ("One", "Another")
    done = await asyncio.gather(*(_write(services, "joan", 3, 1, title) for title in titles), return_exceptions=True)
    assert sorted(type(result) for result in done if result is not None) == [Stale]
