"""Reads: another site's page can make a browser read; nothing changes by that but the record of who looked.

And what is said when the database cannot take a write.
"""

import asyncio
import socket
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel

from forum.core import database, embedded_postgres
from forum.core.database import Database, Prepared
from forum.core.embedded_postgres import SOCKET_NAME
from forum.core.settings import Settings
from forum.http.services import Services
from tests.architecture.test_openapi import STAFF, fill, finite_operations
from tests.conftest import database_called
from tests.support import make

# What staff looked at is written down; and `/readyz` tries whether the database takes a write.
RECORD = {"audit_entry", "concern_audit", "throttle_count"}


async def digests(services: Services) -> dict[str, str]:
    """One for what is in each table."""
    found = {}
    async with services.database.work() as session:
        for table in SQLModel.metadata.tables:
            whole = f"SELECT coalesce(md5(string_agg(r::text, '|' ORDER BY r::text)), '') FROM \"{table}\" AS r"
            found[table] = (await session.execute(text(whole))).scalar_one()
    return found


async def test_to_read_changes_nothing_but_the_record_of_who_looked(app: FastAPI, services: Services) -> None:
    community = await fill(app)
    async with make.client(app) as guest, make.signed_in(app, "heron") as member, make.signed_in(app, STAFF) as staff:
        before, answered = await digests(services), []
        for method, path, operation in finite_operations():
            if method == "GET":
                for who in (guest, member, staff):
                    answered.append((await who.get(community.address(path, operation))).status_code)
        after = await digests(services)
    assert {table for table, digest in after.items() if digest != before[table]} == RECORD
    assert answered.count(200) > len(answered) / 2


# A database that takes no writes


async def fill_the_disk(services: Services, table: str) -> None:
    """Have every write to the table fail as it does on a full disk."""
    async with services.database.work() as session:
        await session.execute(
            text(
                "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$"
            )
        )
        await session.execute(
            text(f"CREATE TRIGGER no_room BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION no_room()")
        )


async def test_who_writes_on_a_full_disk_is_told_and_so_is_monitoring(
    app: FastAPI, guest: httpx.AsyncClient, services: Services
) -> None:
    await make.board(services)
    await fill_the_disk(services, "post")
    async with make.signed_in(app, "heron") as heron:
        opening = {"title": "What now?", "body_markdown": "They come on Monday"}
        refused = await heron.post("/api/v1/boards/new-here/threads", json=opening)
        problem = refused.json()
        assert (refused.status_code, problem["type"], problem["code"]) == (
            503,
            "/problems/storage-full",
            "storage_full",
        )
        assert refused.headers["retry-after"] == "60"
        assert (await heron.get("/api/v1/boards/new-here/threads")).json()["items"] == []
    said = await guest.get("/readyz")
    assert (said.status_code, said.json()["code"]) == (503, "storage_full")


async def test_monitoring_is_told_when_its_own_write_finds_no_room(
    guest: httpx.AsyncClient, services: Services
) -> None:
    assert (await guest.get("/readyz")).status_code == 200
    await fill_the_disk(services, "throttle_count")
    said = await guest.get("/readyz")
    assert (said.status_code, said.json()["code"]) == (503, "storage_full")


async def test_monitoring_is_told_before_the_disk_is_full(
    guest: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "LEAST_ROOM", 2**80)
    said = await guest.get("/readyz")
    assert (said.status_code, said.json()["code"]) == (503, "storage_full")


async def test_a_forum_over_a_database_that_only_reads_is_not_ready(database_url: str, services: Services) -> None:
    async with services.database.work() as session:
        name = (await session.execute(text("SELECT current_database()"))).scalar_one()
        await session.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
    afterwards = Database(database_url, pool_size=1)  # whose connections are told so
    assert not await afterwards.is_ready()
    assert not afterwards.is_full
    await afterwards.close()


async def test_a_write_to_a_server_that_only_follows_is_refused_and_the_next_one_goes_elsewhere(
    app: FastAPI, services: Services
) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron:
        opening = {"title": "A first question", "body_markdown": "Hello all"}

        async def ask() -> httpx.Response:
            return await heron.post("/api/v1/boards/new-here/threads", json=opening)

        # Every connection of each pool is told, as after a switch of servers behind one name.
        read_only = Prepared(text("SELECT set_config('default_transaction_read_only', 'on', false)"))
        async with services.database.work() as session:
            await session.execute(read_only.query)
        await services.database.reader.rows(read_only)
        refused = await ask()
        assert (refused.status_code, refused.json()["type"]) == (503, "/problems/read-only")
        assert (refused.json()["code"], refused.headers["Retry-After"]) == ("read_only", "5")
        assert (await ask()).status_code == 201
    assert await services.database.is_ready()


