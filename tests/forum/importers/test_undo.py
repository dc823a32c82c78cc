"""An import is taken back, and the forum is as it was; until people did something with what came, which keeps it."""

import contextlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from forum.core import clock
from forum.http.services import Services
from forum.importers.errors import CannotMove
from forum.importers.plan import HERE
from forum.importers.records import (
    BanRecord,
    BoardRecord,
    Readers,
    ReportRecord,
    Shown,
    TermRecord,
    ThreadRecord,
    WarningRecord,
)
from forum.importers.undo import taking_back
from forum.importers.undo.deeds import NOUNS, count_deeds, describe
from forum.importers.undo.going import CAME, GOES, collect, read_keys
from forum.importers.undo.taking_back import look, take_back
from forum.members.tables import Role
from tests.forum.importers.test_moving_in import API, PASSWORD, THEN, move_in, post, rows, small_board, today
from tests.support import make
from tests.support.jobs import run_due_jobs, run_hourly_jobs
from tests.support.scenes import house_rules, sql

# What a move leaves behind: the record of what staff did, versions, what is told to open pages and is soon gone, how
# often somebody asked, and that there was a run.
LEFT = {"audit_entry", "page_version", "event", "import_run", "milestone", "throttle_count"}
# What people do that is in tables of which the sentence says no more than that there are other entries.
OTHERS = {
    *("address_disclosure", "addressed_help", "announcement", "answer_template", "appeal", "arrival", "assessment"),
    "board",
    *("concern", "concern_assessment", "concern_audit", "concern_case", "concern_disclosure", "concern_entry"),
    *(
        "concern_exclusion",
        "concern_hold",
        "concern_person",
        "concern_post",
        "contact_message",
        "crisis_phrase",
        "decision_rule",
    ),
    *("detail_effect", "endorsement", "glossary_term", "handle_change", "known_detail"),
    *("left_out_category", "legal_hold", "lost_mailbox", "on_call_presence", "persona_owner"),
    *("reason_template", "refused_text", "resource", "resource_on_board", "resource_on_thread"),
    *("service_complaint", "talk", "talk_complaint", "talk_message", "thread_claim", "watched_term", "webhook"),
}


