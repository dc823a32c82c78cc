"""What is kept of answers: never older than the database, and sent as if it were made anew."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
import structlog
from fastapi import FastAPI
from sqlalchemy import text

from forum.content import glossary
from forum.core import clock
from forum.core.settings import Settings
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make
from tests.support.changes import BODY, People, changes
from tests.support.scenes import API, a_post, sql

READS = (
    *("/boards", "/boards/new-here", "/boards/new-here/threads", "/boards/court/threads?limit=5"),
    *("/threads/1", "/threads/1/posts", "/posts/2", "/advisers", "/glossary", "/rules"),
)
PAGES = ("/", "/boards/new-here", "/boards/court", "/threads/1", "/glossary", "/rules", "/advisers")
ADDRESSES = (*(API + path for path in READS), *PAGES)


@dataclass
class Watch:
    """Readers of several processes beside readers of one that keeps nothing; who is told what is no longer so."""

    services: Services
    readers: Mapping[str, Sequence[httpx.AsyncClient]]
    truth: Mapping[str, httpx.AsyncClient]
    tags: dict[tuple[str, str], str] = field(default_factory=dict)

    async def stale(self) -> list[tuple[str, str]]:
        """Who is told what is no longer so, and where: with all bytes, and asked whether there are others."""
        found = []
        for who, readers in self.readers.items():
            for path in ADDRESSES if who == "guest" else map(API.__add__, READS):
                true = await self.truth[who].get(path)
                before = self.tags.get((who, path), '"none"')
                tag = true.headers.get("etag", '"none"')
                for reader in readers:
                    told = await reader.get(path)
                    asked = await reader.get(path, headers={"If-None-Match": before})
                    same = (told.status_code, told.content) == (true.status_code, true.content)
                    unchanged = true.status_code == 200 and before == tag
                    if (
                        not same
                        or (asked.status_code == 304) != unchanged
                        or (not unchanged and asked.content != true.content)
                    ):
                        found.append((who, path))
                self.tags[who, path] = tag
        return found


@pytest.fixture
async def watch(app: FastAPI, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watch]:
    """Two processes, in which a guest, an adviser and an author read, and one that keeps nothing."""
    monkeypatch.setattr(glossary, "FRESH_SECONDS", 0.0)  # of the one that keeps nothing
    services: Services = app.state.services
    await make.board(services, "court")
    await a_post(services, BODY)
    await make.member(services, "magpie", Role.ADVISER)
    async with AsyncExitStack() as stack:
        other = await stack.enter_async_context(make.application(settings))
        plain = await stack.enter_async_context(make.application(settings.model_copy(update={"page_cache": 0})))

        async def client(app: FastAPI, who: str) -> httpx.AsyncClient:
            signed_in = make.client(app) if who == "guest" else make.signed_in(app, who)
            return await stack.enter_async_context(signed_in)

        readers = {
            "guest": [await client(app, "guest"), await client(other, "guest")],
            "magpie": [await client(other, "magpie")],
            "heron": [await client(app, "heron")],
        }
        yield Watch(services, readers, {who: await client(plain, who) for who in readers})


async def test_nobody_in_any_process_reads_what_is_no_longer_so(app: FastAPI, watch: Watch) -> None:
    services = watch.services
    heron = watch.readers["heron"][0]
    async with (
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "stepdad") as stepdad,
        make.signed_in(app, "rosie", Role.ADVISER) as rosie,
    ):
        people = People(heron, stepdad, rosie, suzie, joan)
        assert await watch.stale() == []
        for what, change in changes(app, people):
            await change()
            assert await watch.stale() == [], what
        # The same look finds what no trigger tells of.
        await sql(services, "UPDATE thread SET visibility = 'visible'")
        await watch.stale()
        await sql(services, "ALTER TABLE post DISABLE TRIGGER page_version_is_raised")
        await sql(services, "UPDATE post SET body_html = '<p>Gone again</p>' WHERE id = 1")
        assert ("guest", f"{API}/threads/1/posts") in await watch.stale()


# A held edit shows to its author and moderators alone: they get what is made for them.
NOT_SHARED = {"held_edit", "page_version"}


async def test_all_that_shows_in_what_is_kept_raises_a_version(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever lets these answers read another table gives it the trigger."""
    monkeypatch.setattr(clock, "now", partial(clock.now().astimezone, UTC))  # no minute begins meanwhile
    triggers = "SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'page_version_is_raised'"
    raising = {name for (name,) in await sql(watch.services, triggers)}
    named = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    tables = {name for (name,) in await sql(watch.services, named)}
    [reader, _] = watch.readers["guest"]
    with make.note_of_statements(watch.services) as sent:
        for path in ADDRESSES:
            assert (await reader.get(path)).status_code == 200
    made = {table for table in tables for statement in sent if re.search(rf"\b{table}\b", statement)}
    assert made - raising - NOT_SHARED == set()
    with make.note_of_statements(watch.services) as sent:
        for path in ADDRESSES:
            assert (await reader.get(path)).status_code == 200
    assert len(sent) == len(ADDRESSES)  # the version alone


async def _told(client: httpx.AsyncClient, path: str, tag: str | None) -> tuple[Any, ...]:
    """All that a client is told, and what the line of log says of it, but for how long it took."""
    with structlog.testing.capture_logs() as lines:
        answer = await client.get(path, headers={"If-None-Match": tag} if tag else {})
    for line in lines:
        assert line.pop("milliseconds") >= 0
    return answer.status_code, answer.headers.raw, answer.content, lines


