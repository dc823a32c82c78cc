"""An adviser keeps a thread that they want to answer; what runs out comes back with its old age."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from forum.administration import advisers
from forum.advising import claims
from forum.content.posts.revisions import lock_post_row
from forum.content.posts.tables import Visibility
from forum.content.posts.visibility import set_visibility
from forum.content.threads.claims import ThreadClaim
from forum.core import clock
from forum.http.services import Services
from forum.members.queries import get_member
from forum.members.tables import Role, Standing
from forum.notifications.inbox import Notification
from tests.support import make
from tests.support.jobs import run_due_jobs

API = "/api/v1"


async def _lane(client: httpx.AsyncClient, lane: str, **more: str) -> list[dict[str, Any]]:
    answer = await client.get(f"{API}/adviser/threads", params={"lane": lane, **more})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def _end(services: Services, now: datetime) -> list[str]:
    """What the holders are told when the job has run."""
    async with services.database.work() as session:
        await claims.end_claims(session, {}, now)
    await run_due_jobs(services, now)
    async with services.database.work() as session:
        told = (await session.execute(select(Notification.kind))).scalars().all()
        assert (await session.execute(select(ThreadClaim))).all() == []
    return sorted(kind for kind in told if kind.startswith("claim_"))


async def test_a_kept_thread_shows_no_words_that_were_taken_out(app: FastAPI, services: Services) -> None:
    await make.board(services)
    for handle in ("heron", "wren"):
        await make.member(services, handle)
    thread = await make.thread(services, "heron", body="A zebra.")
    await make.post(services, "wren", thread, "I see")
    async with make.signed_in(app, "suzie", Role.ADVISER) as suzie:
        assert (await suzie.put(f"{API}/adviser/threads/{thread}/claim", json={"version": 1})).status_code == 200
        [kept] = await _lane(suzie, "mine")
        assert kept["waiting_words"] == "A zebra."
        async with services.database.work() as session:
            post = await lock_post_row(session, 1)
            await set_visibility(session, post, Visibility.REMOVED, clock.now())
        for lane in ("mine", "claimed"):
            [kept] = await _lane(suzie, lane)
            assert kept["waiting_words"] == ""


async def test_two_advisers_do_not_answer_the_same_thread(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "heron")
    asked = clock.now() - timedelta(days=6)
    thread = await make.thread(services, "heron", at=asked)
    url, body = f"{API}/adviser/threads/{thread}/claim", {"version": 1}
    async with (
        make.signed_in(app, "suzie", Role.ADVISER) as suzie,
        make.signed_in(app, "marcus", Role.ADVISER) as marcus,
        make.signed_in(app, "magpie") as magpie,
    ):
        assert (await magpie.put(url, json=body)).status_code == 403
        assert (await suzie.put(url, json={"version": 2})).json()["code"] == "thread_changed"
        kept = await suzie.put(url, json=body)
        assert kept.status_code == 200
        assert (await suzie.put(url, json=body)).status_code == 200  # again is longer
        refused = await marcus.put(url, json=body)
        assert (refused.status_code, refused.json()["code"]) == (409, "thread_claimed")
        assert refused.json()["changed_by"]["handle"] == "suzie"
        assert refused.json()["until"]
        # It stands in one place, with who keeps it and its old age.
        assert await _lane(marcus, "asked") == []
        assert await _lane(marcus, "mine") == []
        [listed] = await _lane(marcus, "claimed", organisation="Example Family Charity")
        assert await _lane(marcus, "claimed", organisation="Another Charity") == []
        assert (listed["claim"]["by"]["handle"], listed["claim"]["is_mine"]) == ("suzie", False)
        assert datetime.fromisoformat(listed["waiting_since"]) == asked
        assert listed["is_late"]
        assert (await marcus.get(f"{API}/home")).json()["waiting_for_advisers"] == 0
        assert [item["id"] for item in await _lane(suzie, "mine", late="true")] == [thread]
        await marcus.delete(url)  # not theirs: nothing happens
        assert len(await _lane(suzie, "mine")) == 1
        for _ in range(2):
            assert (await suzie.delete(url)).status_code == 204
        assert [item["id"] for item in await _lane(marcus, "asked")] == [thread]


async def test_what_runs_out_waits_again_with_its_old_age_and_an_answer_ends_a_claim(
    app: FastAPI, services: Services
) -> None:
    await make.board(services)
    await make.member(services, "heron")
    asked = clock.now() - timedelta(days=1)
    thread = await make.thread(services, "heron", at=asked)
    url = f"{API}/adviser/threads/{thread}/claim"
    async with (
        make.signed_in(app, "suzie", Role.ADVISER) as suzie,
        make.signed_in(app, "marcus", Role.ADVISER) as marcus,
    ):
        await suzie.put(url, json={"version": 1})
        assert await _end(services, clock.now() + timedelta(days=9)) == ["claim_ended"]
        [listed] = await _lane(marcus, "asked")
        assert datetime.fromisoformat(listed["waiting_since"]) == asked
        await suzie.put(url, json={"version": 1})
        await make.post(services, "marcus", thread, "So:")  # at once: nobody waits for a job
        assert await _lane(suzie, "claimed") == []
        assert (await marcus.put(url, json={"version": 1})).status_code == 200
        await make.post(services, "marcus", thread, "And:")
        assert await _end(services, clock.now()) == ["claim_answered", "claim_ended"]


async def test_of_two_at_once_one_keeps_it(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "heron")
    async with (
        make.signed_in(app, "suzie", Role.ADVISER) as suzie,
        make.signed_in(app, "marcus", Role.ADVISER) as marcus,
    ):
        for _ in range(3):
            url = f"{API}/adviser/threads/{await make.thread(services, 'heron')}/claim"
            answers = await asyncio.gather(*(client.put(url, json={"version": 1}) for client in (suzie, marcus)))
            assert sorted(answer.status_code for answer in answers) == [200, 409]


@pytest.mark.parametrize("ends", ["silenced", "dismissed"])
async def test_who_may_not_advise_any_more_keeps_nothing(ends: str, app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    async with make.signed_in(app, "suzie", Role.ADVISER) as suzie:
        await suzie.put(f"{API}/adviser/threads/{thread}/claim", json={"version": 1})
    if ends == "silenced":
        await make.sanction(services, "suzie", Standing.SILENCED)
    else:
        async with services.database.work() as session:
            await advisers.dismiss(session, await get_member(session, "suzie"), clock.now())
    assert await _end(services, clock.now()) == []
