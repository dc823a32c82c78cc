"""Feeds: a thread is in one a quarter of an hour late, and whoever saw it there hears when it goes."""

from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import httpx
from fastapi import FastAPI

from forum.content.feeds import KEPT_FOR, note_threads
from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make
from tests.support.scenes import API, sql

FEED, ATOM = "/boards/new-here/feed.atom", {"": "http://www.w3.org/2005/Atom"}
EARLIER = timedelta(minutes=20)
SECRET = "Words & <names> that no feed says"


async def test_a_thread_comes_late_and_goes_with_a_word(app: FastAPI, services: Services) -> None:
    await make.board(services, indexable=True)
    await make.board(services, "quiet")
    await make.member(services, "heron")
    thread = await make.thread(services, "heron", title="What <b> & now?", body=SECRET)
    held = await make.thread(services, "heron", title="Still held")
    await sql(services, "UPDATE thread SET visibility = 'held' WHERE id = :id", id=held)
    async with make.client(app) as guest, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        await _note(services)
        assert await _entries(guest) == {}
        later = clock.now() + EARLIER
        await _note(services, later)
        (shown,) = (await _entries(guest)).values()
        assert shown["title"] == "What <b> & now?"
        assert shown["link"].endswith(f"/threads/{thread}")
        first = await guest.get(FEED)
        assert (first.headers["content-type"], first.headers["cache-control"]) == (
            "application/atom+xml; charset=utf-8",
            "public, max-age=300",
        )
        assert SECRET not in first.text
        assert "heron" not in first.text.lower()
        assert (await guest.get(FEED, headers={"If-None-Match": first.headers["etag"]})).status_code == 304
        await _note(services, later + EARLIER)
        assert (await guest.get(FEED)).content == first.content  # nothing changed, so nothing is news
        # A title is another one at once, and so is the time; the job then keeps the time.
        sent = {"title": "What now, please?", "version": 1}
        assert (await suzie.patch(f"{API}/threads/{thread}", json=sent)).status_code == 200
        (retitled,) = (await _entries(guest)).values()
        assert retitled["title"] == "What now, please?"
        await sql(services, "UPDATE feed_entry SET noted_at = noted_at - interval '1 day'")
        await _note(services)
        assert (await _entries(guest))[retitled["id"]]["updated"] > shown["published"]
        await sql(services, "UPDATE thread SET visibility = 'removed' WHERE id = :id", id=thread)
        gone = (await _entries(guest))[shown["id"]]
        assert (gone["title"], gone["published"]) == ("Removed", shown["published"])
        assert "please" not in (await guest.get(FEED)).text
        await _note(services)
        assert (await _entries(guest))[shown["id"]]["updated"] >= gone["updated"]
        await sql(services, "UPDATE thread SET visibility = 'visible' WHERE id = :id", id=thread)
        assert (await _entries(guest))[shown["id"]]["title"] == "What now, please?"
        # Nobody hears of what is not for everyone and for search engines, also not who may read it.
        quiet = await guest.get("/boards/quiet/feed.atom")
        await sql(services, "UPDATE board SET readers = '{member}' WHERE slug = 'new-here'")
        for one in (guest, suzie):
            for path in (FEED, "/boards/nowhere/feed.atom", "/embed/new-here", "/embed/quiet"):
                assert (await one.get(path)).status_code == quiet.status_code == 404, path
    await _note(services)
    await _note(services, clock.now() + KEPT_FOR + timedelta(days=31))
    assert await sql(services, "SELECT 1 FROM feed_entry") == []


async def test_a_board_stands_within_a_page_of_another_site(services: Services) -> None:
    framed = services.settings.model_copy(update={"allowed_origins": frozenset({"https://charity.example.org"})})
    await make.board(services, indexable=True)
    await make.member(services, "heron")
    await make.thread(services, "heron", title="<script>alert(1)</script>")
    await _note(services, clock.now() + EARLIER)
    async with make.application(framed) as app, make.client(app) as guest:
        page = await guest.get("/embed/new-here", headers={"Accept-Language": "cy"})
        assert "&lt;script&gt;" in page.text
        assert "<script" not in page.text
        assert "frame-ancestors https://charity.example.org" in page.headers["content-security-policy"]
        assert "set-cookie" not in page.headers
        assert 'lang="cy"' in page.text


async def _note(services: Services, at: datetime | None = None) -> None:
    async with services.database.work() as session:
        await note_threads(session, {}, at or clock.now())


async def _entries(guest: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    answer = await guest.get(FEED)
    assert answer.status_code == 200
    found = {}
    for entry in ElementTree.fromstring(answer.content).findall("entry", ATOM):
        values: dict[str, Any] = {name: entry.findtext(name, namespaces=ATOM) for name in ("id", "title")}
        for name in ("published", "updated"):
            values[name] = datetime.fromisoformat(entry.findtext(name, "", ATOM)).astimezone(UTC)
        link = entry.find("link", ATOM)
        assert link is not None
        found[values["id"]] = values | {"link": link.get("href")}
    return found