async def test_what_was_kept_is_sent_and_logged_as_it_was_made(settings: Settings, watch: Watch) -> None:
    elsewhere = settings.model_copy(update={"allowed_origins": {"https://charity.example"}})
    headers = {"Origin": "https://charity.example", "Accept-Encoding": "identity", "Accept-Language": "cy"}
    async with (
        make.application(elsewhere) as keeping,
        make.application(elsewhere.model_copy(update={"page_cache": 0})) as plain,
        make.client(keeping, **headers) as reader,
        make.client(plain, **headers) as other,
    ):
        others = ("/boards/nowhere", "/threads/1/posts?from=x", "/boards?unknown=1", "/boards/court")
        for path in (*ADDRESSES, *(API + path for path in others), "/threads/2", "/threads/1?start=2"):
            tag = None
            for _ in range(2):
                made = await _told(other, path, tag)
                assert [await _told(reader, path, tag) for _ in range(2)] == [made, made], path
                tag = dict(made[1]).get(b"etag", b"").decode()


async def test_what_was_kept_is_counted_as_any_other(app: FastAPI, settings: Settings) -> None:
    await make.board(app.state.services)
    async with (
        make.application(settings.model_copy(update={"api_limit": "3/1 minute"})) as strict,
        make.client(strict) as reader,
    ):
        assert [(await reader.get(f"{API}/boards")).status_code for _ in range(4)] == [200, 200, 200, 429]


async def test_what_time_changes_is_kept_until_then(
    services: Services, guest: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make.board(services)
    await make.hours(services, "read_only", in_days=0)
    opens = datetime.now(ZoneInfo("Europe/London")).replace(hour=9, minute=0, second=0, microsecond=0)
    for moment, is_open in ((opens - timedelta(seconds=1), False), (opens, True), (opens + timedelta(hours=1), False)):
        monkeypatch.setattr(clock, "now", partial(moment.astimezone, UTC))
        for _ in range(2):
            assert (await guest.get(f"{API}/boards/new-here")).json()["is_open"] is is_open
    monkeypatch.undo()
    joan, ends = await make.member(services, "joan"), clock.now() + timedelta(seconds=20)
    made = "INSERT INTO announcement VALUES (gen_random_uuid(), 'Back on Tuesday.', now(), :ends, :by)"
    await sql(services, made, ends=ends, by=joan.id)
    for seconds, stands in ((-1, True), (1, False)):
        monkeypatch.setattr(clock, "now", partial((ends + timedelta(seconds=seconds)).astimezone, UTC))
        for _ in range(2):
            assert ("Back on Tuesday." in (await guest.get("/")).text) is stands


async def test_it_is_sent_in_fewer_bytes_to_those_who_can_read_them(watch: Watch) -> None:
    [reader, _] = watch.readers["guest"]
    path = f"{API}/threads/1/posts"
    packed = {"Accept-Encoding": "br, gzip;q=0.8"}
    first = await reader.get(path, headers=packed)
    assert "content-encoding" not in first.headers  # nobody else may want it
    again = await reader.get(path, headers=packed)
    assert again.headers["content-encoding"] == "gzip"
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["vary"] == "Accept-Encoding, Authorization, Cookie"
    assert int(again.headers["content-length"]) < len(first.content) == len(again.content)
    assert again.content == first.content
    for tag in (first.headers["etag"], again.headers["etag"]):
        unchanged = await reader.get(path, headers=packed | {"If-None-Match": tag})
        assert (unchanged.status_code, unchanged.headers.get("content-encoding")) == (304, None)
    for coding in ("identity", "gzip;q=0", "gzipped"):
        assert "content-encoding" not in (await reader.get(path, headers={"Accept-Encoding": coding})).headers


async def test_what_is_undone_within_a_transaction_does_not_hide_what_comes_after(services: Services) -> None:
    await a_post(services)
    version = "SELECT version FROM page_version WHERE scope = 'thread' AND ref = 1"
    before = await sql(services, version)
    async with services.database.work() as session:
        savepoint = await session.begin_nested()
        await session.execute(text("UPDATE post SET body_html = '<p>One</p>'"))
        await savepoint.rollback()
        await session.execute(text("UPDATE post SET body_html = '<p>Two</p>'"))
        await session.execute(text("UPDATE post SET body_html = '<p>Three</p>'"))
        once = (await session.execute(text(version))).all()
    assert await sql(services, version) == once != before


async def test_nobody_who_writes_waits_for_a_version(services: Services) -> None:
    """Two transactions that change the same two threads' boards in opposite orders, each before the other commits."""
    await a_post(services)
    await make.thread(services, "heron")
    rename = "UPDATE post SET body_html = '<p>{}</p>' WHERE thread_id = {} AND number = 1"
    async with services.database.work() as one, services.database.work() as other:
        await one.execute(text("SET LOCAL lock_timeout = '1s'"))
        await other.execute(text("SET LOCAL lock_timeout = '1s'"))
        await one.execute(text("UPDATE thread SET pinned = true WHERE id = 1"))
        await other.execute(text("UPDATE thread SET pinned = true WHERE id = 2"))
        await one.execute(text(rename.format("One", 1)))
        await other.execute(text(rename.format("Other", 2)))
        await one.execute(text("SELECT raise_page_version('site', 0), raise_page_version('thread', 2)"))
        await other.execute(text("SELECT raise_page_version('site', 0), raise_page_version('thread', 1)"))
    parts = await sql(services, "SELECT scope, count(*)::int FROM page_version GROUP BY scope ORDER BY scope")
    assert [tuple(row) for row in parts] == [("board", 2), ("site", 2), ("thread", 4)]
