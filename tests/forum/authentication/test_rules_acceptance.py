"""The rules are accepted when joining, and again when there is a newer edition."""

import json
from io import BytesIO
from zipfile import ZipFile

import httpx
import pytest
from fastapi import FastAPI

from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make
from tests.support.jobs import run_due_jobs
from tests.support.scenes import API, house_rules, sql

CHANGE = {"version": 1, "title": "Respect other members", "text": "Be kind, also when you disagree."}


async def accepted(client: httpx.AsyncClient) -> tuple[int | None, bool]:
    me = (await client.get(f"{API}/me")).json()
    return me["rules_version"], me["rules_accepted"]


async def accept(client: httpx.AsyncClient, edition: int) -> httpx.Response:
    return await client.put(f"{API}/me/rules-acceptance", json={"edition": edition})


async def test_a_profile_says_whether_the_present_rules_are_accepted(app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        assert await accepted(heron) == (None, True)  # there is nothing to accept
        await house_rules(services)
        assert await accepted(heron) == (None, False)
        answer = await accept(heron, 1)
        assert (answer.status_code, answer.json()["rules_accepted"]) == (200, True)
        assert await accepted(heron) == (1, True)
        assert (await joan.put(f"{API}/moderation/rules/10", json=CHANGE)).status_code == 200
        assert await accepted(heron) == (1, False)
        old = await accept(heron, 1)
        assert (old.status_code, old.json()["code"], old.json()["current"]) == (409, "rules_changed", 2)
        assert (await accept(heron, 2)).status_code == 200
        assert await accepted(heron) == (2, True)


@pytest.mark.parametrize("edition", [2, 2**31 - 1])
async def test_only_rules_that_there_are_can_be_accepted(app: FastAPI, services: Services, edition: int) -> None:
    async with make.signed_in(app, "heron") as heron:
        assert (await accept(heron, edition)).json()["code"] == "rules_version_not_found"
        await house_rules(services)
        refused = await accept(heron, edition)
    assert (refused.status_code, refused.json()["code"]) == (422, "rules_version_not_found")
    assert refused.json()["errors"][0]["pointer"] == "#/edition"


async def test_the_first_time_counts_and_is_in_the_copy(app: FastAPI, services: Services) -> None:
    await house_rules(services)
    async with make.signed_in(app, "heron") as heron:
        first = await accept(heron, 1)
        [before] = await sql(services, "SELECT * FROM rules_acceptance")
        assert (await accept(heron, 1)).json() == first.json()
        assert await sql(services, "SELECT * FROM rules_acceptance") == [before]
        place = (await heron.post(f"{API}/me/exports")).headers["Location"]
        await run_due_jobs(services, clock.now())
        archive = ZipFile(BytesIO((await heron.get(f"{place}/archive")).content))
    assert [item["edition"] for item in json.loads(archive.read("data/rules.json"))] == [1]


async def test_whoever_joins_accepts_them_there(guest: httpx.AsyncClient, services: Services) -> None:
    await house_rules(services)
    joined = await guest.post(f"{API}/members", json=make.joining("heron", rules_version=1))
    assert joined.json()["rules_accepted"] is True
    assert [row.edition for row in await sql(services, "SELECT edition FROM rules_acceptance")] == [1]


async def test_a_guest_accepts_nothing(guest: httpx.AsyncClient) -> None:
    assert (await accept(guest, 1)).status_code == 401
