"""Who left is in no table any more: a member's whole life is written, and then every row of every table is read."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from forum.authentication.handles import LONGEST_WRITING
from forum.core import clock
from forum.http.services import Services
from forum.members.departure import belongings
from forum.members.tables import Role
from moderation import rules
from tests.support import mailbox, make
from tests.support.jobs import run_due_jobs, run_hourly_jobs
from tests.support.scenes import a_case, appeal, decide, report, sql

API = "/api/v1"
LATER = timedelta(days=14, minutes=1)
MUCH_LATER = timedelta(days=200)

# What may never be found once its member has left, and what only while their words are theirs.
HANDLE, NAME, ADDRESS, WANTED = "zephyrwren", "Tamarisk", "vellichor@example.org", "susurrus@example.org"
MARKS = {
    "handle": HANDLE,
    "name": NAME,
    "address": "vellichor",
    "wanted address": "susurrus",
}
WORDS = {
    "title": "petrichor",
    "earlier title": "psithurism",
    "held edit": "crepuscular",
    "post": "halcyon",
    "earlier revision": "limerence",
    "content warning": "mellifluous",
    "removed post": "ineffable",
    "redacted words": "sonderling",
    "withdrawn post": "apricity",
    "post under an open case": "nemophilist",
    "report": "ephemeral",
    "waiting report": "serendip",
    "appeal": "eunoia",
    "answer in a talk": "quiescent",
    "complaint": "brouhaha",
    "post in a busy thread": "phosphene",
}
TELLING = MARKS | WORDS


@dataclass
class Life:
    """What a member did here, and where."""

    client: httpx.AsyncClient
    secrets: dict[str, str] = field(default_factory=dict)
    threads: dict[str, int] = field(default_factory=dict)
    posts: dict[str, int] = field(default_factory=dict)


async def tables(services: Services) -> dict[str, str]:
    """Every table of every schema of ours, with all that it says."""
    named = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    said = {}
    for schema, table in await sql(services, named):
        rows = await sql(services, f'SELECT t::text FROM "{schema}"."{table}" AS t')
        said[f"{schema}.{table}"] = "\n".join(row[0] for row in rows)
    return said


async def found(services: Services, marks: Mapping[str, str]) -> set[tuple[str, str]]:
    """Where a mark is still, and which: readable, or as the hexadecimal digits in which PostgreSQL shows bytes."""
    return {
        (table, what)
        for table, said in (await tables(services)).items()
        for what, mark in marks.items()
        if mark.casefold() in said.casefold()
    }


async def posted(client: httpx.AsyncClient, thread: int, body: str, **more: Any) -> int:
    answer = await client.post(f"{API}/threads/{thread}/posts", json={"body_markdown": body, **more})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


@pytest.fixture
async def staff(app: FastAPI, services: Services) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    """Two moderators, on a board with rules."""
    async with services.database.work() as session:
        await rules.adopt_house_rules(session, clock.now())
    await make.board(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        yield suzie, orla


@pytest.fixture
async def life(app: FastAPI, services: Services, guest: httpx.AsyncClient) -> AsyncIterator[Life]:
    """Somebody who joined as people do."""
    joining = make.joining(HANDLE, name=NAME, email=ADDRESS)
    headers = {"Idempotency-Key": "0f8b7d5a3c1e4f6092a4b6c8d0e2f415"}
    assert (await guest.post(f"{API}/members", json=joining, headers=headers)).status_code == 201
    [letter] = await mailbox.come(services)
    assert (
        await guest.post(f"{API}/email-verifications/confirmation", json={"token": letter.token})
    ).status_code == 204
    answer = await guest.post(f"{API}/sessions", json=make.signing_in(HANDLE))
    signed_in = answer.json()
    async with make.client(app, Authorization=f"Bearer {signed_in['token']}") as client:
        digests = {name: hashlib.sha256(signed_in[name].encode()).hexdigest() for name in ("token", "device")}
        app_of_theirs = (await client.post(f"{API}/me/second-factor")).json()
        yield Life(client, digests | {"authenticator app": app_of_theirs["secret"]})


async def live(life: Life, app: FastAPI, services: Services, suzie: httpx.AsyncClient, orla: httpx.AsyncClient) -> None:
    """Everything that a member can do and suffer here."""
    wren = life.client
    opening = {"title": "A day of psithurism and rain", "body_markdown": "So halcyon are the days that we had before."}
    began = await wren.post(f"{API}/boards/new-here/threads", json=opening, headers={"Idempotency-Key": "mine"})
    thread = life.threads["own"] = began.json()["id"]
    first = life.posts["post"] = began.json()["first_post"]["id"]
    edit = {"revision": 1, "body_markdown": opening["body_markdown"], "content_warning": "mellifluous things"}
    again = {"revision": 2, "body_markdown": f"{opening['body_markdown']} Still.", "content_warning": "none"}
    await wren.patch(f"{API}/posts/{first}", json={**edit, "body_markdown": "It was limerence that I felt, and how."})
    await wren.patch(f"{API}/posts/{first}", json=again)
    titled = {"version": 1, "title": "A day of petrichor and rain"}
    assert (await wren.patch(f"{API}/threads/{thread}", json=titled)).status_code == 200
    withdrawn = await posted(wren, thread, "An apricity of winter that nobody needs to read.")
    await wren.delete(f"{API}/posts/{withdrawn}")
    life.posts["removed"] = await posted(wren, thread, "The ineffable rudeness of this social worker beats me.")
    life.posts["redacted"] = await posted(wren, thread, "She is a sonderling of the very worst kind, I say.")
    life.posts["open"] = await posted(wren, thread, "I am a nemophilist and I know where you live, you toad.")
    async with make.signed_in(app, "magpie") as magpie:
        for quoted in ("halcyon are the days that we had before", "limerence that I felt, and how"):
            await posted(magpie, thread, f"> @{HANDLE} #1\n> So {quoted}\n\nI know, @{HANDLE.title()}.", reply_to=1)
        sorry = await posted(magpie, thread, "> The ineffable rudeness of this social worker beats me.\n\nNo.")
        await magpie.patch(f"{API}/posts/{sorry}", json={"revision": 1, "body_markdown": "I take that back."})
        rude = await posted(magpie, thread, "You are a toad.")
        for whose, by in ((sorry, wren), (first, magpie)):
            assert (await by.put(f"{API}/posts/{whose}/reactions/hug")).status_code == 204
        named = await magpie.post(f"{API}/members/{HANDLE}/reports", json={"category": "other"})
        assert named.status_code == 201, named.text
        for name in ("removed", "redacted"):
            assert (await report(magpie, life.posts[name])).status_code == 201
            case = await a_case(suzie, life.posts[name])
            await suzie.post(f"{API}/moderation/cases/{case['id']}/notes", json={"text": f"I wrote to @{HANDLE}."})
            case, spans = await a_case(suzie, life.posts[name]), {"kind": "redact", "spans": [[9, 40]]}
            measure = {"kind": "remove"} if name == "removed" else spans
            done = await decide(suzie, case, measure, reason=f"Not so, @{HANDLE}: say what she did instead, 100 %.")
            assert done.status_code == 201, done.text
        async with make.signed_in(app, "nia", Role.ADVISER) as nia:
            noted = await nia.post(f"{API}/adviser/threads/{thread}/notes", json={"text": f"I rang @{HANDLE}."})
            assert noted.status_code == 201, noted.text
        await suzie.post(f"{API}/moderation/boards/new-here/handover", json={"text": f"@{HANDLE} was quiet."})
        await suzie.post(f"{API}/moderation/members/{HANDLE}/notes", json={"text": f"@{HANDLE} calls in the evening."})
        # So soon after a moderator changed it, an edit waits for one.
        redacted = f"{API}/posts/{life.posts['redacted']}"
        edit = {"revision": 2, "body_markdown": "I was in a crepuscular mood."}
        assert (await wren.patch(redacted, json=edit)).json()["waiting"]
        retitle = {"kind": "retitle", "title": "About a visit"}
        assert (await report(magpie, first, revision=3)).status_code == 201
        assert (await decide(suzie, await a_case(suzie, first), retitle)).status_code == 201
        assert (await report(magpie, life.posts["open"])).status_code == 201
        talks = f"{API}/moderation/cases/{(await a_case(suzie, life.posts['open']))['id']}/talks"
        begun = await suzie.post(talks, json={"text": f"Are you well, @{HANDLE}?"})
        assert begun.status_code == 201, begun.text
        message = {"message_id": begun.json()["id"], "text": "What a brouhaha."}
        complained = await wren.post(f"{API}/talks/{begun.json()['talk_id']}/complaints", json=message)
        assert complained.status_code == 201, complained.text
        answer = {"text": "I feel quiescent, thank you."}
        assert (await wren.post(f"{API}/talks/{begun.json()['talk_id']}/messages", json=answer)).status_code == 201
    assert (await report(wren, rude, note="An ephemeral insult")).status_code == 201
    assert (await decide(orla, await a_case(orla, rude), {"kind": "dismiss"})).status_code == 201
    busy = life.threads["busy"] = await make.thread(services, "magpie", title=f"Thank you, @{HANDLE}!")
    waiting = await make.post(services, "magpie", busy, "Toads, all of you.")
    assert (await report(wren, waiting.id, note="Not by serendip")).status_code == 201
    await posted(wren, busy, "A phosphene in the dark, that is what it was to me.")
    statements = (await wren.get(f"{API}/me/statements")).json()["items"]
    assert (await appeal(wren, statements[-1]["id"], "I ask for your eunoia.")).status_code == 201
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        invited = await joan.post(f"{API}/invitations", json={"email": ADDRESS.title(), "role": "moderator"})
        assert invited.status_code == 201, invited.text
        assert (await joan.put(f"{API}/accounts/{HANDLE}/roles/administrator", json={})).status_code < 300
    await wren.post(f"{API}/sessions", json=make.signing_in(HANDLE, "nothing like it"))
    assert (await wren.post(f"{API}/me/exports")).status_code == 201
    await run_due_jobs(services, clock.now() + timedelta(minutes=1))
    assert (await wren.post(f"{API}/searches", json={"query": f"halcyon {HANDLE}"})).status_code == 201
    change = {"email": WANTED, "current": make.PASSWORD}
    assert (await wren.put(f"{API}/me/email", json=change)).status_code == 204


async def hear(services: Services, suzie: httpx.AsyncClient, orla: httpx.AsyncClient) -> None:
    """Decide whatever waits."""
    for case in (await orla.get(f"{API}/moderation/cases?limit=100")).json()["items"]:
        screen = (await orla.get(f"{API}/moderation/cases/{case['id']}")).json()
        measure = {"kind": "uphold" if case["kind"] == "appeal" else "dismiss"}
        done = await decide(orla, screen, measure, rules=[])
        assert done.status_code == 201, done.text


async def secrets(services: Services) -> dict[str, str]:
    [row] = await sql(services, "SELECT id::text, password_hash FROM member WHERE handle = :handle", handle=HANDLE)
    return {"id": row.id, "password": row.password_hash}


async def test_the_life_that_is_looked_for_is_in_the_tables(
    app: FastAPI, services: Services, life: Life, staff: tuple[httpx.AsyncClient, httpx.AsyncClient]
) -> None:
    await live(life, app, services, *staff)
    empty = {name for name, said in (await tables(services)).items() if not said}
    assert sorted(empty - {f"public.{table.name}" for table, _ in belongings()} - set(NOT_LIVED)) == []
    there = await found(services, TELLING)
    assert {what for _, what in there} == set(TELLING)
    assert {table for table, what in there if what == "handle"} >= {"public.member", "public.post", "public.case_note"}
    assert ("public.statement", "redacted words") in there


# What this life does not fill, and why it need not, beside tables whose rows go with a member's. A new table joins the
# life, or this list.
NOT_LIVED = {
    "public.departure": "leaving is what the tests do",
    "public.spent_handle": "the same",
    "public.handle_change": "a job empties it; a story looks through every table after it",
    "public.legal_hold": "a hold keeps everything",
    "public.persona_owner": "nobody can take an alias yet",
    "public.finding": "spans, and no words",
    "public.network_key": "a random word for a day; a test of arrivals lets it go",
    "public.event_epoch": "a random word, once for each database",
    "public.import_run": "numbers of what moved from an old board; a test of moving in has someone leave who moved",
    "public.moved": "the same",
    "public.untold_post": "ids of posts for a second; they go with their post",
    "public.unindexed_post": "the same",
    "public.unindexed_thread": "the same, of threads",
    "public.search_word": "words that at least three people wrote; a test of them lets a taken one go",
    "public.search_spelling": "the same",
    "public.feed_entry": "ids and times; a test of feeds lets them go",
    "public.case_alarm": "times, and no words",
    "public.case_call": "who of the staff was called, and no words; a test of on call exports it",
    "public.on_call_shift": "hours of staff, and no words; a test of on call lets them go",
    "public.on_call_presence": "the same",
    "public.transparency_year": "numbers of a year that is over; the test of the report keeps some",
    "public.left_out_category": "categories, and no words; a test of moderators' own safety lets them go",
    "public.refused_text": "words of acute danger, which this life has none of; a test of dangers erases them",
    "public.public_report": "tied to no member; a test of reports lets them go",
    "public.assessment": "words of the house",
    "public.concern": "a concern is kept whole until its day, whoever leaves; a test of concerns erases one",
    **dict.fromkeys(
        (
            *("public.concern_assessment", "public.concern_audit", "public.concern_case", "public.concern_disclosure"),
            *("public.concern_entry", "public.concern_exclusion", "public.concern_hold", "public.concern_person"),
            "public.concern_post",
        ),
        "the same",
    ),
    "public.reason_template": "words of the house",
    "public.answer_template": "the same",
    "public.crisis_phrase": "the same",
    "public.watched_term": "the same",
    "public.swept_post": "kinds of what was found in posts that moved, and no words",
    "public.near_copy": "numbers of posts, and no words",
    "public.finding_tally": "counts by day, of nobody",
    "public.announcement": "words of the house",
    "public.webhook": "addresses of other services",
    "public.webhook_delivery": "numbers of posts, and no words",
    "public.glossary_term": "the same",
    "public.resource": "the same",
    "public.resource_on_board": "the same",
    "public.resource_on_thread": "the same",
    "public.known_detail": "the charity's own numbers",
    "public.detail_effect": "what a board does, and no words",
    "jobs.schedule": "when jobs are due by the clock",
    "jobs.statistics": "how many jobs there were",
}

# What is left of somebody who only left, and why.
LEAVES = {
    "public.post": "posts stay, by a former member",
    "public.post_revision": "so do their revisions",
    "public.thread_title_revision": "and the earlier titles of their threads",
    "public.held_edit": "and the edits that wait",
    "public.post_search": "and their words in the index",
    "public.statement": "what was decided is kept, with the words that it is about (DESIGN §6, Kept)",
    "public.report": "so is what was reported",
    "public.appeal": "and appealed",
    "public.talk_message": "and what they wrote to moderators about it",
    "public.talk_complaint": "and of them",
}


async def test_who_leaves_is_in_no_table_but_for_what_they_wrote(
    app: FastAPI, services: Services, life: Life, staff: tuple[httpx.AsyncClient, httpx.AsyncClient]
) -> None:
    await live(life, app, services, *staff)
    hidden = await secrets(services)
    assert {what for _, what in await found(services, life.secrets)} == set(life.secrets)
    assert (await life.client.put(f"{API}/me/departure", json={"kind": "leave"})).status_code == 200
    await run_hourly_jobs(services, clock.now() + LATER)
    await run_due_jobs(services, clock.now() + LATER + LONGEST_WRITING)
    assert await found(services, MARKS | life.secrets | {"password": hidden["password"]}) == set()
    assert {table for table, _ in await found(services, WORDS)} == set(LEAVES)
    assert [str(row.persona_id) == hidden["id"] for row in await sql(services, "SELECT * FROM reaction")] == [False]
    async with make.client(app) as guest:
        page = (await guest.get(f"{API}/threads/{life.threads['own']}/posts?limit=100")).text
        assert "halcyon" in page
        assert HANDLE not in page


async def test_who_erases_is_in_no_table_once_nothing_waits_for_their_words(
    app: FastAPI, services: Services, life: Life, staff: tuple[httpx.AsyncClient, httpx.AsyncClient]
) -> None:
    await live(life, app, services, *staff)
    hidden = await secrets(services)
    gone = MARKS | life.secrets | {"password": hidden["password"]}
    assert (await life.client.put(f"{API}/me/departure", json={"kind": "erase"})).status_code == 200
    await run_hourly_jobs(services, clock.now() + LATER)
    await run_due_jobs(services, clock.now() + LATER + LONGEST_WRITING)
    assert await found(services, gone) == set()
    # What somebody has to decide still, and the words that a statement is about until nobody can appeal.
    assert await found(services, WORDS) == {
        ("public.post", "post under an open case"),
        ("public.report", "waiting report"),
        ("public.appeal", "appeal"),
        ("public.talk_message", "answer in a talk"),
        ("public.talk_complaint", "complaint"),
        ("public.post", "removed post"),
        ("public.post_revision", "redacted words"),
        ("public.held_edit", "held edit"),
        ("public.statement", "redacted words"),
        ("public.statement", "removed post"),
        ("public.statement", "title"),
    }
    async with make.client(app) as guest:
        page = (await guest.get(f"{API}/threads/{life.threads['own']}/posts?limit=100")).text
        assert {mark for mark in TELLING.values() if mark.casefold() in page.casefold()} == set()

    await hear(services, *staff)
    await run_hourly_jobs(services, clock.now() + LATER)
    assert {table for table, _ in await found(services, WORDS)} == {"public.statement"}
    await run_hourly_jobs(services, clock.now() + MUCH_LATER)
    assert await found(services, gone | WORDS) == set()
    [departure] = await sql(services, "SELECT cleared_at FROM departure")
    assert departure.cleared_at is not None
    assert await run_hourly_jobs(services, clock.now() + MUCH_LATER) == []


async def test_a_name_that_was_forgotten_would_be_found(services: Services) -> None:
    await make.member(services, HANDLE)
    async with services.database.work() as session:
        await session.execute(text("CREATE TABLE gossip AS SELECT handle FROM member"))
    assert ("public.gossip", "handle") in await found(services, MARKS)
    assert await run_due_jobs(services, clock.now()) == []
