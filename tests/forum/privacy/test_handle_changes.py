"""A handle that somebody gave up is in no text: at once where they left, and in none that was being written then."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from forum.authentication.handles import LONGEST_WRITING
from forum.content.markup import GONE
from forum.content.posts.context import context_in_thread
from forum.content.posts.draft import Draft
from forum.content.posts.insertion import add_reply
from forum.core import clock
from forum.http.services import Services
from tests.support import make
from tests.support.jobs import run_due_jobs
from tests.support.scenes import sql

API = "/api/v1"
OLD, NEW, NAME = "jane-miller-leeds", "quiet-tern", "Jane Miller"
LATER = timedelta(days=14, minutes=1)
NOT_YET = ("send_mail", "replace_handle", "forget_handle")


async def where_it_is(services: Services) -> set[str]:
    """The tables in which the handle or the name can be found, but for the one that keeps it for the jobs."""
    tables = await sql(services, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    rows = {table: await sql(services, f'SELECT t::text FROM "{table}" AS t') for [table] in tables}
    del rows["handle_change"]
    return {table for table, found in rows.items() if OLD in str(found).casefold() or NAME in str(found)}


@asynccontextmanager
async def jane_and_her_readers(app: FastAPI, services: Services) -> AsyncIterator[tuple[httpx.AsyncClient, int]]:
    """Somebody who is named in posts, earlier versions, titles and drafts; and a thread in which nobody names her."""
    await make.board(services)
    await make.member(services, "heron")
    async with make.signed_in(app, OLD) as jane:
        own = "UPDATE member SET name = :name, email = 'tern@example.org' WHERE handle = :old"
        await sql(services, own, name=NAME, old=OLD)
        thread = await make.thread(services, "heron", title=f"Thank you, @{OLD}", body=f"Hello @{OLD.upper()}")
        said = await make.post(services, OLD, thread, "I made tea.")
        await make.post(services, "heron", thread, f"> @{OLD} #{said.number} wrote:\n> I made tea.\n\nMe too.")
        elsewhere = await make.thread(services, "heron")
        await make.post(services, OLD, elsewhere, "I made coffee.")
        yield jane, elsewhere


async def leave(services: Services, jane: httpx.AsyncClient) -> None:
    assert (await jane.put(f"{API}/me/departure", json={"kind": "leave"})).status_code == 200
    assert "depart" in await run_due_jobs(services, clock.now() + LATER, but=NOT_YET)


async def take_another(services: Services, jane: httpx.AsyncClient) -> None:
    assert (await jane.put(f"{API}/me/handle", json={"handle": NEW})).status_code == 200
    await sql(services, "UPDATE member SET name = 'Tern' WHERE handle = :new", new=NEW)


async def test_who_left_is_named_nowhere_from_that_moment_on(app: FastAPI, services: Services) -> None:
    async with jane_and_her_readers(app, services) as (jane, _):
        assert {"member", "post", "thread"} <= await where_it_is(services)
        await leave(services, jane)
        assert await where_it_is(services) == set()
        await run_due_jobs(services, clock.now() + LATER + LONGEST_WRITING)
        assert await sql(services, "SELECT 1 FROM handle_change") == []


async def test_who_left_after_a_change_of_handle_leaves_neither(app: FastAPI, services: Services) -> None:
    """The job that lets texts follow had not run yet."""
    async with jane_and_her_readers(app, services) as (jane, _):
        await take_another(services, jane)
        await leave(services, jane)
        assert await where_it_is(services) == set()
        bodies = await sql(
            services, "SELECT body_markdown FROM post WHERE number = 1 AND body_markdown LIKE 'Hello @%'"
        )
        assert bodies == [(f"Hello @{GONE * len(OLD)}",)]


@pytest.mark.parametrize("give_up", [leave, take_another])
@pytest.mark.parametrize("words", [f"Thank you, @{OLD}!", f"> @{OLD} #2 wrote:\n> I made coffee.\n\nThank you."])
async def test_what_was_being_written_then_names_nobody_either(
    give_up: Callable[[Services, httpx.AsyncClient], Awaitable[None]], words: str, app: FastAPI, services: Services
) -> None:
    """Whoever wrote it had read the handle before it went, and posted it after."""
    async with jane_and_her_readers(app, services) as (jane, elsewhere):
        heron, draft = await make.viewer(services, "heron"), Draft(words)
        async with make.work(services) as work:
            context = await context_in_thread(work, heron, elsewhere, draft)
            await give_up(services, jane)
            await run_due_jobs(services, clock.now())
            written = await add_reply(work, heron, context, draft)
        assert f'="{OLD}"' in written.body_html
        done = await run_due_jobs(services, clock.now() + LATER + 2 * LONGEST_WRITING)
        assert "forget_handle" in done
        assert await where_it_is(services) == set()
        assert await sql(services, "SELECT 1 FROM handle_change") == []
