"""The rules, as administrators write them: every change a new version, none forgotten."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI

from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role
from moderation import rule_changes
from tests.support import make, scenes
from tests.support.jobs import run_due_jobs
from tests.support.scenes import API

RULES = f"{API}/moderation/rules"


def words(version: int, **changes: Any) -> dict[str, Any]:
    return {"version": version, "title": "Be kind", "text": "Kinder than before.", **changes}


async def test_a_change_makes_a_new_version_and_a_new_edition_and_keeps_the_old(
    app: FastAPI, services: Services
) -> None:
    await scenes.house_rules(services)
    async with make.signed_in(app, "boss", Role.ADMINISTRATOR) as boss:
        before = (await boss.get(f"{API}/rules")).json()
        changed = await boss.put(f"{RULES}/10", json=words(1))
        assert (changed.status_code, changed.json()["version"]) == (200, 2)
        after = (await boss.get(f"{API}/rules")).json()
        versions = (await boss.get(f"{API}/rules/10")).json()["items"]
        log = (await boss.get(f"{API}/moderation/log?act=rule.written")).json()["items"]
    assert after["version"] == before["version"] + 1
    assert after["items"][:9] == before["items"][:9]
    assert (after["items"][9]["text"], after["items"][9]["since"] > before["items"][9]["since"]) == (
        "Kinder than before.",
        True,
    )
    assert [one["text"] for one in versions] == [before["items"][9]["text"], "Kinder than before."]
    assert [(entry["subject_id"], entry["details"]) for entry in log] == [("10", {"version": 2})]


async def test_a_new_rule_begins_at_version_one(app: FastAPI, services: Services) -> None:
    await scenes.house_rules(services)
    async with make.signed_in(app, "boss", Role.ADMINISTRATOR) as boss:
        assert (await boss.put(f"{RULES}/11", json=words(0))).json()["version"] == 1
        assert len((await boss.get(f"{API}/rules")).json()["items"]) == 11


@pytest.mark.parametrize(("number", "version", "current"), [(10, 0, 1), (10, 2, 1), (11, 1, 0)])
async def test_a_change_of_another_version_than_the_one_on_the_screen_is_refused(
    app: FastAPI, services: Services, number: int, version: int, current: int
) -> None:
    await scenes.house_rules(services)
    async with make.signed_in(app, "boss", Role.ADMINISTRATOR) as boss:
        stale = await boss.put(f"{RULES}/{number}", json=words(version))
    assert (stale.status_code, stale.json()["current"]) == (409, current)


async def test_two_administrators_at_once_lose_nothing(app: FastAPI, services: Services) -> None:
    await scenes.house_rules(services)
    async with make.signed_in(app, "boss", Role.ADMINISTRATOR) as boss:
        others = await asyncio.gather(*(boss.put(f"{RULES}/{number}", json=words(1)) for number in (1, 2, 3, 4)))
        assert [one.status_code for one in others] == [200] * 4
        same = await asyncio.gather(*(boss.put(f"{RULES}/5", json=words(1)) for _ in range(3)))
        assert sorted(one.status_code for one in same) == [200, 409, 409]
        assert (await boss.get(f"{API}/rules")).json()["version"] == 6


@pytest.mark.parametrize(("roles", "status"), [((), 403), ((Role.MODERATOR,), 403), ((Role.ADMINISTRATOR,), 200)])
async def test_only_administrators_write_rules(
    app: FastAPI, services: Services, roles: tuple[Role, ...], status: int
) -> None:
    await scenes.house_rules(services)
    async with make.signed_in(app, "ada", *roles) as ada:
        assert (await ada.put(f"{RULES}/1", json=words(1))).status_code == status


@pytest.mark.parametrize("change", [{"title": " "}, {"text": "\n"}, {"title": "x" * 121}, {"text": "x" * 5001}])
async def test_a_rule_says_something(app: FastAPI, services: Services, change: dict[str, str]) -> None:
    async with make.signed_in(app, "boss", Role.ADMINISTRATOR) as boss:
        assert (await boss.put(f"{RULES}/1", json=words(0, **change))).status_code == 422


async def test_members_are_told_once_that_the_rules_changed(app: FastAPI, services: Services) -> None:
    await scenes.house_rules(services)
    async with make.signed_in(app, "boss", Role.ADMINISTRATOR) as boss, make.signed_in(app, "heron") as heron:

        async def news() -> list[bool]:
            """Of each time that Heron was told, whether it was read."""
            await run_due_jobs(services, clock.now() + timedelta(seconds=1))
            items = (await heron.get(f"{API}/me/notifications")).json()["items"]
            assert {item["kind"] for item in items} <= {"rules_changed"}
            return [item["read_at"] is not None for item in items]

        assert await news() == []
        for number in (3, 4):
            assert (await boss.put(f"{RULES}/{number}", json=words(1))).status_code == 200
        assert await news() == [False]
        assert (await heron.get(f"{API}/me")).json()["rules_accepted"] is False
        newest = (await heron.get(f"{API}/me/notifications")).json()["items"][0]["id"]
        assert (await heron.put(f"{API}/me/notifications/read", json={"up_to": newest})).status_code == 204
        assert (await boss.put(f"{RULES}/5", json=words(1))).status_code == 200
        assert await news() == [False, True]


async def test_whoever_has_accepted_the_new_rules_already_is_not_told(
    app: FastAPI, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rule_changes, "BATCH", 1)
    await scenes.house_rules(services)
    async with (
        make.signed_in(app, "boss", Role.ADMINISTRATOR) as boss,
        make.signed_in(app, "heron") as heron,
        make.signed_in(app, "magpie") as magpie,
    ):
        assert (await boss.put(f"{RULES}/3", json=words(1))).status_code == 200
        assert (await heron.put(f"{API}/me/rules-acceptance", json={"edition": 2})).status_code == 200
        await run_due_jobs(services, clock.now() + timedelta(seconds=1))
        unread = [(await who.get(f"{API}/me/notifications")).json()["unread"] for who in (boss, heron, magpie)]
    assert unread == [1, 0, 1]
