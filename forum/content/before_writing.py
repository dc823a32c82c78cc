"""What is said before somebody writes on a board: when it is open, who is on call, and what waits for a moderator."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from forum.content import boards
from forum.content.boards import Policy, policy_of
from forum.content.opening_hours import Opening, opening_of
from forum.core.gate import Attendance
from forum.core.work import Work
from forum.members.tables import Standing
from forum.members.viewer import Viewer


@dataclass(frozen=True)
class BeforeWriting:
    """What holds for somebody who writes on a board now."""

    opening: Opening
    policy: Policy
    is_reviewed: bool  # a moderator reads what they write before it appears
    attendance: Attendance | None = None  # None where nobody asked, or where nobody can be on call


@dataclass(frozen=True)
class BoardNow:
    """A board at this moment: what holds for whoever writes there."""

    board: Any
    before: BeforeWriting


def before_you_write(board: Any, now: datetime) -> str | None:
    """Return what to say beside the form for a new post: that it waits, or that nothing can be written now."""
    return boards.READ_ONLY_NOW if opening_of(board, now).is_read_only else policy_of(board, now).held_because


def before_writing(board: Any, viewer: Viewer, now: datetime, attendance: Attendance | None = None) -> BeforeWriting:
    """Return what holds for somebody who writes on a board at a time. The action asks again, and decides."""
    is_reviewed = viewer.standing == Standing.REVIEWED
    return BeforeWriting(opening_of(board, now), policy_of(board, now), is_reviewed, attendance)


async def before_writing_now(work: Work, viewer: Viewer, board: Any) -> BeforeWriting:
    """Return what holds for somebody who writes on a board now, and whether somebody else is on call there."""
    attendance = await work.gate.find_attendance(work.session, board.id, work.now, but_not=viewer.id)
    return before_writing(board, viewer, work.now, attendance)


async def read_board_now(work: Work, viewer: Viewer, slug: str) -> BoardNow:
    """Return a board at this moment, with who is on call there. Raises NotFound."""
    board = await boards.get_board_in_transaction(work.session, viewer, slug)
    return BoardNow(board, await before_writing_now(work, viewer, board))
