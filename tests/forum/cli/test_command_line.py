"""The command line: it names the forum's people, makes its boards and verifies its record, or says why not."""

import asyncio
import io
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select, text
from sqlmodel import col
from structlog.testing import capture_logs

from forum import __main__
from forum.authentication import sessions
from forum.content import boards
from forum.core import audit, clock, database, embedded_postgres, logs
from forum.core.database import Database
from forum.core.settings import Settings
from forum.mail.tables import Mail, MailKind
from forum.members.advisers import Adviser
from forum.members.queries import get_member
from forum.members.tables import Member, Role
from forum.members.viewer import Viewer, viewer_of, viewers
from forum.notifications.letter_choices import create_off_token
from forum.notifications.letter_times import LetterMode
from forum.notifications.letters import LetterChoice
from moderation import rules
from tests.forum.mail.test_returned import TOKEN, report
from tests.support import make, old_boards

STAFF = ["--name", "Suzie", "--email", "suzie@example.org"]
BADGE = ["--title", "Online adviser", "--organisation", "Example Family Charity"]

# What a command said, what it complained of, and its exit code.
Said = tuple[str, str, int]
Forum = Callable[..., Said]


@pytest.fixture
def forum(database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Forum]:
    """Run one command in this process over a database of ours; the password comes from a pipe."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"FORUM_{name.upper()}", raising=False)
    monkeypatch.setenv("FORUM_DATABASE_URL", database_url)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(logs, "configure", lambda _level: None)  # it would take the tests' own logging away
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def run(*arguments: str, password: str = make.PASSWORD) -> Said:
        monkeypatch.setattr(sys, "argv", ["forum", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(password.encode() + b"\n")))
        with pytest.raises(SystemExit) as left:
            __main__.main()
        told = capsys.readouterr()
        return told.out, told.err, int(left.value.code or 0)

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def inside(database_url: str) -> Callable[[Callable[[Any], Coroutine[Any, Any, Any]]], Any]:
    """Do something in one transaction of that database."""

    def run(act: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        async def work() -> Any:
            database = Database(database_url, pool_size=1)
            try:
                async with database.work() as session:
                    return await act(session)
            finally:
                await database.close()

        return asyncio.run(work())

    return run


def spoken(role: list[str]) -> str:
    return role[0].replace("_", " ")


def _refused(said: Said, sentence: str) -> None:
    """One sentence on standard error, nothing else, and exit code 1."""
    out, complaint, code = said
    assert (out, code) == ("", 1)
    assert sentence in complaint
    assert len(complaint.strip().splitlines()) == 1, complaint
    assert complaint.strip().endswith("."), complaint


def _done(said: Said, sentence: str) -> str:
    out, complaint, code = said
    assert (complaint, code) == ("", 0)
    assert sentence in out
    return out


async def _acts(session: Any) -> list[tuple[Any, str, dict[str, Any]]]:
    entries = select(audit.AuditEntry).order_by(col(audit.AuditEntry.number))
    return [(entry.actor_id, entry.act, entry.details) for entry in (await session.execute(entries)).scalars()]


async def _suzie(session: Any) -> Viewer:
    found = await session.execute(viewers().where(Member.handle == "suzie"))
    return viewer_of(found.one())


# People.


def test_the_first_administrator_is_made_at_the_command_line(forum: Forum, inside: Any) -> None:
    _done(forum("admin", "create", "Suzie", *STAFF), "Suzie is administrator now.")
    assert inside(_suzie).roles == {Role.ADMINISTRATOR}
    assert inside(_acts) == [(None, "role.granted", {"role": "administrator", "board": None})]
    _refused(forum("admin", "create", "suzie", *STAFF), "The handle suzie is taken.")


def test_an_administrator_is_made_when_the_service_of_stolen_passwords_cannot_be_asked(
    forum: Forum, inside: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORUM_BREACHED_PASSWORDS_URL", "http://127.0.0.1:9/range")
    with capture_logs() as logged:
        _done(forum("admin", "create", "suzie", *STAFF), "suzie is administrator now.")
    assert [(entry["event"], entry["reason"]) for entry in logged] == [("breach_check_failed", "OutboundRefused")]


def test_an_administrator_that_cannot_be_is_refused_in_a_sentence(forum: Forum, inside: Any) -> None:
    wishes = [
        ("su", STAFF, make.PASSWORD, "A handle has 3 to 30 letters and digits"),
        ("admin", STAFF, make.PASSWORD, "kept for the people who run the forum"),
        ("suzie", ["--name", "\u3164", *STAFF[2:]], make.PASSWORD, "A name has 1 to 60 visible characters"),
        ("suzie", [*STAFF[:3], "nonsense"], make.PASSWORD, "nonsense is no e-mail address"),
        ("suzie", STAFF, "", "A password has 15 to 256 characters"),
        ("suzie", STAFF, "tea+9kt!vq7wuz", "A password has 15 to 256 characters"),
        ("suzie", STAFF, "passwordpassword", "too easily guessed"),
    ]
    for handle, about, password, sentence in wishes:
        _refused(forum("admin", "create", handle, *about, password=password), sentence)
    assert inside(_acts) == []


def test_roles_are_given_and_taken_and_each_act_is_recorded(forum: Forum, inside: Any) -> None:
    forum("admin", "create", "suzie", *STAFF)
    _done(forum("admin", "board", "court", "--name", "Court"), "The board court is as you said.")
    roles = [
        (["moderator"], {"role": "moderator", "board": None}),
        (["moderator", "--board", "court"], {"role": "moderator", "board": 1}),
        (["safeguarding_lead"], {"role": "safeguarding_lead", "board": None}),
        (["trusted_flagger"], {"role": "trusted_flagger", "board": None}),
        (["adviser"], {"role": "adviser", "board": None}),
    ]
    for role, _ in roles:
        badge = BADGE if role == ["adviser"] else []
        _done(forum("admin", "grant", "SUZIE", *role, *badge), f"SUZIE is {spoken(role)} now.")
    viewer = inside(_suzie)
    assert viewer.roles == set(Role)
    assert viewer.moderated_boards == {1}
    for role, _ in roles:
        badge = BADGE if role == ["adviser"] else []
        if role != ["adviser"]:  # given again, an adviser has another badge
            _refused(forum("admin", "grant", "suzie", *role, *badge), f"suzie is {spoken(role)} already.")
    for role, _ in roles:
        _done(forum("admin", "revoke", "suzie", *role), f"suzie is no longer {spoken(role)}.")
        _refused(forum("admin", "revoke", "suzie", *role), f"suzie is not {spoken(role)}.")
    assert inside(_suzie).roles == {Role.ADMINISTRATOR}
    told = [(actor, act, details) for actor, act, details in inside(_acts) if act.startswith("role.")]
    assert told[1:] == [(None, act, details) for act in ("role.granted", "role.revoked") for _, details in roles]
    _done(forum("audit", "verify"), f"The record is whole: {len(inside(_acts))} entries.")


def test_an_adviser_has_a_title_and_an_organisation_which_can_change(forum: Forum, inside: Any) -> None:
    async def badge(session: Any) -> tuple[str, str]:
        adviser = (await session.execute(select(Adviser))).scalar_one()
        return adviser.title, adviser.organisation

    forum("admin", "create", "suzie", *STAFF)
    for title in ("Online adviser", "Senior adviser"):
        _done(forum("admin", "grant", "suzie", "adviser", "--title", title, *BADGE[2:]), "suzie is adviser now.")
        assert inside(badge) == (title, "Example Family Charity")
    assert [act for _, act, _ in inside(_acts)] == ["role.granted", "role.granted", "adviser.changed"]


def test_a_member_or_everybody_is_signed_out_and_it_is_recorded(forum: Forum, inside: Any) -> None:
    async def sign_in(session: Any) -> None:
        for handle in ("suzie", "marcus"):
            member = await get_member(session, handle)
            await sessions.open_session(session, member, sessions.Transport.BEARER, clock.now())
            await sessions.remember_device(session, member, None, clock.now())

    async def left(session: Any) -> tuple[set[str], int]:
        theirs = select(Member.handle).join(sessions.MemberSession)
        devices = select(func.count()).select_from(sessions.Device)
        return set((await session.execute(theirs)).scalars()), (await session.execute(devices)).scalar_one()

    forum("admin", "create", "suzie", *STAFF)
    forum("admin", "create", "marcus", "--name", "Marcus", "--email", "marcus@example.org")
    inside(sign_in)
    _done(forum("admin", "sign-out", "suzie"), "suzie has to sign in again now.")
    assert inside(left) == ({"marcus"}, 1)
    _done(forum("admin", "sign-out", "--everybody"), "Everybody has to sign in again now.")
    assert inside(left) == (set(), 0)
    assert [act for _, act, _ in inside(_acts)][-2:] == ["sessions.ended"] * 2
    for said in ([], ["suzie", "--everybody"]):
        _refused(forum("admin", "sign-out", *said), "Name one member, or say --everybody.")
    _refused(forum("admin", "sign-out", "nobody"), "There is no member called nobody.")


def test_a_role_that_cannot_be_given_or_taken_is_refused_in_a_sentence(forum: Forum, inside: Any) -> None:
    wishes = [
        (["grant", "nobody", "moderator"], "There is no member called nobody."),
        (["grant", "[/red]", "moderator"], "There is no member called [/red]."),
        (["grant", "suzie", "moderator", "--board", "nowhere"], "There is no board nowhere."),
        (["grant", "suzie", "administrator"], "suzie is administrator already."),
        (["grant", "suzie", "safeguarding_lead", "--board", "court"], "Only a moderator's role can be for one board."),
        (["grant", "suzie", "adviser"], "An adviser needs --title and --organisation"),
        (["grant", "suzie", "adviser", "--title", " ", *BADGE[2:]], "An adviser needs --title and --organisation"),
        (["grant", "suzie", "adviser", *BADGE, "--board", "court"], "Only a moderator's role can be for one board."),
        (["grant", "suzie", "moderator", *BADGE], "Only an adviser has a --title and an --organisation."),
        (["revoke", "nobody", "moderator"], "There is no member called nobody."),
        (["revoke", "suzie", "adviser"], "suzie is not adviser."),
        (["revoke", "suzie", "moderator", "--board", "court"], "suzie is not moderator."),
        (["revoke", "suzie", "moderator", "--board", "nowhere"], "There is no board nowhere."),
        (["revoke", "suzie", "adviser", "--board", "court"], "Only a moderator's role can be for one board."),
    ]
    forum("admin", "create", "suzie", *STAFF)
    forum("admin", "board", "court", "--name", "Court")
    before = inside(_acts)
    for arguments, sentence in wishes:
        _refused(forum("admin", *arguments), sentence)
    assert inside(_acts) == before


def test_what_is_no_command_is_explained(forum: Forum) -> None:
    nonsense = ["admin grant suzie queen", "admin grant suzie", "admin fly", "serve --x", "audit verify 1"]
    for command in nonsense:
        out, complaint, code = forum(*command.split())
        assert (out, code) == ("", 2), command
        assert "Usage: " in complaint


# Boards.


def test_a_board_is_made_and_then_changed_in_what_is_named(forum: Forum, inside: Any, tmp_path: Path) -> None:
    help_file = tmp_path / "help.md"
    help_file.write_text("Call **0808 000 000** now", encoding="utf-8")
    made = ["--name", "Court", "--group", "Courts", "--position", "3", "--reader", "member", "--reader", "adviser"]
    _done(forum("admin", "board", "court", *made, "--opener", "member", "--replier", "adviser"), "court")
    _done(forum("admin", "board", "court", "--help-file", str(help_file), "--indexable", "--no-advised"), "court")

    async def read(session: Any) -> boards.Board | None:
        return await boards.find_board(session, "court")

    board = inside(read)
    assert (board.name, board.section, board.position) == ("Court", "Courts", 3)
    assert (board.readers, board.openers, board.repliers) == (["member", "adviser"], ["member"], ["adviser"])
    assert (board.indexable, board.advised) == (True, False)
    assert "<strong>0808 000 000</strong>" in board.help_html
    assert [act for _, act, _ in inside(_acts)] == ["board.made", "board.changed"]


def test_a_board_that_makes_no_sense_is_refused_in_a_sentence(forum: Forum, inside: Any) -> None:
    wishes = [
        (["Court", "--name", "Court"], "A slug has small letters and digits"),
        (["court"], "A board needs a name."),
        (["court", "--name", "Court", "--reader", "nobody"], "Choose readers among"),
        (["court", "--name", "Court", "--replier", "everyone"], "Choose repliers among"),
        (["court", "--name", "Court", "--help-file", "/nowhere/help.md"], "/nowhere/help.md cannot be read as text"),
        (["court", "--name", "Court", "--help-file", sys.executable], "cannot be read as text"),
    ]
    for arguments, sentence in wishes:
        _refused(forum("admin", "board", *arguments), sentence)
    assert inside(_acts) == []


# The record.


TAMPERING = {
    "changed": (["UPDATE audit_entry SET details = '{}' WHERE number = 2"], "Entry 2 was changed"),
    "missing": (["DELETE FROM audit_entry WHERE number = 2"], "After entry 1 comes entry 3"),
    "swapped": (
        [f"UPDATE audit_entry SET number = {new} WHERE number = {old}" for old, new in ((2, 9), (3, 2), (9, 3))],
        "Entry 2 does not follow entry 1",
    ),
}


def _recorded(forum: Forum) -> str:
    """Three entries; the head that `audit verify` printed."""
    forum("admin", "create", "suzie", *STAFF)
    forum("admin", "grant", "suzie", "moderator")
    forum("admin", "revoke", "suzie", "moderator")
    out = _done(forum("audit", "verify"), "The record is whole: 3 entries.")
    (line,) = [line for line in out.splitlines() if line.startswith("head ")]
    return line.removeprefix("head ")


def _tampering(*statements: str) -> Callable[[Any], Coroutine[Any, Any, None]]:
    async def tamper(session: Any) -> None:
        for statement in (
            "ALTER TABLE audit_entry DISABLE TRIGGER ALL",
            *statements,
            "ALTER TABLE audit_entry ENABLE TRIGGER ALL",
        ):
            await session.execute(text(statement))

    return tamper


@pytest.mark.parametrize("how", TAMPERING)
def test_a_record_that_was_tampered_with_is_told_in_a_sentence(forum: Forum, inside: Any, how: str) -> None:
    statements, found = TAMPERING[how]
    head = _recorded(forum)
    inside(_tampering(*statements))
    for noted in ([], ["--head", head]):
        _refused(forum("audit", "verify", *noted), found)


def test_a_tail_that_was_cut_off_is_found_with_the_head_that_was_noted(forum: Forum, inside: Any) -> None:
    head = _recorded(forum)
    _done(forum("audit", "verify", "--head", head), "The record is whole: 3 entries.")
    inside(_tampering("DELETE FROM audit_entry WHERE number = 3"))
    _done(forum("audit", "verify"), "The record is whole: 2 entries.")
    _refused(forum("audit", "verify", "--head", head), "its tail was cut or written anew")
    forum("admin", "grant", "suzie", "moderator")
    _refused(forum("audit", "verify", "--head", head), "its tail was cut or written anew")


def test_a_head_that_was_copied_badly_is_no_alarm(forum: Forum) -> None:
    for head in ("nonsense", "3", "3:abc", ":", "3:" + "0" * 62):
        _refused(forum("audit", "verify", "--head", head), "--head takes what an earlier `forum audit verify` printed")


# Everything else.


def test_a_letter_that_came_back_is_read_from_a_pipe(forum: Forum, inside: Any) -> None:
    forum("admin", "create", "suzie", *STAFF)

    async def choose(session: Any) -> str:
        suzie = await get_member(session, "suzie")
        about = {"mode": LetterMode.SOON, "at": time(10), "zone": "UTC"}
        session.add(LetterChoice(member_id=suzie.id, **about))
        return await create_off_token(session, suzie.id, Settings(), clock.now())

    async def count(session: Any) -> Any:
        return (await session.execute(select(col(LetterChoice.returns)))).scalar_one()

    came = report().decode()
    token = inside(choose)
    for mail, sentence, returns in (
        ("Hello", "This is no report of a letter that cannot be delivered.", 0),
        (came, "This letter is nobody's any more.", 0),
        (came.replace(TOKEN, token), "A letter came back, and was counted.", 1),
    ):
        _done(forum("mail", "returned", password=mail), sentence)
        assert inside(count) == returns


def test_a_test_mail_is_handed_over_or_why_not_is_told_in_a_sentence(
    forum: Forum, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FORUM_DATA", str(tmp_path))
    told = _done(forum("mail", "test", "joan@example.org"), "It was handed to the folder")
    [mail] = (tmp_path / "mailbox").glob("*.eml")
    assert str(mail.parent) in told
    assert "To: joan@example.org" in mail.read_text()
    _refused(forum("mail", "test", "joan"), "joan is no e-mail address")
    monkeypatch.setenv("FORUM_SMTP_URL", "smtp://forum:a-secret@127.0.0.1:1")
    _refused(forum("mail", "test", "joan@example.org"), "Set FORUM_SMTP_URL to something else: mails need a sender")
    monkeypatch.setenv("FORUM_MAIL_FROM", "post@charity.example")
    _refused(forum("mail", "test", "joan@example.org"), "could not be handed to the mail server 127.0.0.1")


def test_mails_that_are_not_sent_are_listed(forum: Forum, inside: Any) -> None:
    assert _done(forum("mail", "list"), "Every mail is sent.")
    forum("admin", "create", "suzie", *STAFF)

    async def put_down(session: Any) -> None:
        suzie = await get_member(session, "suzie")
        about = {"kind": MailKind.PASSWORD_RESET, "member_id": suzie.id, "email": suzie.email}
        now = datetime(2026, 7, 27, 9, tzinfo=UTC)
        session.add(Mail(**about, put_down_at=now))
        failed = {"failures": 16, "failure": "SMTPConnectError", "given_up_at": now + timedelta(days=3)}
        session.add(Mail(**about, put_down_at=now + timedelta(hours=1), **failed))
        called = about | {"kind": MailKind.CASE_URGENT, "subject_id": uuid4(), "about_persona_id": suzie.id}
        session.add(Mail(**called, put_down_at=now + timedelta(hours=2)))

    inside(put_down)
    told = _done(forum("mail", "list"), "password_reset")
    assert told.splitlines() == [
        "2026-07-27 09:00 UTC  password_reset for suzie waits",
        "2026-07-27 10:00 UTC  password_reset for suzie given up, failed 16 times, at last with SMTPConnectError",
        "2026-07-27 11:00 UTC  case_urgent for somebody who may decide waits",
    ]


def test_migrating_twice_is_as_migrating_once(forum: Forum) -> None:
    for _ in range(2):
        _done(forum("migrate"), "The database is up to date.")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_told_to_stop_it_does_so_even_where_the_signal_fell_into_code_that_lost_it(
    forum: Forum, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, status: int
) -> None:
    def lose_the_signal(*_: object) -> None:
        with suppress(BaseException):
            signal.raise_signal(number)

    async def lose_the_signal_and_wait(*_: object) -> None:
        lose_the_signal()
        await asyncio.sleep(5)

    moments = [(rules, "adopt_house_rules", lose_the_signal_and_wait), (database, "migrate", lose_the_signal)]
    for module, name, fallen_into in moments:
        with monkeypatch.context() as patch:
            patch.setattr(module, name, fallen_into)
            out, _, code = forum("migrate")
        assert "The database is up to date." not in out
        assert code == status


def test_the_openapi_document_is_printed_without_a_database(forum: Forum, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORUM_DATABASE_URL")
    assert json.loads(_done(forum("openapi"), "/api/v1/sessions"))["openapi"].startswith("3.1")


def test_a_setting_that_cannot_work_is_told_in_a_sentence(forum: Forum, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = [
        ("FORUM_PORT", "many", "Set FORUM_PORT to something else: "),
        ("FORUM_SIGN_IN_LIMIT", "often", "Set FORUM_SIGN_IN_LIMIT to something else: "),
        ("FORUM_ALLOWED_ORIGINS", "*", "Set FORUM_ALLOWED_ORIGINS to something else: "),
        ("FORUM_DATABASE_URL", "mysql://x:a-secret@y/z", "Set FORUM_DATABASE_URL to something else: "),
        ("FORUM_DATABASE_URL", "postgresql://x:a-secret@127.0.0.1:1/z", "The database that FORUM_DATABASE_URL names"),
        (
            "FORUM_DATABASE_URL",
            "postgresql://x:a-secret@/z?host=/nowhere",
            "The database that FORUM_DATABASE_URL names",
        ),
    ]
    for name, said, sentence in settings:
        with monkeypatch.context() as patch:
            patch.setenv(name, said)
            told = forum("audit", "verify")
        _refused(told, sentence)
        assert "a-secret" not in told[1]


def test_a_database_that_is_not_there_is_told_in_a_sentence(
    forum: Forum, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    monkeypatch.setenv("FORUM_DATABASE_URL", database_url.replace("/test_", "/gone_"))
    _refused(forum("audit", "verify"), "does not exist")


def test_more_processes_than_the_database_has_connections_for_are_refused_before_one_starts(forum: Forum) -> None:
    told = forum("serve", "--workers", "6", "--port", "0")
    _refused(told, "up to 152 connections")
    for sentence in ("21 for each of 7 processes", "permits 97", "FORUM_POOL_SIZE to 6 or less", "max_connections"):
        assert sentence in told[1]


def test_a_port_that_somebody_else_has_is_told_before_anything_is_started(
    forum: Forum, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        _refused(forum("serve", "--port", str(port)), f"at 127.0.0.1, port {port}: Address already in use")
        # A name stands for several addresses, and one of them is taken. No machine of a test has such a name.
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("127.0.0.2", "127.0.0.1")]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        _refused(forum("serve", "--host", "table", "--port", str(port)), f"at table, port {port}: Address already in")


def test_a_postgresql_that_is_too_old_is_told_in_a_sentence_before_anything_is_done(
    forum: Forum, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_postgres, "OLDEST_MAJOR", 99)
    monkeypatch.setattr(database, "migrate", lambda *_: pytest.fail("It was migrated."))
    commands = [
        "serve --port 0",
        "demo --port 0",
        "worker",
        "migrate",
        "mail list",
        "audit verify",
        "admin grant suzie moderator",
        "admin board court",
    ]
    for command in commands:
        _refused(forum(*command.split()), "The forum needs PostgreSQL 99 or newer, and FORUM_DATABASE_URL names a ")


def test_the_hours_of_a_board_are_shown_and_changed(forum: Forum) -> None:
    _done(forum("admin", "board", "court", "--name", "Court", "--group", "Law"), "as you said")
    _done(forum("admin", "hours", "court"), "The board court is always open.")
    _refused(forum("admin", "hours", "court", "--close-on", "2026-12-25"), "This board has no hours yet: say --open")
    week = ["--open", "monday-wednesday,friday 09:00-17:00", "--open", "saturday-sunday 10:00-12:00"]
    told = _done(forum("admin", "hours", "court", *week, "--outside", "hold_all"), "hold all")
    assert "monday, tuesday, wednesday, friday 09:00-17:00\n  saturday, sunday 10:00-12:00" in told
    days = ["--close-on", "2026-12-25", "--close-on", "2026-12-26"]
    _done(forum("admin", "hours", "court", *days, "--zone", "Europe/Dublin"), "closed on: 2026-12-25, 2026-12-26")
    told = _done(forum("admin", "hours", "court", "--open-on", "2026-12-26"), "closed on: 2026-12-25\n")
    assert "(Europe/Dublin)" in told
    for wrong in (["--open", "someday 09:00-17:00"], ["--zone", "Mars/Base"], ["--always", "--zone", "UTC"]):
        assert forum("admin", "hours", "court", *wrong)[2] == 1
    _done(forum("admin", "hours", "court", "--always"), "always open")


def test_an_old_board_moves_in_is_told_of_and_is_taken_back(
    forum: Forum, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FORUM_DATA", str(tmp_path / "data"))
    dump, plan = (
        str(old_boards.write(old_boards.make_board(posts=40), tmp_path / "board.sql")),
        tmp_path / "moving.toml",
    )
    (tmp_path / "data").mkdir()
    assert forum("import", "undo")[1:] == ("Nothing has moved here from another board.\n", 1)
    assert forum("import", "tell")[1] == "Set FORUM_PUBLIC_URL first: the letter has a link to the forum.\n"
    monkeypatch.setenv("FORUM_PUBLIC_URL", "https://forum.example.org")
    _done(forum("import", "look", dump, "--to", str(tmp_path)), "moving.toml")
    _done(forum("import", "run", dump, "--plan", str(plan), "--skip-backup"), "All that the plan takes is here.")
    _done(forum("import", "sweep"), "at https://forum.example.org/moderation/swept-posts: ")
    _done(forum("import", "tell", "--dry-run"), "would get the letter.")
    _done(forum("import", "tell"), "get the letter, as the mail server takes them.")
    _done(forum("import", "tell"), "Members who got it before: ")
    _done(forum("import", "forget"), "People who never signed in here, and cannot with what they used to: ")
    _done(forum("import", "undo", "--dry-run"), "phpbb https://old.example.org/forum/ can be taken back. It would go:")
    _done(forum("import", "undo"), "phpbb https://old.example.org/forum/ is taken back.")
    assert forum("import", "undo")[2] == 1


def test_every_command_says_what_it_does(forum: Forum) -> None:
    groups = {
        "admin": ("create", "grant", "revoke", "board", "hours"),
        "audit": ("verify",),
        "import": ("look", "run", "check", "undo", "forget", "tell", "sweep"),
        "mail": ("test", "list", "returned"),
    }
    alone = ("serve", "demo", "migrate", "openapi", *groups)
    within = [(group, name) for group, names in groups.items() for name in names]
    for command in [(), *((name,) for name in alone), *within]:
        assert "Usage: forum" in _done(forum(*command, "--help"), "--help")


def test_the_program_itself_over_its_own_postgresql(tmp_path: Path) -> None:
    mine = {key: value for key, value in os.environ.items() if not key.startswith("FORUM_")}
    environment = {**mine, "FORUM_DATA": str(tmp_path / "data")}

    def run(*arguments: str, password: str = make.PASSWORD) -> Said:
        done = subprocess.run(
            [sys.executable, "-m", "forum", *arguments],
            env=environment,
            input=password + "\n",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.stdout, done.stderr, done.returncode

    _done(run("admin", "create", "suzie", *STAFF), "suzie is administrator now.")
    _refused(run("audit", "verify", "--head", "1:" + "0" * 64), "its tail was cut or written anew")
    assert not list((tmp_path / "data").glob("**/postmaster.pid"))


def test_counts_are_counted_again_and_put_right(forum: Forum, database_url: str) -> None:
    assert "Every count is right." in _done(forum("check", "--counts"), "right")
    _refused(forum("check", "--mend"), "--mend belongs to --counts")

    async def spoil() -> None:
        async with database.engine_for_once(database_url).begin() as connection:
            await connection.execute(
                text("INSERT INTO board_tally (board_id, threads, posts) SELECT id, 3, 7 FROM board")
            )

    _done(forum("admin", "board", "court", "--name", "Court", "--group", "Law"), "as you said")
    asyncio.run(spoil())
    told, _, status = forum("check", "--counts")
    assert ("threads of board 1: 3 is kept, and counting gives 0" in told, status) == (True, 1)
    assert "2 counts were wrong, and are right now." in _done(forum("check", "--counts", "--mend"), "right")
    assert "Every count is right." in _done(forum("check", "--counts"), "right")


def test_a_check_of_a_board_of_which_nothing_moved_says_so(
    forum: Forum, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FORUM_DATA", str(tmp_path))
    dump = old_boards.write(old_boards.make_board(), tmp_path / "board.sql")
    said, complaint, code = forum("import", "check", str(dump))
    assert (said.strip(), code) == ("", 1)
    assert complaint.strip() == "Nothing of phpbb https://old.example.org/forum/ has moved here."
