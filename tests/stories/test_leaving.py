"""Leaves, changes their mind, leaves for good: over HTTP, with the mails and the worker's jobs."""

import asyncio
import itertools
from datetime import timedelta
from pathlib import Path

import httpx
from fastapi import FastAPI

from forum.core import clock
from forum.http.services import Services
from forum.members.tables import FORMER
from tests.support import mailbox, make
from tests.support.jobs import run_hourly_jobs
from tests.support.running import launch
from tests.support.scenes import sql

API = "/api/v1"
ME = f"{API}/me/departure"
KILLS = 3
SECRET = "He does not know that we have moved."


async def test_leaves_changes_their_mind_and_leaves_for_good(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    assert (await guest.post(f"{API}/members", json=make.joining("heron"))).status_code == 201
    [letter] = await mailbox.come(services)
    await guest.post(f"{API}/email-verifications/confirmation", json={"token": letter.token})
    signed_in = await guest.post(f"{API}/sessions", json=make.signing_in("heron"))
    async with (
        make.client(app, Authorization=f"Bearer {signed_in.json()['token']}") as heron,
        make.signed_in(app, "magpie") as magpie,
    ):
        opening = {"title": "We have moved", "body_markdown": f"{SECRET}\nWhat do we tell the school?"}
        thread = (await heron.post(f"{API}/boards/new-here/threads", json=opening)).json()["id"]
        posts = f"{API}/threads/{thread}/posts"
        quoting = {"body_markdown": f"> @heron #1\n> {SECRET}\n\nTell them nothing, @heron.", "reply_to": 1}
        assert (await magpie.post(posts, json=quoting)).status_code == 201

        # Leaves, and thinks again a week later.
        due = (await heron.put(ME, json={"kind": "erase"})).json()["due_at"]
        assert due[:10] == f"{clock.now() + timedelta(days=14):%Y-%m-%d}"
        assert [letter.subject for letter in await mailbox.come(services)] == ["About your account"]
        assert (await heron.post(posts, json={"body_markdown": "I can write still."})).status_code == 201
        assert (await heron.delete(ME)).status_code == 204
        await run_hourly_jobs(services, clock.now() + timedelta(days=15))
        assert (await heron.get(f"{API}/me")).json()["handle"] == "heron"

        # Takes everything of their own along, and leaves for good.
        copy = (await heron.post(f"{API}/me/exports")).json()["id"]
        await run_hourly_jobs(services, clock.now() + timedelta(minutes=1))
        assert (await heron.get(f"{API}/me/exports/{copy}/archive")).status_code == 200
        assert (await heron.put(ME, json={"kind": "erase"})).status_code == 200
        seen = await guest.get(posts)
        await run_hourly_jobs(services, clock.now() + timedelta(days=15))

        for path in ("/me", "/me/departure", f"/me/exports/{copy}/archive"):
            assert (await heron.get(API + path)).status_code in {401, 404}
        page = await guest.get(posts, headers={"If-None-Match": seen.headers["etag"]})
        assert page.status_code == 200
        mine, reply, later = page.json()["items"]
        assert (mine["visibility"], later["visibility"]) == ("withdrawn", "withdrawn")
        assert "Tell them nothing" in reply["body_markdown"]
        for read in (page, await guest.get(f"{API}/threads/{thread}"), await magpie.get(f"{API}/posts/{reply['id']}")):
            assert "heron" not in read.text.casefold()
            assert "moved" not in read.text
            assert "does not know" not in read.text
        about = (await guest.get(f"{API}/threads/{thread}")).json()
        assert (about["title"], about["author"]["name"]) == ("Opened by a former member", FORMER)

    for login in ("heron", "heron@example.org"):
        answer = await guest.post(f"{API}/sessions", json=make.signing_in(login))
        assert (answer.status_code, answer.json()["detail"]) == (401, "The login or the password is wrong.")
        assert (await guest.post(f"{API}/password-resets", json={"login": login})).status_code == 204
    assert await mailbox.come(services) == []
    assert (await guest.get(f"{API}/members?handle=heron")).json()["items"] == []
    again = make.joining("nobody-yet", email="heron@example.org")
    assert (await guest.post(f"{API}/members", json=again)).status_code == 201


# What has to be done in the end, and nothing twice. A minute later, one job looks once more.
WAITING = "SELECT count(*) FROM jobs.queue WHERE entrypoint NOT IN ('send_mail', 'forget_handle')"
LEFT = "SELECT count(*) FROM audit_entry WHERE act = 'member.left'"


async def test_a_worker_that_is_killed_again_and_again_erases_everything_and_nothing_twice(
    app: FastAPI, services: Services, database_url: str, tmp_path: Path
) -> None:
    await make.board(services)
    await make.member(services, "magpie")
    for number in range(20):
        thread = await make.thread(services, "magpie", title=f"Question {number}")
        if number == 0:
            await make.member(services, "heron")
        await make.post(services, "heron", thread, f"{SECRET} {number}")
        await make.post(services, "magpie", thread, f"> {SECRET}\n\nI see.")
    async with make.signed_in(app, "heron") as heron:
        assert (await heron.put(ME, json={"kind": "erase"})).status_code == 200
    await sql(services, "UPDATE departure SET asked_at = now() - interval '15 days', due_at = now() - interval '1 day'")
    await sql(services, "UPDATE jobs.queue SET execute_after = now()")

    where = {"FORUM_DATABASE_URL": database_url, "FORUM_DATA": str(tmp_path)}
    async with asyncio.timeout(120):
        for kill in itertools.count(1):
            [[waiting]] = await sql(services, WAITING)
            if waiting == 0:
                break
            worker = launch(tmp_path / f"worker{kill}.log", "worker", **where)
            while worker.poll() is None:
                [[left]] = await sql(services, WAITING)
                if left == 0 or (kill <= KILLS and left != waiting):
                    worker.kill()
                    worker.wait()
                await asyncio.sleep(0.01)
            # Its jobs are taken over once it gave no sign of life for a while.
            await sql(services, "UPDATE jobs.queue SET heartbeat = now() - interval '1 hour'")
    [[times]] = await sql(services, LEFT)
    assert times == 1
    for (said,) in await sql(
        services, "SELECT body_markdown FROM post UNION ALL SELECT body_markdown FROM post_revision"
    ):
        assert "does not know" not in said
    await run_hourly_jobs(services, clock.now() + timedelta(minutes=1))
    [(cleared,)] = await sql(services, "SELECT cleared_at FROM departure")
    assert cleared is not None
