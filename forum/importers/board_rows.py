"""Carry boards over, by the forum's own action. Nobody can read one who could not read it on the old board.

Where the plan says so, a board goes into another one, with all its threads.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.boards import Board, BoardPlan, create_board, set_archived
from forum.core.database import Database
from forum.importers.errors import CannotMove
from forum.importers.plan import Plan, PlannedBoard, is_wider
from forum.importers.records import BoardRecord, Readers
from forum.importers.staging import Staging
from forum.importers.tables import MovedItem, MovedKind
from forum.members.tables import Role

SLUG_MAX, DESCRIPTION_MAX = 50, 1000
_NO_SLUG = re.compile(r"[^a-z0-9]+")
_STAFF = (Role.MODERATOR.value, Role.SAFEGUARDING_LEAD.value, Role.ADMINISTRATOR.value)
# Who reads, and who writes.
_AUDIENCES = {
    Readers.EVERYONE: (("everyone",), ("member",)),
    Readers.MEMBERS: (("member",), ("member",)),
    Readers.STAFF: (_STAFF, _STAFF),
}


@dataclass(frozen=True)
class BoardHere:
    """A board that came."""

    id: int
    is_for_staff: bool
    locks: bool = False  # its threads come locked: nobody could write on the old board, but can on the one they go to


async def refuse_wider(database: Database, staging: Staging, plan: Plan, source: str) -> None:
    """Raise CannotMove where a board that came before is read here by more people than the plan says.

    What is new on it would be read by them all. The same holds for a board of this forum into which another goes.
    """
    records = {board.old: board for board in staging.boards()}
    async with database.work() as session:
        found = (await session.execute(_moved_boards(source, col(MovedItem.old), col(Board.readers)))).all()
        goals = await _list_goals(session, plan)
    came = {old for old, _ in found}
    for old, merging in plan.boards.items():
        if merging.take and merging.slug_here is not None and old not in came:
            _refuse_goal(f"The board {old} ({merging.name})", merging, goals.get(merging.slug_here))
    open_here = list[str]()
    for old, readers in found:
        planned = plan.for_board(records[old], records) if old in records else None
        if planned and planned.take and is_wider(here := readers_of(readers), planned.readers):
            open_here.append(
                f"The board {old} ({planned.name}) is here already, and read by {here}; the plan says "
                f"{planned.readers}. Close it here first, or write take = false."
            )
    if open_here:
        raise CannotMove("\n".join(open_here))


def _refuse_goal(named: str, planned: PlannedBoard, goal: Board | None) -> None:
    """Raise CannotMove unless a board can go into this one of ours, without more people reading it."""
    if goal is None:
        raise CannotMove(f"{named} cannot go into {planned.into}: this forum has no such board.")
    here = readers_of(goal.readers)
    # Ours may be for advisers, too, who need not be staff elsewhere.
    has_others = planned.readers is Readers.STAFF and not {*goal.readers} <= {*_STAFF}
    if is_wider(here, planned.readers) or has_others:
        readers = ", ".join(goal.readers)
        raise CannotMove(
            f"{named} cannot go into {planned.into}: that one is read by {readers}, and the plan says "
            f"{planned.readers}. Close it here first, or let the board stand by itself."
        )
    if goal.indexable:
        raise CannotMove(
            f"{named} cannot go into {planned.into}: search engines may list that one, and nobody was asked who wrote "
            "on the old board. Change that here first, or let the board stand by itself."
        )


async def _list_goals(session: AsyncSession, plan: Plan) -> dict[str, Board]:
    """Return the boards of this forum into which others go, by their short names."""
    slugs = [planned.slug_here for planned in plan.boards.values() if planned.take and planned.slug_here is not None]
    return {
        board.slug: board
        for board in (await session.execute(select(Board).where(col(Board.slug).in_(slugs)))).scalars()
    }


async def find_boards(
    database: Database, staging: Staging, plan: Plan, source: str
) -> tuple[dict[str, BoardHere], bool]:
    """Return the boards that the plan takes and that are here, by old id, and whether it takes another one."""
    records = {board.old: board for board in staging.boards()}
    taken = {old for old, board in records.items() if not board.is_section and plan.for_board(board, records).take}
    async with database.work() as session:
        found = await _list_moved(session, source)
    here = {old: board for old, board in found.items() if old in taken or old not in records}
    return here, not taken <= found.keys()


async def carry_boards(
    database: Database, staging: Staging, plan: Plan, place: tuple[str, UUID], now: datetime
) -> dict[str, BoardHere]:
    """Make the boards that the plan takes and that are not here yet, in one transaction.

    Return all that it takes, by old id; those that go into others as what they go into.
    """
    source, run_id = place
    records = {board.old: board for board in staging.boards()}
    async with database.work() as session:
        found = await _list_moved(session, source)
        slugs = set((await session.execute(select(col(Board.slug)))).scalars())
        position = (await session.execute(select(func.max(Board.position)))).scalar() or 0
        for record in sorted(records.values(), key=lambda board: board.position):
            planned = plan.for_board(record, records)
            if not planned.take:
                found.pop(record.old, None)
            if record.is_section or record.old in found or not planned.take or planned.into:
                continue
            position += 1
            board = await _make(session, _settings(record, planned, slugs, position), record, now)
            session.add(
                MovedItem(source=source, kind=MovedKind.BOARD, old=record.old, board_id=board.id, run_id=run_id)
            )
            found[record.old] = _board_here(board)
        goals = await _list_goals(session, plan)
        for record in records.values():
            planned = plan.for_board(record, records)
            if not planned.take or record.is_section or not planned.into:
                continue
            if record.old not in found:
                goal = goals.get(planned.slug_here or "")
                into = _board_here(goal) if goal else found[planned.into]
                session.add(
                    MovedItem(
                        source=source,
                        kind=MovedKind.BOARD,
                        old=record.old,
                        board_id=into.id,
                        is_merged=True,
                        run_id=run_id,
                    )
                )
                found[record.old] = into
            found[record.old] = replace(found[record.old], locks=record.is_closed)
    return found


async def _list_moved(session: AsyncSession, source: str) -> dict[str, BoardHere]:
    rows = await session.execute(_moved_boards(source, col(MovedItem.old), Board))
    return {old: _board_here(board) for old, board in rows}


def _moved_boards(source: str, *wanted: Any) -> Select[Any]:
    moved = select(*wanted).join_from(MovedItem, Board, col(Board.id) == col(MovedItem.board_id))
    return moved.where(col(MovedItem.source) == source, col(MovedItem.kind) == MovedKind.BOARD)


def _board_here(board: Board) -> BoardHere:
    return BoardHere(board.id, readers_of(board.readers) is Readers.STAFF)


def readers_of(audiences: Sequence[str]) -> Readers:
    """Return who reads a board of ours; whoever has a role by which they read it is staff."""
    return next((readers for readers, (whose, _) in _AUDIENCES.items() if {*whose} & {*audiences}), Readers.STAFF)


async def _make(session: AsyncSession, settings: BoardPlan, record: BoardRecord, now: datetime) -> Board:
    board = await create_board(session, settings, now)
    if record.is_closed:
        await set_archived(session, board, archived=True, now=now)
    return board


def _settings(record: BoardRecord, planned: PlannedBoard, slugs: set[str], position: int) -> BoardPlan:
    slug = slug_of(planned.name, record.old)
    if slug in slugs:
        slug = slug_of(f"{slug[: SLUG_MAX - 8]} {record.old[:6]}", record.old)
    while slug in slugs:
        slug = slug_of(f"{slug[: SLUG_MAX - 3]} {len(slugs) % 100}", record.old)
    slugs.add(slug)
    readers, writers = _AUDIENCES[planned.readers]
    return BoardPlan(
        slug=slug,
        name=planned.name,
        section=planned.section,
        position=position,
        description=" ".join(record.description.split())[:DESCRIPTION_MAX],
        readers=readers,
        openers=writers,
        repliers=writers,
        indexable=False,
        advised=planned.readers != Readers.STAFF,
    )


def slug_of(name: str, old: str) -> str:
    """Return a name as it can stand in an address: small letters and digits, with '-' between words."""
    for text in (name, f"board-{old}"):
        plain = unicodedata.normalize("NFKD", text.replace("'", "").replace("’", "")).encode("ascii", "ignore").decode()
        if slug := _NO_SLUG.sub("-", plain.lower()).strip("-")[:SLUG_MAX].strip("-"):
            return slug
    return "board"
