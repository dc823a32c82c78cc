"""`forum import look`: a report that a volunteer can read, a plan, and not a trace of anything else."""

import hashlib
import html
import json
import stat
from pathlib import Path
from typing import Any

import html5lib
import pytest
from typer.testing import CliRunner

from forum.cli.import_run import make_import
from forum.cli.importing import cli
from forum.core import clock
from forum.http.services import Services
from forum.importers import phpbb, report
from forum.importers.plan import Plan
from forum.importers.records import (
    BoardRecord,
    PersonKind,
    PersonRecord,
    PostRecord,
    Readers,
    Shown,
    SourceRecord,
    TextForm,
    ThreadRecord,
)
from forum.importers.report import proving
from forum.importers.run import carry_over
from forum.importers.staging import Staging
from forum.importers.texts import How
from tests.support import old_boards
from tests.support.old_boards import make_board, write
from tests.support.scenes import sql

HIDDEN = (
    old_boards.SOFT_DELETED,
    old_boards.UNAPPROVED,
    old_boards.TEAM_ONLY,
    old_boards.PRIVATE,
    old_boards.BEHIND_PASSWORD,
    old_boards.IN_DELETED_THREAD,
    old_boards.QUOTED_HIDDEN,
    old_boards.ADDRESS_OF_MACHINE,
    "<script>alert",
)


