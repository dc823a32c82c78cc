"""The record: what staff did, written once, and no tampering goes unseen."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.administration import advisers, roles
from forum.content import boards
from forum.content.threads.actions import NewTitle, lock_thread, move_thread, pin_thread, retitle_thread
from forum.core import audit
from forum.core.audit import GENESIS, AuditEntry, ChainBroken, Head
from forum.core.errors import Forbidden
from forum.http.services import Services
from forum.members.queries import get_member
from forum.members.tables import Role
from tests.support import make

API = "/api/v1"
NOW = datetime(2026, 7, 27, 9, 0, 0, 123456, tzinfo=UTC)
SOMEBODY = UUID("01987d2e-5a3c-7c4e-9a61-2f6f3f0f9b1d")


async def _record(services: Services, number: int, **details: Any) -> None:
    async with services.database.work() as session:
        await audit.record(
            session,
            actor_id=SOMEBODY if number % 2 else None,
            act="thread.moved",
            subject=("thread", number),
            now=NOW + timedelta(minutes=number),
            details=details or {"from": number, "to": [1, 2], "pinned": True, "why": None, "role": Role.ADVISER},
        )


async def _verify(services: Services, noted: Head | None = None) -> Head:
    async with services.database.work() as session:
        return await audit.verify(session, noted)


OWNER = ("ALTER TABLE audit_entry DISABLE TRIGGER ALL", "ALTER TABLE audit_entry ENABLE TRIGGER ALL")


async def _tamper(services: Services, *statements: str) -> None:
    """What somebody can do who owns the tables."""
    async with services.database.work() as session:
        for statement in (OWNER[0], *statements, OWNER[1]):
            await session.execute(text(statement))


async def _told(services: Services, *statements: str) -> str:
    """What a verification says of such tampering, which is then undone."""
    async with AsyncSession(services.database.transactions) as session:
        for statement in (OWNER[0], *statements, OWNER[1]):
            await session.execute(text(statement))
        with pytest.raises(ChainBroken) as found:
            await audit.verify(session)
    return str(found.value)


@pytest.fixture
async def written(services: Services) -> Head:
    """Five entries, and the head that was noted elsewhere."""
    for number in range(1, 6):
        await _record(services, number)
    return await _verify(services)


# A whole record.


async def test_an_empty_record_is_whole(services: Services) -> None:
    assert await _verify(services) == await _verify(services, Head(0, GENESIS)) == Head(0, GENESIS)


async def test_a_record_is_read_as_it_was_written(services: Services, written: Head) -> None:
    assert written.number == 5
    async with services.database.work() as session:
        entries = (await session.execute(audit.entries_in_order())).scalars().all()
    assert [entry.number for entry in entries] == [1, 2, 3, 4, 5]
    assert [entry.previous for entry in entries] == [GENESIS, *(entry.digest for entry in entries[:-1])]
    assert entries[2].at == NOW + timedelta(minutes=3)
    assert (entries[2].actor_id, entries[3].actor_id) == (SOMEBODY, None)
    assert entries[2].details == {"from": 3, "to": [1, 2], "pinned": True, "why": None, "role": "adviser"}


async def test_a_head_that_was_noted_before_is_still_there(services: Services, written: Head) -> None:
    await _record(services, 6)
    later = await _verify(services, written)
    assert later.number == 6
    assert later != written
    assert await _verify(services, later) == later


async def test_a_head_can_be_written_down_and_read_again(written: Head) -> None:
    assert Head.parse(str(written)) == written


@pytest.mark.parametrize("noted", ["", "5", "5:", "five:" + "00" * 32, "5:" + "xy" * 32, "5:" + "00" * 31])
def test_what_is_no_head_is_refused(noted: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Head.parse(noted)


async def test_many_who_write_at_once_write_one_chain(services: Services) -> None:
    await asyncio.gather(*(_record(services, number) for number in range(1, 21)))
    assert (await _verify(services)).number == 20


async def test_what_is_rolled_back_leaves_no_gap(services: Services) -> None:
    async def fail() -> None:
        async with services.database.work() as session:
            await audit.record(session, actor_id=None, act="x.y", subject=("x", 1), now=NOW)
            raise Forbidden("and all of it is rolled back")

    await _record(services, 1)
    with pytest.raises(Forbidden):
        await fail()
    await _record(services, 2)
    assert (await _verify(services)).number == 2


async def test_a_time_in_another_zone_is_the_same_time(services: Services) -> None:
    elsewhere = NOW.astimezone(tz=datetime.strptime("+0530", "%z").tzinfo)
    async with services.database.work() as session:
        await audit.record(session, actor_id=None, act="x.y", subject=("x", 1), now=elsewhere)
    assert (await _verify(services)).number == 1


# Tampering.


async def test_the_database_refuses_to_change_the_record(services: Services, written: Head) -> None:
    for statement in (
        "UPDATE audit_entry SET act = 'thread.locked' WHERE number = 3",
        "DELETE FROM audit_entry WHERE number = 5",
        "DELETE FROM audit_entry",
        "TRUNCATE audit_entry",
    ):
        with pytest.raises(IntegrityError, match="audit_entry is append-only"):
            await _send(services, statement)
    assert await _verify(services, written) == written


async def test_an_entry_that_was_changed_is_found(services: Services, written: Head) -> None:
    changes = [
        "act = 'thread.locked'",
        "actor_id = NULL",
        "actor_id = '01987d2e-5a3c-7c4e-9a61-2f6f3f0f9b1e'",
        "at = at + interval '1 microsecond'",
        "subject_kind = 'post'",
        "subject_id = '33'",
        "details = details - 'why'",
        "details = details || '{\"to\": [2, 1]}'",
        "details = '{}'",
    ]
    for change in changes:
        told = await _told(services, f"UPDATE audit_entry SET {change} WHERE number = 3")
        assert told == "Entry 3 was changed after it was written.", change
    assert await _verify(services, written) == written


async def test_an_entry_that_is_missing_swapped_or_slipped_in_is_found(services: Services, written: Head) -> None:
    tampering = [
        (["DELETE FROM audit_entry WHERE number = 3"], "After entry 2 comes entry 4: something is missing"),
        (["DELETE FROM audit_entry WHERE number = 1"], "After entry 0 comes entry 2: something is missing"),
        (["DELETE FROM audit_entry WHERE number < 4"], "After entry 0 comes entry 4: something is missing"),
        (
            ["DELETE FROM audit_entry WHERE number = 3", "UPDATE audit_entry SET number = 3 WHERE number = 4"],
            "Entry 3 does not follow entry 2",
        ),
        (
            [
                "UPDATE audit_entry SET number = 9 WHERE number = 2",
                "UPDATE audit_entry SET number = 2 WHERE number = 3",
                "UPDATE audit_entry SET number = 3 WHERE number = 9",
            ],
            "Entry 2 does not follow entry 1",
        ),
        (
            [  # the words of two entries swapped, their places in the chain kept
                "UPDATE audit_entry a SET subject_id = b.subject_id, at = b.at, actor_id = b.actor_id, "
                "details = b.details FROM audit_entry b WHERE a.number + b.number = 5 AND a.number IN (2, 3)"
            ],
            "Entry 2 was changed after it was written",
        ),
        (["UPDATE audit_entry SET digest = previous WHERE number = 3"], "Entry 3 was changed after it was written"),
        (["UPDATE audit_entry SET previous = digest WHERE number = 3"], "Entry 3 does not follow entry 2"),
        (
            [
                "INSERT INTO audit_entry SELECT 6, at, actor_id, act, subject_kind, subject_id, details, "
                "digest, digest FROM audit_entry WHERE number = 5"
            ],
            "Entry 6 was changed after it was written",
        ),
    ]
    for statements, found in tampering:
        assert found in await _told(services, *statements), statements
    assert await _verify(services, written) == written


async def test_a_tail_that_was_cut_off_shows_by_the_head_that_was_noted(services: Services, written: Head) -> None:
    await _tamper(services, "DELETE FROM audit_entry WHERE number > 3")
    assert (await _verify(services)).number == 3  # by itself, what is left is whole
    with pytest.raises(ChainBroken, match="its tail was cut or written anew"):
        await _verify(services, written)


async def test_a_tail_that_was_written_anew_shows_by_the_head_that_was_noted(services: Services, written: Head) -> None:
    await _tamper(services, "DELETE FROM audit_entry WHERE number > 3")
    await _record(services, 4, to=3)
    await _record(services, 5)
    assert (await _verify(services)).number == 5
    with pytest.raises(ChainBroken, match="its tail was cut or written anew"):
        await _verify(services, written)


async def test_a_noted_head_that_never_was_is_not_believed(services: Services, written: Head) -> None:
    for noted in (Head(5, GENESIS), Head(9, GENESIS), Head(0, b"\x01"), Head(-1, GENESIS)):
        with pytest.raises(ChainBroken, match="is not in the record"):
            await _verify(services, noted)


async def test_a_record_that_was_emptied_shows_by_the_head_that_was_noted(services: Services, written: Head) -> None:
    await _tamper(services, "TRUNCATE audit_entry")
    assert (await _verify(services)).number == 0
    with pytest.raises(ChainBroken, match="its tail was cut or written anew"):
        await _verify(services, written)


# What it says.


async def test_the_record_holds_ids_and_words_of_ours_and_nobodys_name_or_text(
    app: FastAPI, services: Services
) -> None:
    async with services.database.work() as session:
        board = await boards.create_board(session, boards.BoardPlan(slug="secretslug", name="Secretboard"), NOW)
        await boards.change_board(session, board, {"name": "Secretother", "description": "Secretwords"}, NOW)
        await boards.create_board(session, boards.BoardPlan(slug="secretelse", name="Secretelse"), NOW)
    await make.member(services, "secretheron")
    thread = await make.thread(services, "secretheron", "secretslug", "Secrettitle", "Secretbody")
    await make.member(services, "secretmod", Role.MODERATOR, Role.ADVISER)
    async with services.database.work() as session:
        heron = await get_member(session, "secretheron")
        for organisation in ("Secretcharity", "Secretother"):
            await advisers.appoint(session, heron, "Secretadviser", organisation, NOW)
        await advisers.dismiss(session, heron, NOW)
        await roles.grant(session, heron, Role.MODERATOR, NOW, board_id=board.id)
    moderator = await make.viewer(services, "secretmod")
    async with make.work(services, NOW) as work:
        await lock_thread(work, moderator, thread)
        await pin_thread(work, moderator, thread)
        await retitle_thread(work, moderator, thread, NewTitle(3, "Secretretitled"))
        await move_thread(work, moderator, thread, 4, "secretelse")
    async with services.database.work() as session:
        rows = (await session.execute(select(AuditEntry).order_by(col(AuditEntry.number)))).scalars().all()
    told = [json.dumps([row.act, row.subject_kind, row.subject_id, row.details]) for row in rows]
    assert {row.act for row in rows} >= {
        "board.made",
        "board.changed",
        "role.granted",
        "role.revoked",
        "adviser.changed",
        "thread.locked",
        "thread.pinned",
        "thread.retitled",
        "thread.moved",
    }
    assert not [entry for entry in told if "secret" in entry.lower()]
    assert (await _verify(services)).number == len(rows)


async def _send(services: Services, statement: str) -> None:
    async with services.database.work() as session:
        await session.execute(text(statement))
