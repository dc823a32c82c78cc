"""What moderation keeps of who left: every decision and its undo, without a name, and no words that were erased."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.exc import DBAPIError

from forum.content import markup
from forum.core import clock
from forum.http.services import Services
from forum.members.tables import FORMER, Role
from tests.support import make
from tests.support.jobs import clean_up, run_hourly_jobs
from tests.support.scenes import (
    REDACT,
    REMOVE,
    RUDE,
    a_case,
    a_post,
    appeal,
    decide,
    decided,
    first_page,
    hear,
    report,
    sql,
)

API = "/api/v1"
LATER = timedelta(days=14, minutes=1)
GONE = markup.GONE


async def leave(app: FastAPI, services: Services, handle: str, kind: str = "leave") -> None:
    async with make.signed_in(app, handle) as client:
        assert (await client.put(f"{API}/me/departure", json={"kind": kind})).status_code == 200
    await run_hourly_jobs(services, clock.now() + LATER)


@pytest.fixture
async def suzie(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with make.signed_in(app, "suzie", Role.MODERATOR) as client:
        yield client


@pytest.fixture
async def orla(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with make.signed_in(app, "orla", Role.MODERATOR) as client:
        yield client


@pytest.mark.parametrize(("measure", "verb"), [(REDACT, "Edited"), (REMOVE, "Removed")], ids=["redact", "remove"])
async def test_a_notice_does_not_name_a_moderator_who_left(
    app: FastAPI,
    services: Services,
    suzie: httpx.AsyncClient,
    orla: httpx.AsyncClient,
    measure: dict[str, Any],
    verb: str,
) -> None:
    post = await a_post(services)
    await decided(app, suzie, post.id, measure)
    await leave(app, services, "suzie")
    notice = (await first_page(orla, post.thread_id))[1]["notice"]
    assert (notice["by"], notice["text"]) == ("a moderator", f"{verb} by a moderator as breaches rule 10")
    log = (await orla.get(f"{API}/moderation/log?act=case.decided")).json()["items"]
    assert [entry["by"]["name"] for entry in log] == [FORMER]


async def test_an_adviser_who_left_speaks_for_the_organisation_without_a_name(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    async with make.signed_in(app, "ada", Role.ADVISER):
        await make.post(services, "ada", thread, "Ring the court first.")
    await leave(app, services, "ada")
    [_, reply] = await first_page(guest, thread)
    assert reply["adviser"] == {"name": FORMER, "title": "Online adviser", "organisation": "Example Family Charity"}
    assert (await guest.get(f"{API}/advisers")).json()["items"] == []


async def test_a_post_of_a_former_member_can_be_reported_and_decided(
    app: FastAPI, services: Services, suzie: httpx.AsyncClient
) -> None:
    post = await a_post(services)
    await leave(app, services, "stepdad")
    made = await decided(app, suzie, post.id, REDACT)
    screen = (await suzie.get(f"{API}/moderation/cases/{made['case_id']}")).json()
    assert (screen["author"]["handle"], screen["record"]["standing"]) == (None, "left")
    assert "lying toad" not in (await first_page(suzie, post.thread_id))[1]["body_markdown"]


@pytest.mark.parametrize("measure", [REDACT, REMOVE], ids=["redact", "remove"])
async def test_an_appeal_that_is_heard_after_an_erasure_brings_no_word_back(
    app: FastAPI, services: Services, suzie: httpx.AsyncClient, orla: httpx.AsyncClient, measure: dict[str, Any]
) -> None:
    post = await a_post(services)
    await make.post(services, "heron", post.thread_id, f"> @stepdad #2\n> {RUDE}\n\nI would not put it that way.")
    made = await decided(app, suzie, post.id, measure)
    async with make.signed_in(app, "stepdad") as stepdad:
        assert (await appeal(stepdad, made["statement_id"])).status_code == 201
    await leave(app, services, "stepdad", "erase")
    kept = await sql(services, "SELECT body_markdown FROM post_revision UNION SELECT body_markdown FROM post")
    assert any("lying toad" in row.body_markdown for row in kept)  # whoever hears the appeal reads it

    assert (await first_page(orla, post.thread_id))[1]["visibility"] == "withdrawn"  # readers see none of it
    case = await a_case(orla, post.id, "appeal")
    heard = await hear(orla, case["id"], "overturn", version=case["version"], revision=case["post_revision"])
    assert heard.status_code == 201, heard.text
    for _ in range(2):
        await run_hourly_jobs(services, clock.now() + LATER)
    for row in await sql(services, "SELECT body_markdown FROM post_revision UNION SELECT body_markdown FROM post"):
        assert "lying toad" not in row.body_markdown
    _, own, quoting = await first_page(orla, post.thread_id)
    assert own["visibility"] == "withdrawn"
    assert "I would not put it that way." in quoting["body_markdown"]
    assert "social worker" not in quoting["body_markdown"]


async def test_what_moderators_wrote_does_not_mention_who_left(
    app: FastAPI, services: Services, suzie: httpx.AsyncClient
) -> None:
    post = await a_post(services)
    async with make.signed_in(app, "magpie") as magpie:
        await report(magpie, post.id, note="Again @Stepdad, not @stepdaddy nor me@stepdad.example")
    case = await a_case(suzie, post.id)
    await suzie.post(f"{API}/moderation/cases/{case['id']}/notes", json={"text": "I wrote to @stepdad."})
    case = await a_case(suzie, post.id)
    assert (await decide(suzie, case, REDACT, note="@stepdad again", reason="See, @stepdad.")).status_code == 201
    await leave(app, services, "stepdad")
    screen = (await suzie.get(f"{API}/moderation/cases/{case['id']}")).json()
    gone = GONE * len("stepdad")
    assert screen["notes"][0]["text"] == f"I wrote to @{gone}."
    assert screen["reported"][0]["note"] == f"Again @{gone}, not @stepdaddy nor me@stepdad.example"
    [decision] = await sql(services, "SELECT d.reason, d.note, s.reason FROM decision d JOIN statement s ON true")
    assert tuple(decision) == (f"See, @{gone}.", f"@{gone} again", f"See, @{gone}.")


async def test_nothing_else_of_a_statement_ever_changes(
    app: FastAPI, services: Services, suzie: httpx.AsyncClient
) -> None:
    post = await a_post(services)
    await decided(app, suzie, post.id, REDACT)
    for change in (
        "reason = 'Something else'",
        "reason = reason || '·'",
        "reason = '%'",
        "reason = replace(reason, 'S', '_')",
        "excerpts = '[\"something else\"]'",
        "excerpts = '[]', law = 'Another'",
    ):
        with pytest.raises(DBAPIError, match="statement is append-only"):
            await sql(services, f"UPDATE statement SET {change}")
    await sql(services, "UPDATE statement SET excerpts = '[]', reason = replace(reason, 'S', '·')")


async def test_what_is_put_down_for_who_left_goes_within_the_hour(
    app: FastAPI, services: Services, suzie: httpx.AsyncClient
) -> None:
    post = await a_post(services)
    await leave(app, services, "stepdad")
    await decided(app, suzie, post.id, REDACT)
    assert await sql(services, "SELECT 1 FROM notification WHERE kind = 'post_edited'")
    async with services.database.work() as session:
        await clean_up(session, clock.now())
    assert await sql(services, "SELECT 1 FROM notification WHERE kind = 'post_edited'") == []
