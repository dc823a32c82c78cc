"""A forum moves out: all of it in one file, which another forum takes in and gives out again, byte for byte."""

import json
import stat
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from forum.cli.import_run import make_import
from forum.core import clock, embedded_postgres
from forum.core.backup import BackupError
from forum.core.database import Database
from forum.core.settings import Settings
from forum.http.services import Services
from forum.importers import programs
from forum.importers.errors import CannotMove
from forum.importers.moving_out.collecting import Wishes
from forum.importers.moving_out.numbers import renumbered
from forum.importers.moving_out.writing import export_all
from forum.importers.own.archive import new_archive
from forum.importers.plan import Plan
from forum.importers.records import BoardRecord, PersonRecord, Readers, SourceRecord, TermRecord
from forum.importers.run import carry_over
from forum.importers.staging import Staging
from forum.members.tables import Role
from forum.passwords import hashing
from tests.conftest import AS_IT_WAS_MIGRATED, database_called
from tests.support import make
from tests.support.scenes import sql

OURS = "[removed: rule 3]"


@pytest.fixture
async def other(server: embedded_postgres.Server, operator: AsyncConnection) -> AsyncIterator[str]:
    """The address of another forum's database, empty but for its tables."""
    await operator.execute(text(f"CREATE DATABASE other_forum {AS_IT_WAS_MIGRATED}"))
    yield database_called(server.url, "other_forum")
    await operator.execute(text("DROP DATABASE other_forum WITH (FORCE)"))


async def a_forum(services: Services) -> None:
    """Four boards; a thread with a post of each kind; one that was removed, one that waits; an alias; who left."""
    for handle in ("anna", "ben", "cleo"):
        await make.member(services, handle)
    await make.member(services, "suzie", Role.MODERATOR)
    await make.member(services, "quiet-one", verified=False, joined=timedelta(days=1_500))
    await make.board(services, "mums", name="Mums & Dads", section="Welcome", description="For all of us.", position=7)
    await make.board(services, "members", readers=("member",), position=9)
    await make.board(services, "team", readers=("moderator",), openers=("moderator",), repliers=("moderator",))
    await make.board(services, "closed", section="Welcome", position=8)
    then = clock.now() - timedelta(days=30)
    asked = await make.thread(services, "anna", "mums", "Is it my fault?", "My son was taken into care.", then)
    said = (
        ("ben", "Nobody shall read this again: WITHDRAWN.", {}),
        ("ben", "You are not to blame. @anna", {"reply_to": 1, "content_warning": "Courts"}),
        ("cleo", "You toad. REMOVED", {"reply_to": 1}),
        ("anna", "> @ben #3:\n> You are not to blame.\n\nThat helps.\n\n> @ben #2 wrote:\n> Hm", {"reply_to": 3}),
        ("ben", f"He said {OURS}, and \\{OURS} I typed.", {"reply_to": 4}),
        ("cleo", "I do not want my name here.", {}),
        ("cleo", "I wait for a moderator. HELD", {}),
    )
    for hours, (author, body, draft) in enumerate(said, start=1):
        await make.post(services, author, asked, body, then + timedelta(hours=hours), **draft)
    gone = await make.thread(services, "ben", "mums", "Gone: REMOVED title", "Gone REMOVED too.", then)
    await make.post(services, "anna", gone, "Below what was REMOVED.", then)
    await make.thread(services, "suzie", "team", "For the team", "Who knows?", then)
    empty = await make.thread(services, "cleo", "members", "Taken back", "WITHDRAWN as well.", then)
    await make.thread(services, "cleo", "closed", "An old one", "It was good to be here.", then)
    alias = "00000000-0000-7000-8000-000000000001"
    for change in (
        f"UPDATE post SET visibility = 'withdrawn' WHERE thread_id = {empty} OR body_markdown LIKE '%WITHDRAWN%'",
        f"UPDATE post SET visibility = 'removed' WHERE thread_id = {asked} AND body_markdown LIKE '%REMOVED%'",
        f"UPDATE post SET visibility = 'removed' WHERE thread_id = {gone}",
        f"UPDATE thread SET posts = 0, participants = 0 WHERE id = {gone}",
        "UPDATE post SET visibility = 'held', held_because = 'First posts.' WHERE body_markdown LIKE '%HELD%'",
        "UPDATE board SET archived_at = now() WHERE slug = 'closed'",
        f"UPDATE post SET body_markdown = replace(body_markdown, '\\\\', '') WHERE body_markdown = '{OURS}'",
        "UPDATE post SET edited_at = created_at, changed_by = (SELECT id FROM member WHERE handle = 'suzie'), "
        'notice = \'{"kind": "edited", "by": "Suzie", "rules": [3], "text": "Edited by Suzie as breaches rule 3"}\' '
        "WHERE body_markdown LIKE 'He said%'",
        # Anna moderated then.
        "UPDATE post SET edited_at = created_at, changed_by = (SELECT id FROM member WHERE handle = 'anna'), "
        'notice = \'{"kind": "edited", "by": "Anna", "rules": [], "text": "Edited by Anna: a name"}\' '
        "WHERE body_markdown LIKE 'You are not%'",
        "UPDATE member SET handle = 'member-5', skeleton = 'rnernbers', name = 'Member 5', name_skeleton = 'rnernbers' "
        "WHERE handle = 'quiet-one'",
        f"INSERT INTO persona (id, thread_id, name) VALUES ('{alias}', {asked}, 'Night owl')",
        f"INSERT INTO persona_owner SELECT '{alias}', id, {asked} FROM member WHERE handle = 'cleo'",
        f"UPDATE post SET author_id = '{alias}' WHERE body_markdown LIKE 'I do not want%'",
    ):
        await sql(services, change)
    await make.sanction(services, "cleo", make.Standing.BANNED)


