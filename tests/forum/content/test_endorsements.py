"""An adviser says that what a member wrote is right: everybody sees it, until the post changes."""

import httpx
from fastapi import FastAPI
from sqlalchemy import select

from forum.content.endorsements import actions
from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role
from forum.notifications.inbox import Notification
from tests.support import make
from tests.support.jobs import run_due_jobs

API = "/api/v1"
BADGE = {"name": "Suzie", "title": "Online adviser", "organisation": "Example Family Charity"}


async def test_an_endorsement_is_for_the_words_that_the_adviser_read(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    async with (
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "suzie", Role.ADVISER) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        post = await make.post(services, "magpie", thread, "Ask for it in writing.")
        own = await make.post(services, "suzie", thread, "So:")
        url = f"{API}/posts/{post.id}/endorsement"
        for client, path in ((magpie, url), (orla, url), (suzie, f"{API}/posts/{own.id}/endorsement")):
            assert (await client.put(path)).status_code == 403
        assert (await suzie.put(url, json={"revision": 2})).status_code == 409
        for _ in range(2):
            assert (await suzie.put(url, json={"revision": 1})).status_code == 204

        async def seen() -> list[dict[str, str]]:
            one = (await guest.get(f"{API}/posts/{post.id}")).json()
            page = (await guest.get(f"{API}/threads/{thread}/posts")).json()["items"]
            assert page[1] == one
            shown = "Example Family Charity, says: this is right" in (await guest.get(f"/threads/{thread}")).text
            assert shown == bool(one["endorsements"])
            found: list[dict[str, str]] = one["endorsements"]
            return found

        assert await seen() == [BADGE]
        edit = {"revision": 1, "body_markdown": "Ask for it by telephone."}
        assert (await magpie.patch(f"{API}/posts/{post.id}", json=edit)).status_code == 200
        assert await seen() == []
        async with services.database.work() as session:
            await actions.end_endorsements(session, {}, clock.now())
        assert (await suzie.put(url)).status_code == 204
        assert await seen() == [BADGE]
        for _ in range(2):
            assert (await suzie.delete(url)).status_code == 204
        assert await seen() == []
        await run_due_jobs(services, clock.now())
        async with services.database.work() as session:
            told = (await session.execute(select(Notification.kind))).scalars().all()
        assert sorted(kind for kind in told if kind.startswith("endorse")) == [
            *["endorsed"] * 2,
            *["endorsement_ended"] * 2,
        ]
        await magpie.delete(f"{API}/posts/{post.id}")
        assert (await suzie.put(url)).json()["code"] == "post_withdrawn"
