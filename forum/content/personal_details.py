"""What may show who somebody is: where a text is to appear, for the gate's question, and what a preview shows of it."""

from collections.abc import Sequence
from typing import NamedTuple

from forum.content.boards import Board
from forum.core.errors import PersonalInformation
from forum.core.gate import Detail, GateResult, Publishing, Submission
from forum.core.work import Work


class Details(NamedTuple):
    """What may show who somebody is, and the answer by which its author posts it as it is; None if nobody asks."""

    found: Sequence[Detail] = ()
    confirm: str | None = None


def publishing_on(
    work: Work,
    board: Board | None,
    thread_id: int | None = None,
    *,
    confirm: str | None = None,
    is_first_there: bool = False,
) -> Publishing:
    """Return where a text is to appear; without a board, on one that guests read."""
    is_public = board is None or "everyone" in board.readers
    board_id = board.id if board else None
    return Publishing(work.settings, work.now, board_id, is_public, thread_id, confirm, is_first_there)


async def judge(work: Work, submission: Submission) -> GateResult:
    """Have the gate judge a text, and note what its author is told of. Raises as `Gate.judge` does."""
    judged = await work.gate.judge(work.session, submission)
    work.details.extend(judged.details)
    return judged


async def find_details(work: Work, submission: Submission) -> Details:
    """Return what its author would be asked about a text, or told of. Nothing is stored."""
    try:
        judged = await work.gate.judge(work.session, submission)
    except PersonalInformation as question:
        return Details(question.details, question.facts["confirm"])
    return Details(judged.details)
