"""Whom somebody ignores: their posts fold for this one reader, and for nobody else does anything change."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.content import ignored
from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role, Standing
from tests.support import make
from tests.support.jobs import run_due_jobs, run_hourly_jobs
from tests.support.scenes import REMOVE, decided, house_rules, sql
from tests.support.streams import EVENTS

API = "/api/v1"


async def folded(client: httpx.AsyncClient, thread: int) -> list[int]:
    answer = await client.get(f"{API}/threads/{thread}/mine", params={"limit": 100})
    assert answer.status_code == 200, answer.text
    found: list[int] = answer.json()["ignored"]
    return found


async def listed(client: httpx.AsyncClient) -> list[str]:
    return [item["handle"] for item in (await client.get(f"{API}/me/ignored")).json()["items"]]


async def ignore(client: httpx.AsyncClient, handle: str) -> tuple[int, str | None]:
    answer = await client.put(f"{API}/me/ignored/{handle}")
    return answer.status_code, answer.json()["code"] if answer.content else None


@pytest.fixture
async def thread(services: Services) -> int:
    """Heron's, in which Magpie wrote the second and fourth posts."""
    await make.board(services)
    for handle in ("heron", "magpie", "wren"):
        await make.member(services, handle)
    made = await make.thread(services, "heron")
    for author in ("magpie", "wren", "magpie"):
        await make.post(services, author, made, f"So says {author}")
    return made


async def test_posts_of_whom_one_ignores_fold_until_one_stops(app: FastAPI, thread: int) -> None:
    async with make.signed_in(app, "heron") as heron:
        assert (await folded(heron, thread), await listed(heron)) == ([], [])
        assert await ignore(heron, "Magpie") == (204, None)
        assert await ignore(heron, "magpie") == (204, None)
        assert (await folded(heron, thread), await listed(heron)) == ([2, 4], ["magpie"])
        for _ in range(2):
            assert (await heron.delete(f"{API}/me/ignored/magpie")).status_code == 204
        assert (await folded(heron, thread), await listed(heron)) == ([], [])


async def test_only_the_posts_of_the_page_are_named(app: FastAPI, thread: int) -> None:
    async with make.signed_in(app, "heron") as heron:
        await ignore(heron, "magpie")
        answer = await heron.get(f"{API}/threads/{thread}/mine", params={"from": 3, "limit": 2})
        assert answer.json()["ignored"] == [4]


async def test_who_cannot_be_ignored(app: FastAPI, services: Services, thread: int, guest: httpx.AsyncClient) -> None:
    await make.member(services, "suzie", Role.ADVISER)
    await make.member(services, "orla", boards=("new-here",))
    async with make.signed_in(app, "heron") as heron:
        assert await ignore(heron, "heron") == (422, "ignoring_oneself")
        assert await ignore(heron, "nobody") == (404, "member_not_found")
        assert (await heron.delete(f"{API}/me/ignored/nobody")).status_code == 404
        for staff in ("suzie", "orla"):
            assert await ignore(heron, staff) == (403, "member_is_staff")
    assert await ignore(guest, "magpie") == (401, "not_signed_in")
    assert (await guest.get(f"{API}/me/ignored")).status_code == 401
    assert await folded(guest, thread) == []


async def test_whoever_gets_a_role_is_read_again(app: FastAPI, services: Services, thread: int) -> None:
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        await ignore(heron, "magpie")
        given = await joan.put(f"{API}/accounts/magpie/roles/moderator", json={})
        assert given.status_code == 200, given.text
        assert (await folded(heron, thread), await listed(heron)) == ([], ["magpie"])
        assert (await joan.delete(f"{API}/accounts/magpie/roles/moderator")).status_code == 200
        assert await folded(heron, thread) == [2, 4]


async def test_one_can_ignore_so_many_and_no_more(
    app: FastAPI, services: Services, thread: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ignored, "MOST", 1)
    async with make.signed_in(app, "heron") as heron:
        assert await ignore(heron, "magpie") == (204, None)
        assert await ignore(heron, "wren") == (422, "too_many_ignored")
        assert await ignore(heron, "magpie") == (204, None)  # again is no more


