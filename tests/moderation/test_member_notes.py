"""Notes on a member: moderators write and read them, nobody changes them, and the member never sees one."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make

MEMBERS = "/api/v1/moderation/members"
EVENINGS = "She asked us to write to her in the evenings only."


@pytest.fixture
async def orla(app: FastAPI, services: Services) -> AsyncIterator[httpx.AsyncClient]:
    await make.member(services, "stepmum")
    async with make.signed_in(app, "orla", Role.MODERATOR) as client:
        yield client


async def test_every_moderator_reads_the_notes_newest_first_with_who_wrote_them(
    app: FastAPI, services: Services, orla: httpx.AsyncClient
) -> None:
    await make.board(services)
    written = await orla.post(f"{MEMBERS}/Stepmum/notes", json={"text": EVENINGS})
    assert written.status_code == 201, written.text
    assert (written.json()["by"]["handle"], written.json()["text"]) == ("orla", EVENINGS)
    async with make.signed_in(app, "bobby", boards=("new-here",)) as bobby:
        assert (await bobby.post(f"{MEMBERS}/stepmum/notes", json={"text": "Seen."})).status_code == 201
        first = (await bobby.get(f"{MEMBERS}/stepmum/notes?limit=1")).json()
        assert [(note["text"], note["by"]["handle"]) for note in first["items"]] == [("Seen.", "bobby")]
        rest = (await bobby.get(f"{MEMBERS}/stepmum/notes?after={first['next']}")).json()
        assert ([note["text"] for note in rest["items"]], rest["next"]) == ([EVENINGS], None)


@pytest.mark.parametrize("role", [None, *Role])
async def test_nobody_reads_or_writes_notes_on_themselves(
    app: FastAPI, orla: httpx.AsyncClient, services: Services, role: Role | None
) -> None:
    await make.member(services, "tern", *([role] if role else []))
    await orla.post(f"{MEMBERS}/tern/notes", json={"text": EVENINGS})
    async with make.signed_in(app, "tern") as tern:
        for answer in (
            await tern.get(f"{MEMBERS}/tern/notes"),
            await tern.post(f"{MEMBERS}/tern/notes", json={"text": "No."}),
        ):
            assert answer.status_code == 403
            assert EVENINGS not in answer.text
        for address in ("/api/v1/me", "/api/v1/moderation/log", f"{MEMBERS}/tern"):
            assert EVENINGS not in (await tern.get(address)).text


async def test_members_and_advisers_read_no_notes(app: FastAPI, orla: httpx.AsyncClient, services: Services) -> None:
    await make.member(services, "heron")
    for handle, roles in (("magpie", ()), ("suzie", (Role.ADVISER,))):
        async with make.signed_in(app, handle, *roles) as client:
            assert (await client.get(f"{MEMBERS}/heron/notes")).json()["code"] == "not_a_moderator"
            answer = await client.post(f"{MEMBERS}/heron/notes", json={"text": EVENINGS})
            assert answer.json()["code"] == "not_a_moderator"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_a_note_cannot_be_changed(orla: httpx.AsyncClient, method: str) -> None:
    assert (await orla.request(method, f"{MEMBERS}/stepmum/notes", json={"text": "x"})).status_code == 405


async def test_a_note_on_nobody_is_refused(orla: httpx.AsyncClient) -> None:
    assert (await orla.get(f"{MEMBERS}/nobody/notes")).json()["code"] == "member_not_found"
    assert (await orla.post(f"{MEMBERS}/stepmum/notes", json={"text": " "})).status_code == 422
