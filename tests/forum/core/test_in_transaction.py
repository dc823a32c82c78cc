"""Statements straight over the driver are a part of the session's transaction, and fail as its own do."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from forum.core.database import Prepared, broken_constraint, is_passing
from forum.core.in_transaction import first_row_in, row_in, rows_in
from forum.http.services import Services
from tests.support.running import until
from tests.support.scenes import sql

WRITE = Prepared(text("INSERT INTO throttle_count (key, tries, ends_at) VALUES (:key, 1, now()) RETURNING key"))
KEYS = Prepared(text("SELECT key FROM throttle_count WHERE key LIKE 'straight-%' ORDER BY key"))
FAIL = Prepared(text("SELECT 1 / CAST(:divisor AS int)"))
END = Prepared(text("SELECT pg_terminate_backend(pg_backend_pid())"))
LATE = Prepared(text("CREATE TEMPORARY TABLE late (one int UNIQUE DEFERRABLE INITIALLY DEFERRED) ON COMMIT DROP"))
TWICE = Prepared(text("INSERT INTO late VALUES (1), (1)"))


async def _keys(services: Services) -> list[str]:
    async with services.database.work() as session:
        return [row.key for row in await rows_in(session, KEYS)]


async def test_they_are_committed_and_undone_with_the_rest(services: Services) -> None:
    async with services.database.work() as session:  # the first of all, so that it begins the transaction
        assert (await row_in(session, WRITE, key="straight-1")).key == "straight-1"
        await session.execute(WRITE.query, {"key": "straight-2"})
        savepoint = await session.begin_nested()
        await row_in(session, WRITE, key="straight-gone")
        await savepoint.rollback()
        assert [row.key for row in await rows_in(session, KEYS)] == ["straight-1", "straight-2"]
        assert await row_in(session, FAIL, divisor=1) == (1,)
        with pytest.raises(KeyError):
            await row_in(session, WRITE)
    assert await _keys(services) == ["straight-1", "straight-2"]
    with suppress(ZeroDivisionError):
        async with services.database.work() as session:
            await row_in(session, WRITE, key="straight-3")
            raise ZeroDivisionError
    async with AsyncSession(services.database.transactions) as session:  # several transactions of one session
        await row_in(session, WRITE, key="straight-3")
        await session.commit()
        await row_in(session, WRITE, key="straight-4")
        await session.rollback()
        await session.execute(KEYS.query)
        await row_in(session, KEYS)
    assert await _keys(services) == ["straight-1", "straight-2", "straight-3"]


async def test_they_fail_as_statements_of_the_session_do(services: Services) -> None:
    await sql(services, "INSERT INTO throttle_count (key, tries, ends_at) VALUES ('straight-1', 1, now())")
    with pytest.raises(IntegrityError) as broken:
        async with services.database.work() as session:
            await row_in(session, WRITE, key="straight-1")
    assert broken_constraint(broken.value) == "pk_throttle_count"
    assert "straight-1" not in str(broken.value)  # people's own words could be in it
    with pytest.raises(DBAPIError) as failed:
        async with services.database.work() as session:
            await row_in(session, FAIL, divisor=0)
    assert not is_passing(failed.value)
    # A connection that was lost is not used again, and what failed may succeed a moment later.
    for _ in range(2):
        with pytest.raises(DBAPIError) as lost:
            async with services.database.work() as session:
                await row_in(session, END)
        assert is_passing(lost.value)
    assert await _keys(services) == ["straight-1"]


async def test_a_commit_without_sqlalchemy_fails_as_its_own_does_and_no_connection_is_lost(services: Services) -> None:
    async def write(*, is_shared: bool) -> None:
        async with services.database.work() as session:
            for statement in (LATE, TWICE):
                await rows_in(session, statement)
            await row_in(session, WRITE, key="straight-late")
            if is_shared:
                await session.execute(KEYS.query)

    for is_shared in (False, True):
        with pytest.raises(IntegrityError) as broken:
            await write(is_shared=is_shared)
        assert broken_constraint(broken.value) == "late_one_key"
        assert services.database.in_use()["writes"] == 0
    assert await _keys(services) == []


async def test_whoever_gives_up_leaves_no_transaction_behind(services: Services) -> None:
    written = asyncio.Event()

    async def write() -> None:
        async with services.database.work() as session:
            await row_in(session, WRITE, key="straight-given-up")
            written.set()
            await asyncio.Event().wait()

    writing = asyncio.create_task(write())
    await written.wait()
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    assert services.database.in_use()["writes"] == 0
    assert await _keys(services) == []


async def test_whoever_gives_up_while_it_begins_leaves_no_transaction_behind(services: Services) -> None:
    """The next who gets a connection would write into a transaction that nobody commits."""
    for begin in (row_in, first_row_in):
        async with services.database.work() as session:
            server = (await session.execute(text("SELECT pg_backend_pid()"))).scalar_one()
        os.kill(server, signal.SIGSTOP)
        try:
            writing = asyncio.create_task(_write(services, begin, "straight-given-up"))
            assert await until(lambda: services.database.in_use()["writes"] == 1)
            await asyncio.sleep(0.05)  # what it sent is not answered
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
        finally:
            os.kill(server, signal.SIGCONT)
        assert services.database.in_use()["writes"] == 0
        await _write(services, row_in, f"straight-{begin.__name__}")
        async with services.database.work() as session:
            await session.execute(text("SELECT 1"))
    seen_by_others = await services.database.reader.rows(KEYS)
    assert [row.key for row in seen_by_others] == ["straight-first_row_in", "straight-row_in"]


async def _write(services: Services, begin: Callable[..., Awaitable[Any]], key: str) -> None:
    async with services.database.work() as session:
        await begin(session, WRITE, key=key)
