"""What each board does with what may show who somebody is: point it out, ask, and look at it or hold it after that."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.content.boards import Board, lock_board_row
from forum.content.boards import find_board as find_any_board
from forum.core import audit
from forum.core.database import check_one_of
from forum.core.errors import NotFound
from forum.core.work import Work
from forum.members.viewer import Viewer
from moderation.permissions import ModerationAct, allow
from moderation.screening.finding import DetailKind


class Treatment(StrEnum):
    """What follows when somebody writes it, from little to much."""

    TELL = "tell"  # it is published, and its author is told
    ASK = "ask"  # its author is asked first
    ASK_AND_CASE = "ask_and_case"  # and a moderator looks at it afterwards
    ASK_AND_HOLD = "ask_and_hold"  # and a moderator looks at it before others do


class DetailEffect(SQLModel, table=True):
    """What one board does with one kind, where that is not what boards do."""

    __tablename__ = "detail_effect"
    __table_args__ = (check_one_of("kind", DetailKind), check_one_of("effect", Treatment))

    board_id: int = Field(primary_key=True, foreign_key="board.id", ondelete="CASCADE")
    kind: str = Field(primary_key=True)
    effect: str


# Names of people at work are part of what members have to tell; a judgment that is published is no secret.
_POINTED_OUT = frozenset({DetailKind.PROFESSIONAL, DetailKind.CITATION, DetailKind.HEARING})
_ASKED = frozenset({DetailKind.PERSON, DetailKind.HANDLE, DetailKind.VEHICLE})
# What shows where a child is or who it is waits on boards that guests read: it cannot be called back from there.
_HELD_IN_PUBLIC = frozenset(
    {
        *(DetailKind.CHILD, DetailKind.ADDRESS, DetailKind.SCHOOL),
        *(DetailKind.IDENTIFIES_CHILD, DetailKind.IDENTIFIES_COMPLAINANT, DetailKind.COURT_PAPER),
    }
)


def default_effect(kind: DetailKind, *, is_public: bool) -> Treatment:
    """Return what boards do with a kind, those that guests read or others."""
    if kind in _POINTED_OUT:
        return Treatment.TELL
    if kind in _ASKED:
        return Treatment.ASK
    return Treatment.ASK_AND_HOLD if is_public and kind in _HELD_IN_PUBLIC else Treatment.ASK_AND_CASE


async def find_effects(
    session: AsyncSession, board_id: int | None, *, is_public: bool
) -> Mapping[DetailKind, Treatment]:
    """Return what a board does with each kind; without a board, what boards do."""
    effects = {kind: default_effect(kind, is_public=is_public) for kind in DetailKind}
    if board_id is not None:
        chosen = select(col(DetailEffect.kind), col(DetailEffect.effect)).where(col(DetailEffect.board_id) == board_id)
        rows = (await session.execute(chosen)).all()
        effects |= {DetailKind(row.kind): Treatment(row.effect) for row in rows}
    return effects


class BoardEffects(NamedTuple):
    """A board, and what it does with each kind."""

    board: Board
    effects: Mapping[DetailKind, Treatment]


async def read_effects(work: Work, administrator: Viewer, slug: str) -> BoardEffects:
    """Return what a board does with each kind: for administrators. Raises Forbidden and NotFound."""
    allow(ModerationAct.SET_DETAILS, administrator)
    board = await find_any_board(work.session, slug)
    if board is None:
        raise NotFound(f"There is no board {slug}.", code="board_not_found")
    return await _effects_on(work.session, board)


async def set_effects(
    work: Work, administrator: Viewer, slug: str, wanted: Mapping[DetailKind, Treatment]
) -> BoardEffects:
    """Choose what a board does with these kinds; the others stay. Idempotent. Raises Forbidden and NotFound."""
    allow(ModerationAct.SET_DETAILS, administrator)
    board = await lock_board_row(work.session, slug)
    before = (await _effects_on(work.session, board)).effects
    changed = {kind: effect for kind, effect in wanted.items() if before[kind] != effect}
    if changed:
        these = (col(DetailEffect.board_id) == board.id, col(DetailEffect.kind).in_(changed))
        await work.session.execute(delete(DetailEffect).where(*these))
        is_public = _is_public(board)
        work.session.add_all(
            DetailEffect(board_id=board.id, kind=kind, effect=effect)
            for kind, effect in changed.items()
            if effect != default_effect(kind, is_public=is_public)
        )
        await work.session.flush()
        details: audit.Details = {"changed": [str(kind) for kind in sorted(changed)]}
        subject = ("board", board.id)
        await audit.record(
            work.session, actor_id=administrator.id, act="board.details", subject=subject, now=work.now, details=details
        )
    return await _effects_on(work.session, board)


async def _effects_on(session: AsyncSession, board: Board) -> BoardEffects:
    return BoardEffects(board, await find_effects(session, board.id, is_public=_is_public(board)))


def _is_public(board: Board) -> bool:
    return "everyone" in board.readers