async def test_of_several_hosts_the_one_that_takes_writes_is_found_and_asked_first_from_then_on(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "HOST_PATIENCE", 0.5)
    url = make_url(database_url)
    silent = tmp_path / SOCKET_NAME
    with socket.socket(socket.AF_UNIX) as nobody_accepts:
        nobody_accepts.bind(str(silent))
        nobody_accepts.listen()
        several = f"postgresql+asyncpg://forum@/{url.database}?host={tmp_path},{url.query['host']}"
        forum = Database(Settings(database_url=several).sqlalchemy_url, pool_size=2)
        try:
            async with forum.work() as session:
                assert (await session.execute(text("SELECT 1"))).scalar_one() == 1
            assert await forum.reader.row(Prepared(text("SELECT 1")))
            (await forum.reader.open_connection()).terminate()
        finally:
            await forum.close()


async def test_past_a_pooler_goes_what_listens(server: embedded_postgres.Server, database_url: str) -> None:
    behind = Database(database_called(server.url, "postgres"), pool_size=1, direct_url=database_url)
    name = Prepared(text("SELECT current_database() AS name"))
    direct = await behind.reader.open_connection()
    try:
        assert await direct.fetchval(name.sql) == make_url(database_url).database
        assert (await behind.reader.row(name)).name == "postgres"
    finally:
        direct.terminate()
        await behind.close()


def test_a_database_goes_back_to_an_older_version_and_forward_again(database_url: str) -> None:
    with pytest.raises(ValueError, match="There is no migration of-last-year"):
        database.migrate_back(database_url, "of-last-year")
    database.migrate_back(database_url, "0063")
    assert asyncio.run(_revision(database_url)) == "0063"
    database.migrate(database_url)
    assert asyncio.run(_revision(database_url)) == database.newest_migration()


async def _revision(url: str) -> str:
    async with database.engine_for_once(url).connect() as connection:
        return str(await connection.scalar(text("SELECT version_num FROM alembic_version")))


async def test_where_no_host_takes_writes_it_is_said_as_where_one_refuses_them(database_url: str) -> None:
    standby = Database(f"{database_url}&target_session_attrs=standby", pool_size=1)
    for read in (standby.reader.rows(Prepared(text("SELECT 1"))), _one(standby)):
        with pytest.raises(DBAPIError) as refused:
            await read
        assert database.is_read_only(refused.value)
        assert database.is_passing(refused.value)
    assert not await standby.is_ready()
    await standby.close()


async def test_connections_beyond_those_that_are_kept_are_closed_once_nobody_uses_them(database_url: str) -> None:
    some = Database(database_url, pool_size=3, kept=1)
    async with some.work() as one, some.work() as two, some.work() as three:
        open_at_once = {await session.scalar(text("SELECT pg_backend_pid()")) for session in (one, two, three)}
    mine = text("SELECT pid FROM pg_stat_activity WHERE pid = ANY(:open)").bindparams(open=list(open_at_once))

    async def still_open() -> int:
        async with some.work() as session:
            return len((await session.execute(mine)).all())

    assert len(open_at_once) == 3
    async with asyncio.timeout(10):
        while await still_open() > 1:  # noqa: ASYNC110 (PostgreSQL ends the others in its own time)
            await asyncio.sleep(0.02)
    await some.close()


async def test_a_pool_says_how_long_somebody_waited_and_nothing_in_the_log(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    waits: list[tuple[str, float]] = []
    one = Database(database_url, pool_size=1)
    one.on_wait = lambda pool, seconds: waits.append((pool, seconds))
    with caplog.at_level("INFO"):
        for _ in range(2):
            await _one(one)
            await one.reader.rows(Prepared(text("SELECT 1")))
        waits.clear()  # to open a connection is a wait too
        slow = one.reader.rows(Prepared(text("SELECT pg_sleep(0.05)")))
        await asyncio.gather(slow, one.reader.rows(Prepared(text("SELECT 1"))))
        async with one.work() as session:
            await session.execute(text("SELECT 1"))
            assert one.in_use() == {"writes": 1, "reads": 0}
            waiting = asyncio.create_task(_one(one))
            await asyncio.sleep(0.05)
        await waiting
        await one.close()
    assert {pool for pool, _ in waits} == {"reads", "writes"}
    assert max(seconds for _, seconds in waits) >= 0.01
    assert not caplog.records


async def _one(database: Database) -> object:
    async with database.work() as session:
        return await session.execute(text("SELECT 1"))


async def test_a_database_that_hangs_is_asked_once_and_the_answer_comes_all_the_same(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "READY_SECONDS", 0.2)
    ours, theirs = Database(database_url, pool_size=2), Database(database_url, pool_size=1)
    async with theirs.work() as session:
        await session.execute(text("LOCK TABLE throttle_count IN ACCESS EXCLUSIVE MODE"))
        for _ in range(5):
            assert not await ours.is_ready()
        waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%ready%'")
        assert (await session.execute(waiting)).scalar_one() == 1
    monkeypatch.setattr(database, "READY_SECONDS", 30.0)
    assert await ours.is_ready()
    await asyncio.gather(ours.close(), theirs.close())