@pytest.mark.parametrize("standing", [Standing.SILENCED, Standing.SUSPENDED, Standing.BANNED])
async def test_a_measure_does_not_take_it(app: FastAPI, services: Services, thread: int, standing: Standing) -> None:
    async with make.signed_in(app, "heron") as heron:
        await ignore(heron, "magpie")
        await make.sanction(services, "heron", standing)
    async with make.signed_in(app, "heron") as heron:
        assert await listed(heron) == ["magpie"]
        assert await ignore(heron, "wren") == (204, None)
        assert (await heron.delete(f"{API}/me/ignored/magpie")).status_code == 204
        assert await listed(heron) == ["wren"]


async def test_a_tombstone_does_not_say_whose_it_was(app: FastAPI, services: Services, thread: int) -> None:
    await house_rules(services)
    rows = await sql(services, "SELECT id, number FROM post WHERE thread_id = :thread ORDER BY number", thread=thread)
    async with (
        make.signed_in(app, "heron") as heron,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
    ):
        await ignore(heron, "magpie")
        await decided(app, suzie, rows[1].id, REMOVE, reporter="wren")
        assert (await magpie.delete(f"{API}/posts/{rows[3].id}")).status_code == 204
        assert await folded(heron, thread) == []


async def test_it_follows_another_handle_and_goes_with_either_of_the_two(
    app: FastAPI, services: Services, thread: int
) -> None:
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "magpie") as magpie:
        await ignore(heron, "magpie")
        await ignore(heron, "wren")
        await ignore(magpie, "heron")
        change = await magpie.put(f"{API}/me/handle", json={"handle": "jackdaw"})
        assert change.status_code == 200, change.text
        assert sorted(await listed(heron)) == ["jackdaw", "wren"]
        for leaver in (heron, magpie):
            assert (await leaver.put(f"{API}/me/departure", json={"kind": "leave"})).status_code == 200
        await run_hourly_jobs(services, clock.now() + timedelta(days=15))
    assert await sql(services, "SELECT 1 FROM ignored") == []


async def test_nobody_is_told_of_what_somebody_writes_whom_they_ignore(
    app: FastAPI, services: Services, thread: int
) -> None:
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        await heron.put(f"{API}/threads/{thread}/subscription", json={"mode": "each"})
        await ignore(heron, "magpie")
        await run_due_jobs(services, clock.now())
        for author in ("magpie", "wren"):
            await make.post(
                services, author, thread, "What do you say, @heron?\n\n> @heron #1\n> Hello all", reply_to=1
            )
        await run_due_jobs(services, clock.now())
        items = (await heron.get(f"{API}/me/notifications")).json()["items"]
        # Of wren's, as a mention; of neither of magpie's.
        assert [(item["kind"], item["count"]) for item in items] == [("mention", 1), ("thread_post", 1)]
        # Staff are heard, whoever ignored them before.
        assert (await joan.put(f"{API}/accounts/magpie/roles/moderator", json={})).status_code == 200
        await make.post(services, "magpie", thread, "Please be kind, @heron")
        await run_due_jobs(services, clock.now())
        [first, *_] = (await heron.get(f"{API}/me/notifications")).json()["items"]
        assert (first["kind"], first["count"]) == ("mention", 2)


def shown(answer: httpx.Response) -> tuple[int, bytes, list[tuple[str, str]]]:
    # The first answer of all comes without compression.
    coding = {"content-encoding", "content-length"}
    return answer.status_code, answer.content, sorted(pair for pair in answer.headers.items() if pair[0] not in coding)


async def test_nobody_else_can_see_it(app: FastAPI, services: Services, thread: int, guest: httpx.AsyncClient) -> None:
    paths = _every_read(app, thread)
    async with (
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "wren") as wren,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "heron") as heron,
    ):
        readers: list[Any] = [guest, magpie, wren, suzie]
        before = [[shown(await reader.get(path)) for path in paths] for reader in readers]
        assert await ignore(heron, "magpie") == (204, None)
        assert [[shown(await reader.get(path)) for path in paths] for reader in readers] == before
        # Heron's own pages of posts have the same bytes, too.
        shared = f"{API}/threads/{thread}/posts"
        assert (await heron.get(shared)).content == (await wren.get(shared)).content


def _every_read(app: FastAPI, thread: int) -> list[str]:
    """Every GET of the API, about this thread and these people."""
    places = {"id": str(thread), "slug": "new-here", "handle": "magpie", "number": "1"}
    found = []
    for template, item in app.openapi()["paths"].items():
        if "get" in item and template != EVENTS:
            path = template
            for name, value in places.items():
                path = path.replace(f"{{{name}}}", value)
            found.append(path)
    return found
