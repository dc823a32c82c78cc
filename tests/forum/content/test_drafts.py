"""Drafts: what somebody began to write is theirs alone, and goes with the post that it becomes."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select

from forum.content import drafts
from forum.content.boards import find_board
from forum.content.drafts import DraftWords, SavedDraft, Saving
from forum.core import clock
from forum.http.services import Services
from forum.privacy.export_contents import export_drafts
from tests.support import make
from tests.support.jobs import clean_up, run_hourly_jobs

API = "/api/v1"
DRAFTS = f"{API}/me/drafts"
WORDS = "I do not know how to begin."


async def count(services: Services) -> int:
    async with services.database.work() as session:
        return int((await session.execute(select(func.count()).select_from(SavedDraft))).scalar_one())


@pytest.fixture
async def thread(services: Services) -> int:
    """A thread of Heron's."""
    await make.board(services)
    await make.member(services, "heron")
    return await make.thread(services, "heron")


async def keep(client: httpx.AsyncClient, place: str, version: int = 0, body: str = WORDS, **more: Any) -> Any:
    answer = await client.put(f"{DRAFTS}/{place}", json={"version": version, "body_markdown": body, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def listed(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await client.get(DRAFTS)).json()["items"]
    return items


async def test_each_place_has_one_draft_which_only_its_writer_reads(app: FastAPI, thread: int) -> None:
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "magpie") as magpie:
        post = (await heron.get(f"{API}/threads/{thread}/posts")).json()["items"][0]["id"]
        first = await keep(heron, f"threads/{thread}", reply_to=1, content_warning="about loss")
        await keep(heron, "boards/new-here", title="A ques")
        await keep(heron, f"posts/{post}", revision=1)
        again = await keep(heron, f"threads/{thread}", first["version"], "Another beginning.")
        items = await listed(heron)
        assert [(item["kind"], item["thread_id"], item["post_id"]) for item in items] == [
            ("thread", thread, None),
            ("post", thread, post),
            ("board", None, None),
        ]
        assert (items[0]["body_markdown"], items[0]["version"]) == ("Another beginning.", again["version"])
        assert (items[2]["title"], items[2]["place_title"]) == ("A ques", "New-Here")
        assert await listed(magpie) == []
        refused = await magpie.put(
            f"{DRAFTS}/posts/{post}", json={"version": 0, "body_markdown": "Mine now", "revision": 1}
        )
        assert (refused.status_code, refused.json()["code"]) == (403, "not_the_author")


async def test_words_that_another_device_kept_are_not_lost(app: FastAPI, thread: int) -> None:
    async with make.signed_in(app, "heron") as heron:
        await keep(heron, f"threads/{thread}")
        stale = await heron.put(f"{DRAFTS}/threads/{thread}", json={"version": 0, "body_markdown": "From my phone."})
        assert (stale.status_code, stale.json()["code"]) == (409, "draft_changed")
        assert (stale.json()["draft"]["body_markdown"], stale.json()["current"]) == (WORDS, 1)
        # The same words again, after a lost answer, are no conflict.
        assert (await keep(heron, f"threads/{thread}", 0))["version"] == 1


async def test_a_version_that_nobody_gave_is_no_fault_of_ours(app: FastAPI, thread: int) -> None:
    async with make.signed_in(app, "heron") as heron:
        first = await keep(heron, f"threads/{thread}", 2**31 - 1)
        assert (await keep(heron, f"threads/{thread}", first["version"], "More."))["version"] == first["version"] + 1


async def test_a_page_keeps_both(app: FastAPI, services: Services, thread: int) -> None:
    async with make.signed_in(app, "heron") as heron:
        await keep(heron, f"threads/{thread}")
        async with make.work(services) as work:
            saving = Saving(DraftWords("From my phone."), 0, keeps_both=True)
            await drafts.save_reply(work, await make.viewer(services, "heron"), thread, saving)
        [item] = await listed(heron)
        assert (item["body_markdown"], item["other_words"]) == ("From my phone.", WORDS)


async def test_a_draft_goes_with_the_post_that_it_becomes(app: FastAPI, services: Services, thread: int) -> None:
    async with make.signed_in(app, "heron") as heron:
        post = (await heron.get(f"{API}/threads/{thread}/posts")).json()["items"][0]["id"]
        for place, more in ((f"threads/{thread}", {}), ("boards/new-here", {}), (f"posts/{post}", {"revision": 1})):
            await keep(heron, place, **more)
        replied = await heron.post(f"{API}/threads/{thread}/posts", json={"body_markdown": "So."})
        opened = await heron.post(
            f"{API}/boards/new-here/threads", json={"title": "A question", "body_markdown": "Well?"}
        )
        edited = await heron.patch(f"{API}/posts/{post}", json={"revision": 1, "body_markdown": "Better."})
        assert [replied.status_code, opened.status_code, edited.status_code] == [201, 201, 200]
        assert await listed(heron) == []
    assert await count(services) == 0


async def test_a_refused_post_leaves_its_draft(app: FastAPI, thread: int) -> None:
    async with make.signed_in(app, "heron") as heron:
        await keep(heron, f"threads/{thread}")
        refused = await heron.post(f"{API}/threads/{thread}/posts", json={"body_markdown": "So.", "reply_to": 9})
        assert refused.status_code == 422
        assert len(await listed(heron)) == 1


async def test_a_draft_is_deleted_on_demand_and_after_a_week(app: FastAPI, services: Services, thread: int) -> None:
    async with make.signed_in(app, "heron") as heron:
        for place in (f"threads/{thread}", "boards/new-here"):
            await keep(heron, place)
            for _ in range(2):
                assert (await heron.delete(f"{DRAFTS}/{place}")).status_code == 204
        await keep(heron, f"threads/{thread}")
        viewer = await make.viewer(services, "heron")
        reader, later = services.database.reader, clock.now() + drafts.KEPT_FOR + timedelta(minutes=1)
        assert await drafts.find_draft(reader, viewer, drafts.in_thread(thread), later) is None
        assert list(await drafts.list_drafts(reader, viewer, later)) == []
        # Nobody deleted it yet: its words do not come back.
        async with make.work(services, later) as work:
            renewed = await drafts.save_reply(work, viewer, thread, Saving(DraftWords("New."), 0))
            assert (renewed.body_markdown, renewed.other_words) == ("New.", None)
    async with services.database.work() as session:
        await clean_up(session, later + drafts.KEPT_FOR + timedelta(minutes=1))
    assert await count(services) == 0


async def test_who_leaves_leaves_no_draft(app: FastAPI, services: Services, thread: int) -> None:
    async with make.signed_in(app, "heron") as heron:
        await keep(heron, f"threads/{thread}")
        assert (await heron.put(f"{API}/me/departure", json={"kind": "leave"})).status_code == 200
    # Within the week: it goes with the account and not by its age.
    async with services.database.work() as session:
        session.add(SavedDraft(**await _another(services, thread)))
    await run_hourly_jobs(services, clock.now() + timedelta(days=14, minutes=1))
    assert await count(services) == 0


async def _another(services: Services, thread: int) -> dict[str, Any]:
    viewer = await make.viewer(services, "heron")
    soon = clock.now() + timedelta(days=14)
    return {
        "member_id": viewer.member_id,
        "kind": "board",
        "place_id": thread,
        "version": 1,
        "body_markdown": "x",
        "saved_at": soon,
    }


async def test_there_are_fifty_at_most_however_many_come_at_once(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "heron")
    threads = [await make.thread(services, "heron", title=f"Question {number}") for number in range(54)]
    async with make.signed_in(app, "heron") as heron:
        wanted = {"version": 0, "body_markdown": WORDS}
        first = [await heron.put(f"{DRAFTS}/threads/{thread}", json=wanted) for thread in threads[:48]]
        assert {answer.status_code for answer in first} == {200}
        rest = await asyncio.gather(*(heron.put(f"{DRAFTS}/threads/{t}", json=wanted) for t in threads[48:]))
        assert sorted(answer.status_code for answer in rest) == [200, 200, 422, 422, 422, 422]
        assert {answer.json()["code"] for answer in rest if answer.status_code == 422} == {"too_many_drafts"}
        # One of them can still be changed.
        await keep(heron, f"threads/{threads[0]}", 1, "More.")


async def test_a_place_that_one_no_longer_sees_keeps_the_words_and_loses_its_title(
    app: FastAPI, services: Services, thread: int
) -> None:
    async with make.signed_in(app, "magpie") as magpie:
        await keep(magpie, f"threads/{thread}")
        await keep(magpie, "boards/new-here", title="My question")
        async with services.database.work() as session:
            board = await find_board(session, "new-here")
            assert board is not None
            board.readers = ["moderator"]
        items = await listed(magpie)
        assert [item["place_title"] for item in items] == [None, None]
        assert {item["body_markdown"] for item in items} == {WORDS}
        refused = await magpie.put(f"{DRAFTS}/threads/{thread}", json={"version": 1, "body_markdown": "More."})
        assert refused.status_code == 404
        assert (await magpie.delete(f"{DRAFTS}/boards/new-here")).status_code == 204


async def test_drafts_are_in_ones_own_copy(app: FastAPI, services: Services, thread: int) -> None:
    async with make.signed_in(app, "heron") as heron:
        await keep(heron, f"threads/{thread}")
    async with services.database.work() as session:
        [section] = await export_drafts(session, await make.viewer(services, "heron"), clock.now())
    assert [(item["body_markdown"], item["place_title"]) for item in section.items] == [(WORDS, "A question")]
