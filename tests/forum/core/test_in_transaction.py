"""Statements straight over the driver are a part of the session's transaction, and fail as its own do."""

from contextlib import suppress

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from forum.core.database import Prepared, broken_constraint, is_passing
from forum.core.in_transaction import row_in, rows_in
from forum.http.services import Services
from tests.support.scenes import sql

WRITE = Prepared(text("INSERT INTO throttle_count (key, tries, ends_at) VALUES (:key, 1, now()) RETURNING key"))
KEYS = Prepared(text("SELECT key FROM throttle_count WHERE key LIKE 'straight-%' ORDER BY key"))
FAIL = Prepared(text("SELECT 1 / CAST(:divisor AS int)"))
END = Prepared(text("SELECT pg_terminate_backend(pg_backend_pid())"))


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