def unpacked(file: Path) -> dict[str, list[dict[str, Any]]]:
    with zipfile.ZipFile(file) as archive:
        return {
            name.removesuffix(".jsonl"): [json.loads(line) for line in archive.read(name).splitlines()]
            for name in archive.namelist()
            if name.endswith(".jsonl")
        }


async def test_a_forum_moves_to_another_and_out_of_it_again_byte_for_byte(
    app: FastAPI, services: Services, database_url: str, other: str, tmp_path: Path
) -> None:
    await a_forum(services)
    settings = services.settings
    first, again, full, there = (tmp_path / f"{name}.zip" for name in ("first", "again", "full", "there"))
    await export_all(database_url, first, settings, Wishes(), clock.now())
    await export_all(database_url, again, settings, Wishes(), clock.now())
    assert first.read_bytes() == again.read_bytes()
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    with pytest.raises(CannotMove, match="is there already"):
        await export_all(database_url, first, settings, Wishes(), clock.now())
    with pytest.raises(BackupError):
        await export_all(database_url, tmp_path / "nowhere" / "x.zip", settings, Wishes(), clock.now())
    noted = await sql(services, "SELECT act, details ->> 'posts' FROM audit_entry WHERE act = 'export.made'")
    assert [tuple(row) for row in noted] == [("export.made", "11")] * 2

    found = unpacked(first)
    assert [(board["name"], board["readers"], board["is_closed"]) for board in found["boards"]] == [
        ("Boards", "everyone", False),
        ("Team", "staff", False),
        ("Welcome", "everyone", False),
        ("Mums & Dads", "everyone", False),
        ("Closed", "everyone", True),
        ("Members", "members", False),
    ]
    people = {person["name"]: person for person in found["people"]}
    assert {name: person["login"] for name, person in people.items()} == {
        **{name.title(): name for name in ("anna", "ben", "cleo", "suzie")},
        "Member 5": "member-5",
        "Night owl": None,
    }
    assert (people["Suzie"]["was"], people["Night owl"]["what"]) == (["moderator"], "guest")
    everything = json.dumps(found)
    for hidden in ("REMOVED", "WITHDRAWN", "example.org", "argon2"):
        assert hidden not in everything, hidden
    # Whose the alias is, no line says.
    assert [post["author"] for post in found["posts"]].count(people["Cleo"]["old"]) == 3
    assert [(post["shown"], post["text"]) for post in found["posts"]][:4] == [
        ("visible", "My son was taken into care."),
        ("visible", "You are not to blame. @anna"),
        ("removed", ""),
        ("visible", "> @ben #2:\n> You are not to blame.\n\nThat helps.\n\n> @ben wrote:\n> Hm"),
    ]
    assert found["posts"][1]["warning"] == "Courts"
    assert [thread["title"] for thread in found["threads"]] == ["Is it my fault?", "", "For the team", "An old one"]

    await export_all(database_url, full, settings, Wishes(with_passwords=True, with_removed=True), clock.now())
    told = unpacked(full)
    assert "You toad. REMOVED" in json.dumps(told)
    assert "WITHDRAWN" not in json.dumps(told)
    addresses = {person["name"]: person["email"] for person in told["people"]}
    assert (addresses["Anna"], addresses["Member 5"], addresses["Night owl"]) == ("anna@example.org", None, None)
    assert [ban["person"] for ban in told["bans"]] == [people["Cleo"]["old"]]
    [hashed] = {person["password"] for person in told["people"] if person["login"]}
    assert hashing.hash_to_store(hashed) == hashed

    await _take_boards_along(app, services, tmp_path, found)
    await _move_in(other, first, settings, tmp_path)
    await export_all(other, there, settings, Wishes(), clock.now())
    moved = unpacked(there)
    # Nobody gets a role by moving.
    assert [person["was"] for person in moved["people"]] == [[]] * len(people)
    assert [kind for kind in found if found[kind] != moved[kind]] == ["people"]
    await _give_the_roles_again(other)
    there.unlink()
    await export_all(other, there, settings, Wishes(), clock.now())
    assert unpacked(there) == found
    assert there.read_bytes() == first.read_bytes()


