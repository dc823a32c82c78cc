"""Somebody chose a handle that gives them away, and takes another. Over HTTP only."""

from datetime import timedelta

import httpx
from fastapi import FastAPI

from forum.authentication.handles import BETWEEN_HANDLES
from forum.content.markup import GONE
from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make
from tests.support.jobs import run_due_jobs
from tests.support.scenes import REDACT, a_post, decided, sql

API = "/api/v1"
OLD, NEW = "jane-miller-leeds", "quiet-tern"


async def take(client: httpx.AsyncClient, handle: str) -> httpx.Response:
    return await client.put(f"{API}/me/handle", json={"handle": handle})


async def everything(services: Services) -> str:
    """All that the forum stores, but for the queue of jobs."""
    named = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    rows = [await sql(services, f'SELECT t::text FROM "{table}" AS t') for [table] in await sql(services, named)]
    return str(rows)


async def test_mentions_and_quotes_follow_and_nobody_finds_the_old_one(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    post = await a_post(services)
    async with make.signed_in(app, OLD) as jane, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        await sql(services, "UPDATE member SET name = 'Jane', email = 'tern@example.org' WHERE handle = :old", old=OLD)
        said = await make.post(services, OLD, post.thread_id, "I made tea.")
        quote = f"> @{OLD} #{said.number} wrote:\n> I made tea.\n\nThank you, @Jane-Miller-Leeds!"
        written = await make.post(services, "heron", post.thread_id, quote)
        marked = await make.post(services, "stepdad", post.thread_id, f"@{OLD} is a lying toad and no more.")
        titled = await make.thread(services, "heron", title=f"Thank you, @{OLD}")
        measure = REDACT | {"spans": [[len(OLD) + 6, len(OLD) + 17]]}
        await decided(app, suzie, marked.id, measure)

        answer = await take(jane, NEW.title())
        assert (answer.status_code, answer.json()["handle"]) == (200, NEW), answer.text
        assert (await jane.get(f"{API}/me")).json()["handle"] == NEW
        await run_due_jobs(services, clock.now() + timedelta(minutes=1))

        shown = (await guest.get(f"{API}/posts/{written.id}")).json()
        assert shown["body_markdown"] == f"> @{NEW} #3 wrote:\n> I made tea.\n\nThank you, @{NEW}!"
        assert f'data-author="{NEW}"' in shown["body_html"]
        assert f'data-handle="{NEW}"' in shown["body_html"]
        assert (await guest.get(f"{API}/threads/{titled}")).json()["title"] == f"Thank you, @{NEW}"
        redacted = (await guest.get(f"{API}/posts/{marked.id}")).json()["body_markdown"]
        assert redacted.startswith(f"@{GONE * len(OLD)} is ")
        await run_due_jobs(services, clock.now() + timedelta(minutes=3))  # it was kept to look once more
        assert OLD not in (await everything(services)).casefold()

        assert (await guest.get(f"{API}/members/{OLD}")).status_code == 404
        assert (await guest.get(f"{API}/members/{NEW}")).status_code == 200
        for handle in (OLD, OLD.replace("-", "_")):
            joining = make.joining(handle, email="another@example.org")
            assert (await guest.post(f"{API}/members", json=joining)).json()["code"] == "handle_taken"


HANDLES = [
    ("heron", 409, "handle_taken"),
    ("her.on", 409, "handle_looks_like_another"),
    ("moderator", 422, "name_reserved"),
    ("a b", 422, "invalid_handle"),
    (f"{OLD}.", 422, "invalid_handle"),
    (OLD.replace("-", "."), 409, "handle_taken"),  # it looks like the old one
    (OLD, 200, None),
]


async def test_the_new_one_is_a_handle_that_anybody_could_take(app: FastAPI, services: Services) -> None:
    await make.member(services, "heron")
    async with make.signed_in(app, OLD) as jane:
        for handle, status, code in HANDLES:
            answer = await take(jane, handle)
            assert (answer.status_code, answer.json().get("code")) == (status, code), handle
            assert (await jane.get(f"{API}/me")).json()["handle"] == OLD
    assert await sql(services, "SELECT 1 FROM spent_handle") == []


async def test_once_in_ninety_days_and_just_signed_in(app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, OLD) as jane:
        assert (await take(jane, NEW)).status_code == 200
        early = await take(jane, "another-tern")
        assert (early.status_code, early.json()["code"]) == (409, "handle_changed_recently")
        then = clock.now() - BETWEEN_HANDLES - timedelta(minutes=1)
        await run_due_jobs(services, clock.now() + timedelta(minutes=1))
        await sql(services, "UPDATE member SET handle_changed_at = :then", then=then)
        assert (await take(jane, "another-tern")).status_code == 200
        await sql(services, "UPDATE member_session SET created_at = created_at - interval '1 hour'")
        services.session_cache.invalidate((await make.viewer(services, "another-tern")).member_id)
        assert (await take(jane, "third-tern")).json()["type"].endswith("sign-in-again")


async def test_who_leaves_meanwhile_leaves_no_handle(app: FastAPI, services: Services) -> None:
    post = await a_post(services)
    async with make.signed_in(app, OLD) as jane:
        written = await make.post(services, "heron", post.thread_id, f"Hello @{OLD}")
        assert (await take(jane, NEW)).status_code == 200
    await sql(
        services,
        "UPDATE member SET handle = NULL, skeleton = NULL, email = NULL, email_verified_at = NULL, password_hash = '', "
        "left_at = now() WHERE handle = :new",
        new=NEW,
    )
    await run_due_jobs(services, clock.now() + timedelta(minutes=1))
    [[body]] = await sql(services, "SELECT body_markdown FROM post WHERE id = :id", id=written.id)
    assert body == f"Hello @{GONE * len(OLD)}"
