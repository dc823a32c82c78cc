"""Withdrawn is not gone for moderation: who can report it, who reads it, and when the words are gone."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from forum.content.markup import GONE
from forum.content.posts.erasure import erase_posts
from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role
from forum.privacy.tables import HoldReason, LegalHold
from moderation.withdrawn_posts import erase_withdrawn_posts
from tests.support import make
from tests.support.scenes import DISMISS, RUDE, WARN, a_case, a_post, decide, report, sql

API = "/api/v1"
LATER = timedelta(days=30, minutes=1)


@pytest.fixture
async def suzie(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with make.signed_in(app, "suzie", Role.MODERATOR) as client:
        yield client


@pytest.fixture
async def heron(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with make.signed_in(app, "heron") as client:
        yield client


async def withdrawn(app: FastAPI, services: Services, heron: httpx.AsyncClient) -> int:
    """A rude post that its author edited and withdrew."""
    post = await a_post(services)
    async with make.signed_in(app, "stepdad") as stepdad:
        change = {"revision": 1, "body_markdown": f"{RUDE} So."}
        assert (await stepdad.patch(f"{API}/posts/{post.id}", json=change)).status_code == 200
        assert (await stepdad.delete(f"{API}/posts/{post.id}")).status_code == 204
    assert "toad" not in (await heron.get(f"{API}/posts/{post.id}")).text
    return post.id


async def erase_due(services: Services, after: timedelta = LATER) -> None:
    async with services.database.work() as session:
        await erase_withdrawn_posts(session, {}, clock.now() + after)


async def words(services: Services, post_id: int) -> str:
    kept = "SELECT body_markdown FROM post WHERE id = :id UNION SELECT body_markdown FROM post_revision"
    return "".join(row[0] for row in await sql(services, f"{kept} WHERE post_id = :id", id=post_id))


async def test_a_withdrawn_post_is_reported_read_on_its_case_only_and_decided(
    app: FastAPI, services: Services, heron: httpx.AsyncClient, suzie: httpx.AsyncClient
) -> None:
    post = await withdrawn(app, services, heron)
    made = await report(heron, post, category="risk", revision=1)
    assert made.status_code == 201, made.text
    for address in (f"posts/{post}/revisions", f"posts/{post}", "moderation/cases", "moderation/cases?limit=1"):
        assert "toad" not in (await suzie.get(f"{API}/{address}")).text
    refused = await suzie.get(f"{API}/posts/{post}/revisions")
    assert (refused.status_code, refused.json()["code"]) == (403, "post_withdrawn")

    log = f"{API}/moderation/log?act=withdrawn_post.read"
    assert (await suzie.get(log)).json()["items"] == []
    case = await a_case(suzie, post)
    assert case["revisions"][-1]["body_markdown"] == f"{RUDE} So."
    assert [entry["subject_id"] for entry in (await suzie.get(log)).json()["items"]] == [str(post)]
    answer = await decide(suzie, case, WARN)
    assert answer.status_code == 201, answer.text
    assert (await heron.get(f"{API}/me/reports")).json()["items"][0]["outcome"] == "upheld"


async def test_after_thirty_days_nobody_reads_or_reports_it(
    app: FastAPI, services: Services, heron: httpx.AsyncClient, suzie: httpx.AsyncClient
) -> None:
    post = await withdrawn(app, services, heron)
    await erase_due(services, timedelta(days=29))
    assert "toad" in await words(services, post)
    await erase_due(services)
    assert set(await words(services, post)) == {GONE}
    refused = await report(heron, post)
    assert (refused.status_code, refused.json()["code"]) == (409, "post_withdrawn")


async def test_while_its_case_is_open_the_words_stay(
    app: FastAPI, services: Services, heron: httpx.AsyncClient, suzie: httpx.AsyncClient
) -> None:
    post = await withdrawn(app, services, heron)
    assert (await report(heron, post)).status_code == 201
    await erase_due(services)
    assert "toad" in await words(services, post)
    case = await a_case(suzie, post)
    assert "toad" in str(case)
    assert (await decide(suzie, case, DISMISS)).status_code == 201
    await erase_due(services)
    assert set(await words(services, post)) == {GONE}


async def test_what_the_law_holds_stays(
    app: FastAPI, services: Services, heron: httpx.AsyncClient, suzie: httpx.AsyncClient
) -> None:
    post = await withdrawn(app, services, heron)
    stepdad, by = [(await make.viewer(services, handle)).member_id for handle in ("stepdad", "suzie")]
    async with services.database.work() as session:
        session.add(LegalHold(member_id=stepdad, reason=HoldReason.COURT, placed_by=by, placed_at=clock.now()))
    await erase_due(services)
    assert "toad" in await words(services, post)


async def test_an_erased_account_has_no_thirty_days(app: FastAPI, services: Services, heron: httpx.AsyncClient) -> None:
    post = await a_post(services)
    author = (await make.viewer(services, "stepdad")).member_id
    async with services.database.work() as session:
        await erase_posts(session, author, post.thread_id, [post.id], clock.now())
    refused = await report(heron, post.id)
    assert (refused.status_code, refused.json()["code"]) == (409, "post_withdrawn")
