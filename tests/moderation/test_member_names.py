"""Names and handles pass the gate as posts do; what moderators took does not come back by its member's hand."""

import httpx
from fastapi import FastAPI

from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make
from tests.support.scenes import API, appeal, decide, hear, house_rules, sql

RENAME = {"kind": "rename", "name": "A swift"}


async def name_of(services: Services, handle: str) -> str:
    [[name]] = await sql(services, "SELECT name FROM member WHERE handle = :handle", handle=handle)
    return str(name)


async def the_case(client: httpx.AsyncClient, kind: str = "member") -> dict[str, object]:
    [found] = [case for case in (await client.get(f"{API}/moderation/cases")).json()["items"] if case["kind"] == kind]
    screen: dict[str, object] = (await client.get(f"{API}/moderation/cases/{found['id']}")).json()
    return screen


async def test_a_name_that_gives_away_a_number_is_renamed_and_does_not_come_back(
    app: FastAPI, services: Services
) -> None:
    await house_rules(services)
    async with (
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        telling = {"name": "Ring 020 7946 0018"}
        assert (await magpie.patch(f"{API}/me", json=telling)).status_code == 200
        case = await the_case(suzie)
        assert case["category"] == "personal_information"
        made = await decide(suzie, case, RENAME)
        assert made.status_code == 201, made.text
        assert await name_of(services, "magpie") == "A swift"

        for name in (telling["name"], "RING 020 7946\u20090018"):
            refused = await magpie.patch(f"{API}/me", json={"name": name})
            assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "name_held")
        assert (await magpie.patch(f"{API}/me", json={"name": "Another bird"})).status_code == 200
        assert (await magpie.patch(f"{API}/me", json={"name": "A swift"})).status_code == 200

        assert (await appeal(magpie, made.json()["statement_id"])).status_code == 201
        heard = await hear(orla, str((await the_case(orla, "appeal"))["id"]), "overturn")
        assert heard.status_code == 201, heard.text
        assert await name_of(services, "magpie") == telling["name"]


async def test_what_is_harmless_opens_no_case(app: FastAPI, services: Services, guest: httpx.AsyncClient) -> None:
    assert (await guest.post(f"{API}/members", json=make.joining("quiet-heron", name="Heron 7"))).status_code == 201
    assert await sql(services, "SELECT 1 FROM moderation_case") == []


async def test_a_telling_name_is_found_when_somebody_joins(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    joining = make.joining("quiet-heron", name="heron@example.org")
    assert (await guest.post(f"{API}/members", json=joining)).status_code == 201
    assert await sql(services, "SELECT kind, category FROM moderation_case") == [("member", "personal_information")]