async def _take_boards_along(app: FastAPI, services: Services, folder: Path, whole: dict[str, Any]) -> None:
    """Each board alone has of the whole forum what is on it; who does not moderate gets nothing that waits."""
    await make.member(services, "ada", Role.ADMINISTRATOR)
    await make.member(services, "mona", Role.ADMINISTRATOR, Role.MODERATOR)
    [boards, threads] = [
        {row["name" if kind == "boards" else "old"]: row for row in whole[kind]} for kind in ("boards", "threads")
    ]
    got = {}
    async with make.signed_in(app, "ada") as ada, make.signed_in(app, "mona") as mo, make.signed_in(app, "ben") as ben:
        for who, asker, slug in (
            ("ada", ada, "mums"),
            ("mona", mo, "mums"),
            ("mona", mo, "team"),
            ("mona", mo, "closed"),
        ):
            answer = await asker.get(f"/api/v1/boards/{slug}/archive")
            assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
            (folder / "board.zip").write_bytes(answer.content)
            with Staging(folder / f"{who}-{slug}.sqlite") as staging:
                programs.read([folder / "board.zip"], staging)
            got[who, slug] = unpacked(folder / "board.zip")
        assert (await ben.get("/api/v1/boards/mums/archive")).status_code == 403
        assert (await ada.get("/api/v1/boards/team/archive")).status_code == 404
        assert (await mo.get("/api/v1/boards/nowhere/archive")).status_code == 404
        page = await mo.get("/admin/boards/mums/export.zip")
        assert (page.status_code, page.headers["content-type"]) == (200, "application/zip")
    for (who, slug), found in got.items():
        name = {"mums": "Mums & Dads"}.get(slug, slug.title())
        on_it = {old for old, thread in threads.items() if thread["board"] == boards[name]["old"]}
        assert [board["name"] for board in found["boards"]] == [boards[name]["parent"] and _heading(whole, name), name]
        assert {thread["old"] for thread in found["threads"]} == on_it
        posts = [post for post in whole["posts"] if post["thread"] in on_it]
        kept = [post | {"text": ""} if who == "ada" and post["shown"] == "waiting" else post for post in posts]
        assert found["posts"] == kept
        named = {post[role] for post in posts for role in ("author", "edited_by") if post[role]}
        assert {person["old"] for person in found["people"]} == named
    noted = await sql(services, "SELECT count(*) FROM audit_entry WHERE act = 'board.exported'")
    assert [tuple(row) for row in noted] == [(5,)]


def _heading(whole: dict[str, Any], name: str) -> str:
    by_old = {board["old"]: board["name"] for board in whole["boards"]}
    return next(str(by_old[board["parent"]]) for board in whole["boards"] if board["name"] == name)


async def _move_in(url: str, file: Path, settings: Settings, folder: Path) -> None:
    database = Database(url, pool_size=2)
    try:
        with Staging(folder / "moving.sqlite") as staging:
            programs.read([file], staging)
            await carry_over(database, make_import(staging, Plan.proposed(staging), settings))
    finally:
        await database.close()


async def _give_the_roles_again(url: str) -> None:
    database = Database(url, pool_size=1)
    try:
        async with database.work() as session:
            given = (
                "INSERT INTO role_grant (id, member_id, role, given_at) SELECT id, id, 'moderator', now() FROM member "
            )
            await session.execute(text(f"{given} WHERE handle = 'suzie'"))
    finally:
        await database.close()