def test_look_writes_a_report_and_a_plan_and_nothing_else(tmp_path: Path) -> None:
    dump = write(make_board(100), tmp_path / "board.sql.gz")
    before = hashlib.sha256(dump.read_bytes()).digest()
    done = CliRunner().invoke(cli, ["look", str(dump), "--to", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "Posts: 100\n" in done.output
    assert "Nothing has been changed yet" in done.output
    assert {path.name for path in tmp_path.iterdir()} == {"board.sql.gz", "moving.html", "moving.toml"}
    assert hashlib.sha256(dump.read_bytes()).digest() == before

    page = (tmp_path / "moving.html").read_text("utf-8")
    html5lib.HTMLParser(strict=True).parse(page)
    for words in HIDDEN:
        assert words not in page, words
    assert "src=" not in page
    assert "http" not in page.replace("http-equiv", "").split("<body>")[0]
    text = html.unescape(page)
    for says in (
        "Kin & Care: what moves",
        "“Members’ corner” (in “Families”): members.",
        "“Behind a password” (in “Families”): staff. On the old board it had a password.",
        "Suzie: global moderator, group Advisers",
        "Private messages: they hold other people’s words: <b>2</b>",
        "Posts with a piece that is no text at all, which was dropped: <b>1</b>",
        "Our website",
    ):
        assert says in text, says
    for name in ("moving.html", "moving.toml"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    plan = Plan.read(tmp_path / "moving.toml")
    assert plan.boards["6"].readers is Readers.STAFF

    edited = (tmp_path / "moving.toml").read_text("utf-8").replace("advisers = []", 'advisers = ["Suzie"]')
    (tmp_path / "moving.toml").write_text(edited, "utf-8")
    again = CliRunner().invoke(cli, ["look", str(dump), "--to", str(tmp_path), "--json"])
    assert (tmp_path / "moving.toml").read_text("utf-8") == edited
    counts = json.loads(again.stdout)["counts"]
    assert (counts["found_posts"], counts["posts"], counts["how"]["word_for_word"]) == (100, 98, 96)
    assert counts["people"] == {"member": 38, "inactive": 1, "bot": 1, "guest": 1}
    assert (counts["dormant"], counts["sharing_an_address"], counts["links"]) == (1, 2, 1)


def test_what_is_cut_or_shared_is_named_but_nothing_that_few_could_read(tmp_path: Path) -> None:
    everyone, staff = Readers.EVERYONE, Readers.STAFF
    by_suzie: dict[str, Any] = {"edited_by": "1", "edit_reason": "because " * 30}
    with Staging(tmp_path / "staging.sqlite") as staging:
        staging.add(
            [
                SourceRecord(program="phpbb", version="3.3.14"),
                BoardRecord(old="1", name="Open", description="All of it. " * 100, readers=everyone),
                BoardRecord(old="2", name="Team", readers=staff),
                PersonRecord(old="1", name="Suzie", was=("moderator",)),
                *(PersonRecord(old=old, name="Anna", last_seen_at=clock.now()) for old in ("2", "3")),
                PersonRecord(old="4", name="ben", login="Anna", last_seen_at=clock.now()),
                ThreadRecord(old="5", board="1", title="x" * 200),
                ThreadRecord(old="6", board="2", title="harebell" * 30),
                *(_post(old, "2", **by_suzie) for old in ("1", "2")),
                _post("3", "1", **by_suzie),  # her own: there is no notice
                _post("4", "2", **by_suzie | {"edit_reason": "Rule 10"}),
                _post("5", "2", **by_suzie | {"edited_by": "3"}),  # no moderator
            ]
        )
        facts = report.count_facts(staging, clock.now())
        with report.begin_proving(staging) as parts:
            proof = report.prove(parts, lambda _: None)
        said = report.write_report(staging, facts, proof, Plan.proposed(staging))
    found = {line.says: (line.count, line.names) for part in said.parts for line in part.lines}
    assert found["Threads whose title cannot stand here as it was: all of it stands above the first post"] == (
        2, (f"{'x' * 200} → {'x' * 119}…", "and 1 more"),
    )  # fmt: skip
    assert found["Boards whose description is too long for here, and is cut"] == (1, ("Open",))
    reasons = "Reasons of moderators for changing a post that are too long for a notice, and are cut"
    assert found[reasons] == (2, ())
    shared = "Members whose old name leads to somebody else: tell them to sign in with their handle or address"
    assert found[shared] == (2, ("Anna → @anna-3", "ben → @ben"))
    assert "harebell" not in report.as_html(said)
    assert found["Reasons that members gave for changing a post of their own"] == (2, ())
    names = ("titles", "without_old_name", "cut_descriptions", "cut_reasons", "left_reasons")
    counted = {name: said.counts[name] for name in names}
    assert counted == {"titles": 2, "without_old_name": 2, "cut_descriptions": 1, "cut_reasons": 2, "left_reasons": 2}


def _post(old: str, author: str, **more: Any) -> PostRecord:
    return PostRecord(old=old, thread="5", author=author, form=TextForm.PLAIN, text="Hi", **more)


@pytest.mark.parametrize("name", ["nothing.sql", "notes.txt"])
def test_what_cannot_be_moved_is_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.txt").write_text("Dear diary", "utf-8")
    done = CliRunner().invoke(cli, ["look", str(tmp_path / name), "--to", str(tmp_path)])
    assert done.exit_code == 1
    assert name in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt"}


def test_two_processes_find_what_one_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Staging(tmp_path / "staging.sqlite") as staging:
        phpbb.read(write(make_board(700), tmp_path / "board.sql"), staging)
        found = []
        for worth in (proving._WORTH_PROCESSES, 1):
            monkeypatch.setattr(proving, "_WORTH_PROCESSES", worth)
            with report.begin_proving(staging) as parts:
                found.append(report.prove(parts, lambda _: None))
    assert found[0] == found[1]
    assert found[0].posts == 698


async def test_what_look_counts_is_what_a_run_moves(services: Services, tmp_path: Path) -> None:
    with Staging(tmp_path / "staging.sqlite") as staging:
        phpbb.read(write(make_board(100), tmp_path / "board.sql"), staging)
        facts = report.count_facts(staging, clock.now())
        with report.begin_proving(staging) as parts:
            proof = report.prove(parts, lambda _: None)
        plan = Plan.proposed(staging).model_copy(update={"address": ""})
        await carry_over(services.database, make_import(staging, plan, services.settings))
    [(moved,)] = await sql(services, "SELECT counts FROM import_run")
    assert moved["members"] == facts.people.kinds[PersonKind.MEMBER] - facts.people.dormant
    assert (moved["threads"], moved["split"]) == (facts.threads, proof.split)
    assert moved["posts"] == facts.posts - facts.shown[Shown.WAITING]  # they have waited for years: nobody needs them
    assert [moved[f"how.{how}"] for how in proof.how] == [proof.how[How.WORD_FOR_WORD] - 2, proof.how[How.PLAIN]]
    named = await sql(services, "SELECT name, handle FROM member JOIN moved ON member_id = id WHERE kind = 'person'")
    assert facts.people.handles == ["sunny. → @sunny-7", "Sunny 🌞 → @sunny-8"]
    assert {("sunny.", "sunny-7"), ("Sunny 🌞", "sunny-8"), ("Heron 100", "heron-100")} <= {tuple(row) for row in named}
