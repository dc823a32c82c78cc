"""What somebody wrote under an alias is theirs, and names the alias alone."""

from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from forum.core import clock
from forum.http.services import Services
from forum.members.aliases import get_owner
from tests.support import make
from tests.support.jobs import run_hourly_jobs
from tests.support.scenes import sql

API = "/api/v1"


async def give_alias(services: Services, handle: str, thread: int, name: str) -> UUID:
    """Let what a member wrote in a thread be by an alias, as rows: nobody can take one yet."""
    async with services.database.work() as session:
        alias = "INSERT INTO persona (id, thread_id, name) VALUES (gen_random_uuid(), :thread, :name) RETURNING id"
        persona = (await session.execute(text(alias), {"thread": thread, "name": name})).scalar_one()
        whose = {"persona": persona, "handle": handle, "thread": thread}
        owner = "INSERT INTO persona_owner SELECT :persona, id, :thread FROM member WHERE handle = :handle"
        await session.execute(text(owner), whose)
        for statement in (
            "UPDATE post SET author_id = :persona FROM member "
            "WHERE author_id = member.id AND handle = :handle AND thread_id = :thread",
            "UPDATE thread SET author_id = :persona FROM member "
            "WHERE author_id = member.id AND handle = :handle AND thread.id = :thread",
        ):
            await session.execute(text(statement), whose)
    return UUID(str(persona))


async def test_a_member_has_a_persona_of_their_own_from_the_first_moment(services: Services) -> None:
    await make.member(services, "heron")
    heron = await make.viewer(services, "heron")
    assert await sql(services, "SELECT id, thread_id, name FROM persona") == [(heron.id, None, None)]
    assert heron.personas == (heron.id,)
    async with services.database.work() as session:
        assert await get_owner(session, heron.member_id) == heron.id


async def test_what_was_written_under_an_alias_is_its_members(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    alias = await give_alias(services, "heron", thread, "A walker")
    heron = await make.viewer(services, "heron")
    assert heron.personas == (heron.id, alias)
    async with services.database.work() as session:
        assert await get_owner(session, alias) == heron.id
    async with make.signed_in(app, "heron") as client:
        changed, stale = [
            await client.patch(f"{API}/threads/{thread}", json={"version": 1, "title": title})
            for title in ("Another title", "A third title")
        ]
    assert changed.status_code == 200
    assert stale.status_code == 409
    assert stale.json()["changed_by"] == {"handle": None, "name": "A walker", "title": None}
    assert await sql(services, "SELECT changed_by FROM thread") == [(alias,)]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_nobody_else_owns_an_aliass_posts(app: FastAPI, services: Services, method: str) -> None:
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    await give_alias(services, "heron", thread, "A walker")
    [(post,)] = await sql(services, "SELECT id FROM post")
    async with make.signed_in(app, "magpie") as client:
        answer: httpx.Response = await client.request(
            method, f"{API}/posts/{post}", json={"revision": 1, "body_markdown": "Mine!"} if method == "PATCH" else None
        )
    assert answer.status_code in {403, 404}


async def test_whoever_erases_their_words_erases_those_under_an_alias(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron", title="A walk of mine", body="Words of a walker")
    await give_alias(services, "heron", thread, "A walker")
    async with make.signed_in(app, "heron") as client:
        assert (await client.put(f"{API}/me/departure", json={"kind": "erase"})).status_code == 200
    await run_hourly_jobs(services, clock.now() + timedelta(days=14, minutes=1))
    [(visibility, body)] = await sql(services, "SELECT visibility, body_markdown FROM post")
    assert (visibility, set(body)) == ("withdrawn", {"·"})
    assert await sql(services, "SELECT title FROM thread") == [("Opened by a former member",)]
    await run_hourly_jobs(services, clock.now() + timedelta(days=14, minutes=2))
    assert await sql(services, "SELECT count(*) FROM persona_owner") == [(0,)]