def test_numbers_in_quotes_are_those_without_the_posts_that_are_gone() -> None:
    for was, gone, becomes in (
        ("> @ben #3:\n> Words", [2], "> @ben #2:\n> Words"),
        ("> @ben #3 wrote:\n> Words", [2], "> @ben #2 wrote:\n> Words"),
        ("> @ben #3\n> > @anna #1\n> > Words", [2], "> @ben #2\n> > @anna #1\n> > Words"),
        (">> @ben #12\n", [2, 3, 11], ">> @ben #9\n"),
        ("> @ben #2:\n> Words", [2], "> @ben:\n> Words"),
        ("> @ben #2 wrote: \n> Words", [2], "> @ben wrote: \n> Words"),
        ("> @ben #3:\n> Words", [], "> @ben #3:\n> Words"),
        ("> @ben #3 said\n", [2], "> @ben #3 said\n"),
        ("@ben #3:", [2], "@ben #3:"),
        ("I am #3 of 3, and > @ben #3", [2], "I am #3 of 3, and > @ben #3"),
    ):
        assert renumbered(was, gone) == becomes, was


def test_what_is_no_whole_export_is_refused_in_one_sentence(tmp_path: Path) -> None:
    whole, twice = tmp_path / "whole.zip", tmp_path / "twice.zip"
    board = BoardRecord(old="1", name="Mums", readers=Readers.EVERYONE)
    people = [
        PersonRecord(old=str(number), name=name, was=("adviser",) * is_adviser)
        for number, (name, is_adviser) in enumerate([("Dora", True), ("Ed", True), ("ED", False)])
    ]
    for file, boards in ((whole, [board]), (twice, [board, board])):
        with new_archive(file) as archive:
            with archive.lines("source") as lines:
                lines.write(SourceRecord(program="forum", version="1", address="https://old.example.org/"))
            with archive.lines("board") as lines:
                for one in boards:
                    lines.write(one)
            with archive.lines("person") as lines:
                for person in people:
                    lines.write(person)
            archive.finish(with_passwords=False, with_removed=False)
    with Staging(tmp_path / "twice") as staging, pytest.raises(CannotMove, match="names something twice"):
        programs.read([twice], staging)
    with Staging(tmp_path / "whole") as staging:
        programs.read([whole], staging)
        assert (list(staging.boards()), list(staging.people())) == ([board], people)
        proposed = Plan.proposed(staging)
        assert (proposed.advisers, proposed.dormant, proposed.address) == (("Dora",), "take", "")

    def changed(name: str, was: bytes, becomes: bytes) -> Path:
        file = tmp_path / "changed.zip"
        with zipfile.ZipFile(whole) as old, zipfile.ZipFile(file, "w") as new:
            for entry in old.namelist():
                data = old.read(entry)
                new.writestr(entry, data.replace(was, becomes) if entry == name else data)
        return file

    term = TermRecord(words="a", replacement="b").model_dump_json().encode()
    for name, was, becomes, why in (
        ("boards.jsonl", b'"everyone"', b'"members"', "not whole, or was changed"),
        ("boards.jsonl", b'"old"', b'"new"', "not whole, or was changed"),
        ("boards.jsonl", b"}\n", b"}\n{", "not whole, or was changed"),
        ("boards.jsonl", board.model_dump_json().encode(), term, "not whole, or was changed"),
        ("manifest.json", b"forum export 1", b"forum export 2", "newer forum"),
        ("manifest.json", b"boards.jsonl", b"boards.json", "not whole, or was changed"),
        ("manifest.json", b"source.jsonl", b"nothing.txt", "not whole, or was changed"),
    ):
        file = changed(name, was, becomes)
        (tmp_path / "staging").unlink(missing_ok=True)
        with Staging(tmp_path / "staging") as staging, pytest.raises(CannotMove, match=why):
            programs.read([file], staging)
    with Staging(tmp_path / "two") as staging, pytest.raises(CannotMove, match="alone"):
        programs.read([whole, whole], staging)
    with pytest.raises(CannotMove, match="cannot be written: No space left"), new_archive(Path("/dev/full")) as archive:
        archive.finish(with_passwords=False, with_removed=False)
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive, zipfile.ZipFile(whole) as old:
        archive.writestr("manifest.json", old.read("manifest.json"))
        archive.writestr("posts.jsonl", b" " * (65 << 20))
    with Staging(tmp_path / "bomb") as staging, pytest.raises(CannotMove, match="fill a disk"):
        programs.read([bomb], staging)
    cut = tmp_path / "cut.zip"
    cut.write_bytes(whole.read_bytes()[:-30])
    with Staging(tmp_path / "cut") as staging, pytest.raises(CannotMove):
        programs.read([cut], staging)
