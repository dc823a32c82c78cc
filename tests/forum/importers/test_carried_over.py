"""What an old board decided stands here too: seen by moderators, told to its author, undone by an appeal."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from forum.cli.import_run import make_import
from forum.core import clock
from forum.core.database import new_id
from forum.http.services import Services
from forum.importers import check
from forum.importers.errors import CannotMove
from forum.importers.old_moderation import OldRemoval, OldWarning, RunTime
from forum.importers.plan import Plan
from forum.importers.records import (
    BanRecord,
    BoardRecord,
    PersonKind,
    PersonRecord,
    PostRecord,
    Readers,
    RemovalRecord,
    ReportRecord,
    Shown,
    SourceRecord,
    TermRecord,
    TextForm,
    ThreadRecord,
    WarningRecord,
    WatchRecord,
)
from forum.importers.run import carry_over
from forum.importers.staging import Staging
from forum.members.tables import Role
from forum.privacy import account_deletion
from forum.privacy.tables import DepartureKind
from moderation.carried_over import CarriedOver
from moderation.case_deciders import list_deciders
from moderation.past_warnings import export_own, list_of
from moderation.transparency import Counted, find_report
from tests.support import make, scenes
from tests.support.jobs import run_due_jobs
from tests.support.scenes import API, sql

THEN = datetime(2019, 3, 1, 3, 0, tzinfo=UTC)
CASES = f"{API}/moderation/cases"


def post(old: int, thread: int, author: str | None, said: str, **more: Any) -> PostRecord:
    usual = {"written_at": THEN + timedelta(hours=old), "form": TextForm.PLAIN}
    return PostRecord(old=str(old), thread=str(thread), author=author, text=said, **{**usual, **more})


def removed(by: str | None = None, reason: str = "", at: datetime | None = None) -> dict[str, Any]:
    return {"shown": Shown.REMOVED, "removed": RemovalRecord(at=at, by=by, reason=reason)}


def old_board(now: datetime) -> list[Any]:
    """Four boards; what was decided, reported and replaced on them."""
    recent = now - timedelta(days=20)
    return [
        SourceRecord(program="phpbb", version="3.3.14", name="Kin"),
        BoardRecord(old="11", name="Court", readers=Readers.EVERYONE),
        BoardRecord(old="12", name="Letters", readers=Readers.EVERYONE, is_closed=True, position=1),
        BoardRecord(old="13", name="Members", readers=Readers.MEMBERS, position=2),
        BoardRecord(old="14", name="Team", readers=Readers.STAFF, position=3),
        PersonRecord(old="2", name="Suzie", was=("moderator",), last_seen_at=recent),
        PersonRecord(old="3", name="Mum", last_seen_at=recent),
        PersonRecord(old="4", name="Toad", last_seen_at=recent),
        PersonRecord(old="5", name="Never Came", what=PersonKind.INACTIVE),
        ThreadRecord(old="1", board="11", author="3", title="Is it my fault?"),
        ThreadRecord(old="2", board="11", author="4", title="Taken down", shown=Shown.REMOVED),
        ThreadRecord(old="3", board="12", author="3", title="A letter came"),
        ThreadRecord(old="4", board="13", author="3", title="Among ourselves"),
        post(1, 1, "3", "My son was taken into care. What can I do?"),
        post(2, 1, "4", "You are all useless toads.", **removed("2", "He called names", THEN + timedelta(days=9))),
        post(3, 1, "3", "I wish I had not said that.", **removed("3", at=THEN + timedelta(days=8))),
        post(4, 1, None, "Buy my book.", author_name="Visitor", **removed()),
        post(5, 1, "4", "I am sorry."),
        post(6, 2, "4", "A whole thread of it."),
        post(7, 3, "3", "What does it mean?"),
        post(8, 4, "3", "Only for us."),
        BanRecord(person="4", since=THEN + timedelta(days=10), reason="Rule 3 and 4", note="Third account of his"),
        WarningRecord(person="4", given_at=THEN, by="2"),
        WarningRecord(person="4", given_at=THEN + timedelta(days=1)),
        WarningRecord(person="5", given_at=THEN),
        ReportRecord(post="5", by="3", reported_at=recent, reason="He is not sorry at all", title="Spam"),
        ReportRecord(post="5", by="3", reported_at=recent, reason="Twice"),
        ReportRecord(post="5", by="5", reported_at=now + timedelta(days=1)),  # its clock was wrong
        ReportRecord(post="1", by="4", reported_at=now - timedelta(days=100), reason="Long ago"),
        ReportRecord(post="2", by="3", reported_at=recent, reason="Removed since"),
        TermRecord(words="damn", replacement="d*mn"),
        TermRecord(words="social worker*", replacement="SW"),
        TermRecord(words="*", replacement="x"),
        WatchRecord(person="3", board="11"),
        WatchRecord(person="3", board="12"),
    ]


async def move_in(services: Services, folder: Path, **into: str) -> None:
    """Move the board here, where `b12="11"` has the board 12 go into the board 11."""
    with Staging.without_name(folder) as staging:
        staging.add(old_board(clock.now()))
        plan = Plan.proposed(staging)
        changed = {key[1:]: plan.boards[key[1:]].model_copy(update={"into": goal}) for key, goal in into.items()}
        plan = plan.model_copy(update={"boards": {**plan.boards, **changed}})
        await carry_over(services.database, make_import(staging, plan, services.settings))


async def read(client: httpx.AsyncClient, path: str) -> Any:
    answer = await client.get(f"{API}{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def post_id(services: Services, words: str) -> int:
    [(found,)] = await sql(services, f"SELECT id FROM post WHERE body_markdown LIKE '{words}%'")
    return int(found)


async def case_on(services: Services, words: str) -> str:
    found = "SELECT case_id FROM case_post JOIN post ON post.id = post_id WHERE body_markdown LIKE '{}%'"
    return str((await sql(services, found.format(words)))[0][0])


async def decide(client: httpx.AsyncClient, case: Any, *kinds: str) -> None:
    wanted = {"measures": [{"kind": kind} for kind in kinds], "reason": "I looked at it.", "rules": []}
    seen = {"version": case["version"], "revision": case["post_revision"]}
    answer = await client.post(f"{CASES}/{case['id']}/decisions", json=wanted | seen)
    assert answer.status_code == 201, answer.text


async def test_what_the_old_board_decided_is_seen_told_and_undone_as_what_this_house_decides(
    services: Services, app: FastAPI, guest: httpx.AsyncClient, tmp_path: Path
) -> None:
    await scenes.house_rules(services)
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        await move_in(services, tmp_path)
        assert await sql(services, "SELECT count(*) FROM notification WHERE kind NOT LIKE 'case%'") == [(0,)]
        assert await sql(services, "SELECT count(*) FROM mail") == [(0,)]
        counts = (await sql(services, "SELECT counts FROM import_run"))[0][0]
        expected = {"banned": 1, "warnings": 2, "reports": 2, "terms": 2, "removed": 4}
        assert {key: counts[key] for key in expected} == expected

        # Its author reads why, and can ask for a second look; not what moderators wrote for each other.
        async with make.signed_in(app, "toad") as toad:
            told = (await read(toad, "/me/statements"))["items"]
            assert [one["measures"][0]["kind"] for one in told].count("remove") == 2
            assert all(one["from_old_board"] and one["rules"] == [] for one in told)
            [ban] = [one for one in told if one["measures"][0]["kind"] == "ban"]
            assert ban["reason"].endswith("The old board wrote: “Rule 3 and 4”")
            assert "Third account" not in str(told)
            assert "called names" not in str(told)
            assert (await toad.get(f"/me/statements/{ban['id']}")).text.count("on the old board") == 2
            removal = next(one for one in told if one["excerpts"] == ["You are all useless toads."])
            assert (await scenes.appeal(toad, removal["id"])).status_code == 201
        async with make.signed_in(app, "mum") as mum:
            assert (await read(mum, "/me/statements"))["items"] == []  # nobody decided about what she took back

        # Moderators read who, when and why.
        record = await read(orla, "/moderation/members/toad")
        assert [at[:10] for at in record["past_warnings"]] == ["2019-03-02", "2019-03-01"]
        assert [one["by"] for one in record["decided"]] == [None] * 3
        assert sorted(record["measures"].items()) == [("ban", 1), ("remove", 2)]
        page = (await orla.get("/moderation/members/toad")).text
        assert "2 warnings on the old board" in page
        useless = await case_on(services, "You are all")
        page = (await orla.get(f"/moderation/cases/{useless}")).text
        for says in ("The old board", "10 Mar 2019", "Removed by @suzie. The old board wrote: “He called names”"):
            assert says in page, says
        threads = (await orla.get("/threads/1")).text
        assert threads.count("What was decided") == 3
        assert "Taken back by its author" in threads
        assert "What was decided" not in (await guest.get("/threads/1")).text
        assert useless in (await orla.get(f"/moderation/posts/{await post_id(services, 'You are all')}/case")).text
        # None of it is in the numbers of a year, and no year begins with it.
        async with make.work(services) as work:
            for year in (2019, clock.now().year):
                sections = {
                    one.counted: one for one in (await find_report(work.session, services.settings, year)).sections
                }
                assert sections[Counted.MEASURES].most == sections[Counted.REPORTS].most == 0
                assert (sections[Counted.CASES].most > 0) == (year != 2019)

        # Reports of the last months wait here, with who reported only where they came too.
        open_cases = {case["post_id"]: case for case in (await read(orla, "/moderation/cases"))["items"]}
        sorry = await read(orla, f"/moderation/cases/{open_cases[await post_id(services, 'I am sorry')]['id']}")
        said = [(one["category"], one["note"], one["by"] and one["by"]["handle"]) for one in sorry["reported"]]
        assert said == [
            ("spam", "Spam: He is not sorry at all", "mum"),
            ("other", "It was reported on the old board, without a reason.", None),
        ]
        assert set(open_cases) == {sorry["post_id"], await post_id(services, "You are all"), None}

        # A post that is removed there later, and has a case here, is decided in that one. Who looks at it looks again.
        wren = await make.member(services, "wren")
        place = {"post_id": sorry["post_id"], "thread_id": 1, "number": 5, "author_id": wren.id, "has_account": False}
        later = OldRemoval(
            **place,
            words="I am sorry.",
            at=THEN,
            is_dated=True,
            by=None,
            by_id=None,
            by_author=False,
            reason="",
            notice='{"kind": "removed", "by": null, "rules": [], "text": "Removed by a moderator"}',
        )
        async with services.database.work() as session:
            [(run_id,)] = await sql(services, "SELECT id FROM import_run")
            await CarriedOver(services.settings).keep_removals(session, RunTime(run_id, clock.now()), [later])
        assert (await read(orla, f"/moderation/cases/{sorry['id']}"))["state"] == "open"
        stale = await scenes.decide(orla, sorry, {"kind": "dismiss"})
        assert (stale.status_code, stale.json()["code"]) == (409, "case_changed"), stale.text
        assert "The old board" in (await orla.get(f"/moderation/cases/{sorry['id']}")).text

        # An appeal brings the post back. Nobody had decided it here, but whoever removed it there does not hear it.
        [heard] = [case["id"] for case in open_cases.values() if case["kind"] == "appeal"]
        file = await read(orla, f"/moderation/cases/{heard}")
        assert file["appeal"]["decided_by"] is None
        assert "It was decided on the old board" in (await orla.get(f"/moderation/cases/{heard}")).text
        moderates = (
            "INSERT INTO role_grant (id, member_id, role, given_at) SELECT gen_random_uuid(), id, 'moderator', now()"
        )
        await sql(services, f"{moderates} FROM member WHERE handle = 'suzie' RETURNING 1")
        async with make.work(services) as work:
            deciders = await list_deciders(work.session, UUID(heard), work.now)
            assert deciders == [(await make.viewer(services, "orla")).id]
        await sql(
            services, "DELETE FROM role_grant USING member WHERE member.id = member_id AND handle = 'suzie' RETURNING 1"
        )
        assert (await scenes.hear(orla, heard, "overturn")).status_code == 201
        assert "useless toads" in (await guest.get("/threads/1")).text
        # So does a moderator who looks into it, where nobody can appeal.
        book = await post_id(services, "Buy my")
        assert (
            "The old board did not keep when."
            in (await orla.get(f"/moderation/cases/{await case_on(services, 'Buy')}")).text
        )
        look = {"note": "It is a good book.", "revision": 1}
        # Never what its author took back, there or here.
        taken_back = await post_id(services, "I wish")
        shows = "UPDATE post SET visibility = '{}' WHERE id = {} RETURNING 1"
        await sql(services, shows.format("withdrawn", book))
        for never, code in ((taken_back, "post_removed"), (book, "post_withdrawn")):
            answer = await orla.post(f"{API}/moderation/posts/{never}/case", json=look)
            assert (answer.status_code, answer.json()["code"]) == (409, code)
        await sql(services, shows.format("removed", book))
        seen = await orla.post(f"{API}/moderation/posts/{book}/case", json=look)
        assert seen.status_code == 201, seen.text
        shown = (await orla.get(f"/moderation/cases/{seen.json()['id']}")).text
        assert "Undo what the old board decided" in shown
        # A guest of the old board has no account: nobody offers to write to them.
        assert ("Visitor (guest) has no account here" in shown, 'id="field-message"' in shown) == (True, False)
        refused = await orla.post(f"{CASES}/{seen.json()['id']}/talks", json={"text": "Hello?"})
        assert (refused.status_code, refused.json()["code"]) == (409, "no_account_here")
        await decide(orla, await read(orla, f"/moderation/cases/{seen.json()['id']}"), "dismiss")
        assert "Buy my book" in (await guest.get("/threads/1")).text
        again = await orla.post(f"{API}/moderation/posts/{await post_id(services, 'A whole')}/case", json=look)
        removing = await read(orla, f"/moderation/cases/{again.json()['id']}")
        decided = await scenes.decide(orla, removing, scenes.REMOVE, title_revision=1)
        assert decided.status_code == 201, decided.text
        assert (await guest.get(f"{API}/threads/2/posts")).status_code == 404  # still removed, by this house now
        # What this house decides about a ban takes its place.
        async with make.signed_in(app, "toad") as toad:
            assert (await read(toad, "/me"))["standing"] == "banned"
            banned = await read(orla, f"/moderation/cases/{open_cases[None]['id']}")
            assert "ban" in (await orla.get(f"/moderation/cases/{banned['id']}")).text
            await decide(orla, banned, "dismiss")
            assert (await read(toad, "/me"))["standing"] == "active"
            ended = "SELECT handle FROM notification JOIN member ON member.id = member_id WHERE kind = 'standing_ended'"
            assert await sql(services, ended) == [("toad",)]
            async with make.work(services) as work:
                viewer = await make.viewer(services, "toad")
                # A page shows a hundred; their copy has them all.
                warned = [OldWarning(new_id(), viewer.member_id, THEN) for _ in range(99)]
                await CarriedOver(services.settings).keep_warnings(work.session, RunTime(run_id, work.now), warned)
                [section] = await export_own(work.session, viewer, work.now)
                assert len(section.items) == 101
                assert len(await list_of(work.session, viewer.member_id)) == 100
        assert await sql(
            services,
            "SELECT count(*) FROM measure WHERE undone_at IS NULL AND decision_id IN "
            "(SELECT id FROM decision WHERE decided_by IS NULL)",
        ) == [(1,)]  # what waits to be decided; what she took back is no measure of anybody

    # Who leaves is in none of it.
    now = clock.now()
    for handle in ("suzie", "toad"):
        viewer = replace(await make.viewer(services, handle), signed_in_at=now)
        async with services.transactions(now).begin() as work:
            await account_deletion.request_departure(work, viewer, DepartureKind.ERASE)
    await run_due_jobs(services, now + timedelta(days=14, minutes=1))
    assert await sql(services, "SELECT count(*) FROM decision WHERE note LIKE '%suzie%'") == [(0,)]
    assert await sql(services, "SELECT count(*) FROM past_warning") == [(0,)]
    # The database takes no decision that nobody took, nor one of both.
    async with services.database.work() as session:
        for wrong in ("decided_by = NULL, import_run_id = NULL", "import_run_id = (SELECT id FROM import_run LIMIT 1)"):
            with pytest.raises(IntegrityError):
                async with session.begin_nested():
                    await session.execute(text(f"UPDATE decision SET {wrong} WHERE decided_by IS NOT NULL"))


async def test_words_that_the_old_board_replaced_are_offered_and_none_is_sought(
    services: Services, app: FastAPI, tmp_path: Path
) -> None:
    async with (
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        await move_in(services, tmp_path)
        shelf = await read(orla, "/moderation/terms")
        assert shelf["items"] == []
        damn, worker = shelf["offered"]
        assert (damn["kind"], damn["text"], damn["note"]) == ("word", "damn", "The old board showed “d*mn” instead.")
        assert (worker["kind"], worker["text"]) == ("pattern", r"social\s+worker[\pL\pN]*")
        assert (worker["on"], worker["changed_by"]) == (False, None)
        assert "Offered from the old board" in (await orla.get("/moderation/terms")).text
        for term in (damn, worker):
            assert "Leave it out" in (await joan.get(f"/moderation/terms/{term['id']}")).text
        # An administrator takes one and leaves the other out; no later run offers either again.
        wanted = {"kind": "pattern", "text": worker["text"], "effect": "point_out", "version": 1}
        assert (await joan.put(f"{API}/moderation/terms/{worker['id']}", json=wanted)).status_code == 200
        for _ in range(2):
            assert (await joan.delete(f"{API}/moderation/terms/{damn['id']}")).status_code == 204
        await move_in(services, tmp_path)
        shelf = await read(orla, "/moderation/terms")
        assert ([one["text"] for one in shelf["items"]], shelf["offered"]) == ([worker["text"]], [])
        versions = await read(orla, f"/moderation/terms/{damn['id']}")
        assert [(one["version"], one["on"]) for one in versions["items"]] == [(2, False), (1, False)]


async def test_a_board_goes_into_another_one_and_no_more_people_read_it(
    services: Services, guest: httpx.AsyncClient, tmp_path: Path
) -> None:
    await make.board(services, "new-here", readers=("member",))
    await make.board(services, "open-house")
    await make.board(services, "listed", readers=("member",), indexable=True)
    await make.board(services, "advisers", readers=("adviser",))
    for into, says in (
        ("12", "does not stay a board of its own"),
        ("99", "the old board has no such board"),
        ("/boards/nowhere", "this forum has no such board"),
    ):
        with pytest.raises(CannotMove, match=says):
            await move_in(services, tmp_path, b12=into)
    for into, says in (
        ("11", "that one is read by everyone, and this one by members"),
        ("/boards/open-house", "that one is read by everyone, and the plan says members"),
        ("/boards/listed", "search engines may list that one"),
    ):
        with pytest.raises(CannotMove, match=says):
            await move_in(services, tmp_path, b13=into)
    with pytest.raises(CannotMove, match="that one is read by adviser, and the plan says staff"):
        await move_in(services, tmp_path, b14="/boards/advisers")
    with pytest.raises(CannotMove, match="does not stay a board of its own"):
        await move_in(services, tmp_path, b12="11", b11="/boards/open-house")
    assert await sql(services, "SELECT count(*) FROM import_run") == [(0,)]

    await move_in(services, tmp_path, b12="11", b13="/boards/new-here")
    for _ in range(2):  # a second run leaves all as it is
        threads = (
            "SELECT slug, title, state, EXISTS (SELECT FROM moved WHERE moved.board_id = board.id AND NOT is_merged) "
            "FROM thread JOIN board ON board.id = thread.board_id ORDER BY thread.id"
        )
        assert await sql(services, threads) == [
            ("court", "Is it my fault?", "open", True),
            ("court", "Taken down", "open", True),
            ("court", "A letter came", "locked", True),  # nobody could write there
            ("new-here", "Among ourselves", "open", False),
        ]
        await move_in(services, tmp_path, b12="11", b13="/boards/new-here")
    assert await sql(services, "SELECT count(*) FROM board") == [(6,)]
    assert await sql(services, "SELECT count(*) FROM subscription WHERE board_id IS NOT NULL") == [(1,)]
    for old in ("11", "12"):
        answer = await guest.get(f"/viewforum.php?f={old}")
        assert (answer.status_code, answer.headers["location"]) == (301, "/boards/court")
    assert (await guest.get("/viewforum.php?f=13")).status_code == 404
    async with services.database.work() as session:
        assert await check.find_faults(session) == []
        assert (await check.count_moved(session))["board"] == 4
