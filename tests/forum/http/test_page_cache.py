"""What is kept of answers: never older than the database, and sent as if it were made anew."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.content import glossary
from forum.core import clock
from forum.core.settings import Settings
from forum.http.services import Services
from forum.members.tables import Role, Standing
from tests.support import make
from tests.support.jobs import run_due_jobs
from tests.support.scenes import API, PUBLISH, REMOVE, a_case, a_post, decide, decided, sql

ADDRESSES = (
    *("/boards", "/boards/new-here", "/boards/new-here/threads", "/boards/court/threads?limit=5"),
    *("/threads/1", "/threads/1/posts", "/posts/2", "/advisers", "/glossary", "/rules"),
)
BODY = "the words of somebody who is not well, and of those who answer, " * 20


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
            for path in ADDRESSES:
                true = await self.truth[who].get(API + path)
                before = self.tags.get((who, path), '"none"')
                tag = true.headers.get("etag", '"none"')
                for reader in readers:
                    told = await reader.get(API + path)
                    asked = await reader.get(API + path, headers={"If-None-Match": before})
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
    """Two processes, in which a guest, a member and an author read, and one that keeps nothing."""
    monkeypatch.setattr(glossary, "FRESH_SECONDS", 0.0)  # of the one that keeps nothing
    services: Services = app.state.services
    await make.board(services, "court")
    await a_post(services, BODY)
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


Change = Callable[[], Awaitable[Any]]


async def test_nobody_in_any_process_reads_what_is_no_longer_so(app: FastAPI, watch: Watch) -> None:
    services = watch.services
    heron = watch.readers["heron"][0]
    async with (
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "stepdad") as stepdad,
    ):

        async def send(who: httpx.AsyncClient, method: str, path: str, **body: Any) -> None:
            answer = await who.request(method, API + path, **({"json": body} if body else {}))
            assert answer.status_code < 300, (method, path, answer.text)

        async def thread(**changes: Any) -> dict[str, Any]:
            return {"version": (await suzie.get(f"{API}/threads/1")).json()["version"], **changes}

        async def setting(slug: str, **changes: Any) -> None:
            version = (await joan.get(f"{API}/administration/boards/{slug}")).json()["version"]
            await send(joan, "PATCH", f"/administration/boards/{slug}", version=version, **changes)

        async def publish(post_id: int) -> None:
            assert (await decide(suzie, await a_case(suzie, post_id), PUBLISH)).status_code == 201

        async def erased() -> None:
            await send(stepdad, "PUT", "/me/departure", kind="erase")
            due = clock.now().replace(year=clock.now().year + 1)
            assert "depart" in await run_due_jobs(services, due)

        by_hand = lambda statement: lambda: sql(services, statement)  # noqa: E731
        changes: list[tuple[str, Change]] = [
            ("reply", lambda: send(stepdad, "POST", "/threads/1/posts", body_markdown="I was there once.")),
            ("edit", lambda: send(stepdad, "PATCH", "/posts/2", revision=1, body_markdown=f"{BODY} a lying toad")),
            ("reaction", lambda: send(heron, "PUT", "/posts/2/reactions/thank")),
            ("reaction taken back", lambda: send(heron, "DELETE", "/posts/2/reactions/thank")),
            ("title", lambda: send(suzie, "PATCH", "/threads/1", version=1, title="Another question")),
            ("locked", lambda: send(suzie, "PUT", "/threads/1/lock", reason="We read what was reported.")),
            ("unlocked", lambda: send(suzie, "DELETE", "/threads/1/lock")),
            ("pinned", lambda: send(suzie, "PUT", "/threads/1/pin")),
            ("held", by_hand("UPDATE board SET publication = 'hold_all' WHERE slug = 'new-here'")),
            ("a held reply", lambda: send(heron, "POST", "/threads/1/posts", body_markdown="May I say something?")),
            ("published", lambda: publish(4)),
            ("a held edit", lambda: send(heron, "PATCH", "/posts/4", revision=1, body_markdown="May I ask something?")),
            ("name", lambda: send(heron, "PATCH", "/me", name="Grey heron")),
            ("handle", lambda: send(stepdad, "PUT", "/me/handle", handle="stepfather")),
            ("removed", lambda: decided(app, suzie, 2, REMOVE)),
            ("withdrawn", lambda: send(stepdad, "DELETE", "/posts/3")),
            ("glossary", lambda: send(joan, "PUT", "/glossary/ask", meaning="To say that one does not know")),
            ("glossary again", lambda: send(joan, "DELETE", "/glossary/ask")),
            ("adviser", lambda: make.member(services, "rosie", Role.ADVISER)),
            ("role taken", lambda: send(joan, "DELETE", "/accounts/rosie/roles/adviser")),
            ("rule", lambda: send(joan, "PUT", "/moderation/rules/10", version=1, title="Kindness", text="Be kind.")),
            ("board renamed", lambda: setting("court", name="In court")),
            ("board for members", lambda: setting("new-here", readers=["member"])),
            ("board for all", lambda: setting("new-here", readers=["everyone"])),
            ("closed", lambda: make.hours(services, "read_only", "new-here")),
            ("archived", lambda: send(joan, "PUT", "/administration/boards/court/archive")),
            ("order", lambda: send(joan, "PUT", "/administration/board-order", slugs=["new-here", "court"])),
            (
                "moved",
                lambda: sql(services, "UPDATE thread SET board_id = (SELECT id FROM board WHERE slug = 'court')"),
            ),
            ("banned", lambda: make.sanction(services, "magpie", Standing.BANNED)),
            ("erased", erased),
            ("by hand: words", by_hand("UPDATE post SET body_html = '<p>Gone</p>' WHERE id = 1")),
            ("by hand: name", by_hand("UPDATE member SET title = 'Of the house' WHERE handle = 'heron'")),
            ("by hand: counts", by_hand("UPDATE thread SET posts = posts + 1")),
            ("by hand: totals", by_hand("UPDATE board_tally SET posts = posts + 1")),
            ("by hand: reactions", by_hand("INSERT INTO reaction_count VALUES (1, 0, 5, 0, 0)")),
            ("by hand: hidden", by_hand("UPDATE thread SET visibility = 'removed'")),
            ("by hand: rules", by_hand("DELETE FROM rule WHERE number = 10 AND version = 2")),
            ("by hand: all", by_hand("TRUNCATE glossary_term, reaction_count")),
        ]
        assert await watch.stale() == []
        for what, change in changes:
            await change()
            assert await watch.stale() == [], what
        # The same look finds what no trigger tells of.
        await sql(services, "UPDATE thread SET visibility = 'visible'")
        await watch.stale()
        await sql(services, "ALTER TABLE post DISABLE TRIGGER page_version_is_raised")
        await sql(services, "UPDATE post SET body_html = '<p>Gone again</p>' WHERE id = 1")
        assert ("guest", "/threads/1/posts") in await watch.stale()