async def every_row(services: Services) -> dict[str, list[str]]:
    """Each row of each table, but for counts, of which only the sums matter."""
    named = await sql(services, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    found = {}
    for (table,) in named:
        query = f'SELECT t::text FROM "{table}" AS t ORDER BY 1'
        if table in {"board_tally", "post_tally"}:
            query = f"SELECT board_id, sum(posts) FROM {table} GROUP BY 1 HAVING sum(posts) <> 0 ORDER BY 1"
        if table not in LEFT:
            found[table] = [str(row) for row in await sql(services, query)]
    return found


@pytest.fixture
async def before(services: Services) -> dict[str, list[str]]:
    """What there was before: a board with a thread, and a moderator."""
    await house_rules(services)
    await make.member(services, "orla", Role.MODERATOR)
    await make.member(services, "heron")
    await make.board(services)
    await make.post(services, "orla", await make.thread(services, "heron"), "Welcome.")
    await run_due_jobs(services, clock.now())
    return await every_row(services)


@pytest.fixture
async def moved(services: Services, before: dict[str, list[str]], tmp_path: Path) -> Services:
    """A forum into which the small board moved, and whose worker did all that was to do."""
    assert before["post"]
    await move_in(services, tmp_path, decided_board(today()), b15={"into": f"{HERE}new-here"})
    await run_due_jobs(services, clock.now())
    return services


# What became of some of it on the old board.
CHANGED: Mapping[tuple[str, str], dict[str, Any]] = {
    ("post", "2"): {"shown": Shown.REMOVED},  # somebody quoted it
    ("post", "13"): {"text": "Is really anybody here?"},
    ("thread", "6"): {"title": "No longer new"},
}


def decided_board(now: datetime) -> list[Any]:
    """The small board, with what its moderators decided and what waited for them."""
    return [
        *small_board(now),
        BoardRecord(old="15", name="Letters", readers=Readers.EVERYONE, position=4),
        ThreadRecord(old="8", board="15", author="10", title="Into a board that was here"),
        post(40, 8, "10", "A letter came."),
        post(41, 8, "3", "Which one?"),
        WarningRecord(person="4", given_at=THEN),
        # The old board's clock was wrong: it counts as filed when the run began.
        ReportRecord(post="2", by="3", reported_at=now + timedelta(days=1), reason="Not so kind"),
        TermRecord(words="social worker*", replacement="SW"),
    ]


async def test_once_it_is_taken_back_the_forum_is_as_it_was(
    moved: Services,
    before: dict[str, list[str]],
    app: FastAPI,
    guest: httpx.AsyncClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A newer dump hides, rewords and retitles something, and bans somebody.
    newer = [
        record.model_copy(update=CHANGED.get((record.kind, getattr(record, "old", "")), {}))
        for record in (*decided_board(today()), BanRecord(person="10", reason="Angry, too"))
    ]
    await move_in(moved, tmp_path, newer, "newer", b15={"into": f"{HERE}new-here"})
    counts = "SELECT counts FROM import_run ORDER BY started_at DESC LIMIT 1"
    assert await rows(moved, counts) == [
        ({"moved": {}, **dict.fromkeys(("banned", "changed_threads", "hidden", "reworded"), 1)},)
    ]
    # Somebody reads, signed in and not; and moderators are called to what waits.
    answer = await guest.post(f"{API}/sessions", json=make.signing_in("Worried Mum of 3", PASSWORD))
    thread = await _thread(moved, "Is it my fault?")
    async with make.client(app, Authorization=f"Bearer {answer.json()['token']}") as mum:
        assert (await mum.put(f"{API}/threads/{thread}/read", json={"number": 2})).status_code < 300
    assert (await guest.get(f"{API}/threads/{thread}/posts")).status_code == 200
    await run_hourly_jobs(moved, clock.now() + timedelta(hours=1))
    await sql(
        moved,
        "INSERT INTO subscription (member_id, thread_id, mode, chosen_by, since) "
        f"SELECT id, {thread}, 'each', 'self', now() FROM member WHERE handle = 'heron' RETURNING 1",
    )
    found = await look(moved.database, None)
    assert found == ("phpbb Kin", {"board": 4, "person": 9, "post": 18, "thread": 6})

    # It is killed after each of its batches, and goes on; meanwhile nothing can move in.
    monkeypatch.setattr(taking_back, "THREADS", 3)
    monkeypatch.setattr(taking_back, "PEOPLE", 5)
    for batch in range(4):
        with contextlib.suppress(KeyboardInterrupt):
            await take_back(moved.database, seen=_killed)
        assert await rows(moved, "SELECT DISTINCT state, ended_at IS NULL FROM import_run") == [("undoing", False)], (
            batch
        )
    with pytest.raises(CannotMove, match="is being taken back"):
        await move_in(moved, tmp_path, small_board(clock.now()), "again")
    await take_back(moved.database)
    assert await rows(moved, "SELECT DISTINCT state FROM import_run") == [("undone",)]
    acts = "SELECT act FROM audit_entry WHERE act LIKE 'import.%' ORDER BY number"
    assert [act for (act,) in await rows(moved, acts)] == [
        f"import.{what}"
        for what in ("began", "ended", "began", "ended", "undo_began", "undo_began", "undone", "undone")
    ]

    assert (await guest.get(f"{API}/threads/{thread}/posts")).status_code == 404
    assert (await guest.get(f"/threads/{thread}")).status_code == 404
    assert (await guest.get("/boards/mums-dads")).status_code == 404
    async with make.client(app, Authorization=f"Bearer {answer.json()['token']}") as mum:
        assert (await mum.get(f"{API}/me")).status_code == 401
    await run_due_jobs(moved, clock.now() + timedelta(hours=1))
    after = await every_row(moved)
    assert {table: said for table, said in after.items() if said != before[table]} == {}

    with pytest.raises(CannotMove, match="Nothing has moved here"):
        await take_back(moved.database)


def _killed(*_batch: object) -> None:
    raise KeyboardInterrupt


async def _thread(services: Services, title: str) -> int:
    [(thread,)] = await rows(services, f"SELECT id FROM thread WHERE title = '{title}'")
    return int(thread)


# What people do, each in a transaction that is rolled back, and what is said of it.
_MUMS = "(SELECT id FROM thread WHERE title = 'Is it my fault?')"
_POST = f"(SELECT id FROM post WHERE thread_id = {_MUMS} AND number = 2)"
_ORLA = "(SELECT id FROM member WHERE handle = 'orla')"
_NIA = "(SELECT id FROM member WHERE handle = 'nia')"
_WELCOME = "(SELECT id FROM thread WHERE title = 'A question')"
_HELD = "(SELECT id FROM moderation_case WHERE category = 'held')"
_REPLY = (
    "INSERT INTO post (thread_id, number, author_id, voice, visibility, body_markdown, body_html, revision, "
    "created_at, told_at, quotes_recorded) SELECT {}, 50, {}, 'member', 'visible', 'Me too', '<p>Me too</p>', 1, "
    "now(), now(), true"
)
_REPORT = (
    f"INSERT INTO report (id, post_id, revision, reporter_id, case_id, category, rules, note, filed_at) "
    f"SELECT gen_random_uuid(), {_POST}, 1, {_ORLA}, id, 'other', '{{}}', '', now() FROM moderation_case "
    "LIMIT 1"
)
DEEDS = {
    _REPLY.format(_MUMS, _ORLA): "1 post",
    _REPLY.format(_MUMS, _NIA): "1 post",
    _REPLY.format(_WELCOME, _NIA): "1 post",
    f"INSERT INTO reaction (post_id, persona_id, kind, reacted_at) "
    f"VALUES ({_POST}, {_ORLA}, 'hug', now())": "1 reaction",
    _REPORT: "1 report",
    f"INSERT INTO bookmark (member_id, post_id, saved_at) VALUES ({_ORLA}, {_POST}, now())": "1 bookmark",
    f"INSERT INTO post_revision (post_id, number, body_markdown, body_html, sealed, written_at) "
    f"VALUES ({_POST}, 1, 'Before', '<p>Before</p>', false, now())": "1 edited post",
    # As where a moderator changes it without a case, or where somebody else who may does.
    f"WITH now_it_is AS (UPDATE thread SET version = 2 WHERE id = {_MUMS}) INSERT INTO thread_title_revision "
    f"(thread_id, number, title, sealed, written_at, written_by) "
    f"SELECT {_MUMS}, 1, 'Is it mine?', true, now(), {_NIA}": "1 changed title",
    f"INSERT INTO case_note (id, case_id, author_id, text, at) "
    f"VALUES (gen_random_uuid(), {_HELD}, {_ORLA}, 'I know him.', now())": "1 note of the team",
    f"INSERT INTO role_grant (id, member_id, role, given_at) "
    f"VALUES (gen_random_uuid(), {_NIA}, 'moderator', now())": "1 role or invitation",
    f"INSERT INTO thread_claim (thread_id, member_id, since, until, seen_number) "
    f"VALUES ({_MUMS}, {_ORLA}, now(), now() + '1 hour', 1)": "1 other entry",
    f"UPDATE thread SET board_id = (SELECT id FROM board WHERE slug = 'mums-dads') WHERE id = {_WELCOME}": "1 thread",
    f"INSERT INTO post_quote (post_id, revision, quoted_post_id, quoted_revision) "
    f"SELECT id, 1, {_POST}, 1 FROM post WHERE thread_id = {_WELCOME} LIMIT 1": "1 other entry",
}


async def test_what_people_did_here_keeps_all_of_it(moved: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    for deed, said in DEEDS.items():
        async with moved.database.work() as session:
            await session.execute(text(deed))
            going = await read_keys(session)
            await collect(session, going, taking_back.ROOTS, {"source": "phpbb Kin"})
            assert describe(await count_deeds(session, going)) == said, deed
            await session.rollback()
    # What a later run of the old board changed or reported counts for nothing.
    async with moved.database.work() as session:
        marks = f"UPDATE moved SET revision = 2 WHERE thread_id = {_MUMS} AND (number = 2 OR kind = 'thread')"
        changes = [deed for deed, said in DEEDS.items() if said in {"1 edited post", "1 changed title"}]
        later_report = _REPORT.replace("gen_random_uuid()", "'6ab4e2d7-52f1-5c0e-9d6b-0f6f2d1c7a35'")
        for statement in (marks, later_report, *changes):
            await session.execute(text(statement))
        going = await read_keys(session)
        await collect(session, going, taking_back.ROOTS, {"source": "phpbb Kin"})
        assert await count_deeds(session, going) == {}
        await session.rollback()
    # Nobody is merely counted: a reply and two reactions end it with one sentence, and nothing is changed.
    await sql(moved, f"{_REPLY.format(_MUMS, _ORLA)} RETURNING 1")
    before = await every_row(moved)
    with pytest.raises(CannotMove, match=r"people here made 1 post, which would be lost. `forum restore` goes back"):
        await take_back(moved.database)
    assert await every_row(moved) == before
    with pytest.raises(CannotMove, match=r"Nothing has moved here from “phpbb Kith”\. This moved: “phpbb Kin”"):
        await take_back(moved.database, "phpbb Kith")
    await sql(moved, "DELETE FROM post WHERE body_markdown = 'Me too' RETURNING 1")

    # Once it has begun, the boards are closed, so nobody writes; but somebody may keep a post for themselves.
    monkeypatch.setattr(taking_back, "THREADS", 1)
    with contextlib.suppress(KeyboardInterrupt):
        await take_back(moved.database, seen=_killed)
    assert await rows(moved, "SELECT count(*) FROM board WHERE archived_at IS NOT NULL") == [(3,)]
    # That goes, and so does a hug; a reply keeps its thread, and who wrote there, and the rest goes.
    await sql(
        moved,
        "INSERT INTO bookmark SELECT member.id, max(post.id), now() FROM member, post WHERE handle = 'orla' GROUP BY 1",
    )
    await sql(
        moved,
        f"INSERT INTO reaction SELECT min(post.id), {_ORLA}, 'hug', now() FROM post "
        "JOIN moved USING (thread_id, number)",
    )
    theirs = "(SELECT id FROM thread WHERE title = 'Into a board that was here')"
    await sql(moved, f"{_REPLY.format(theirs, _ORLA)} RETURNING 1")
    await sql(
        moved,
        "INSERT INTO departure (member_id, kind, asked_at, due_at) SELECT id, 'erase', now(), now() + '14 days' "
        "FROM member WHERE email = 'max@example.org' RETURNING 1",
    )
    place = f"/threads/{await _thread(moved, 'Into a board that was here')}: 1 post\n"
    with pytest.raises(CannotMove, match=rf"(?s){place}.*: 1 request to close an account\n"):
        await take_back(moved.database)
    assert await rows(moved, "SELECT title FROM thread ORDER BY id") == [
        ("A question",),
        ("Into a board that was here",),
    ]
    assert await rows(moved, "SELECT count(*) FROM reaction") == [(0,)]
    await sql(moved, "DELETE FROM post WHERE body_markdown = 'Me too' RETURNING 1")
    await sql(moved, "DELETE FROM departure RETURNING 1")
    await take_back(moved.database)
    assert await rows(moved, "SELECT count(*) FROM thread") == [(1,)]
    assert await rows(moved, "SELECT count(*) FROM bookmark") == [(0,)]


async def test_every_table_that_leads_to_what_moved_goes_or_keeps_it(services: Services) -> None:
    """A new table is in `going.GOES`, in `deeds.NOUNS`, or in the list above."""
    async with services.database.work() as session:
        going = await read_keys(session)
    known = {f"{key.child}.{key.column} -> {key.parent}" for key in going.keys}
    assert {f"{name} -> {parent}" for parent, names in GOES.items() for name in names} <= known
    owned = {key.child for key in going.owning if (key.child, key.column) not in CAME}
    assert {key.child for key in going.watched()} - owned == (OTHERS | set(NOUNS)) - owned
    place = going.tables.index
    assert all(place(key.parent) < place(key.child) for key in going.owning if key.child in going.tables)
