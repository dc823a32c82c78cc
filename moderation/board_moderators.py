"""Who moderates a board: its own moderators, and those of the whole forum."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import or_
from sqlmodel import col

from forum.administration import roles
from forum.content import boards
from forum.content.boards import Board
from forum.core.database import Record, query
from forum.core.errors import Conflict, NotFound
from forum.core.work import Work
from forum.members.queries import get_member
from forum.members.tables import Member, Role, RoleGrant
from forum.members.viewer import Viewer
from forum.permissions import Refusal, require_recent_sign_in
from moderation.permissions import ModerationAct, allow, refusal


@dataclass(frozen=True)
class TeamReading:
    """Who moderates a board, and why the viewer may not change that, if so."""

    board: Board
    team: Sequence[Record]
    no_change_because: Refusal | None


async def read_team(work: Work, viewer: Viewer, slug: str) -> TeamReading:
    """Return who moderates a board, and whether the viewer may change that. Raises Forbidden and NotFound."""
    team = await list_moderators(work, viewer, slug)
    return TeamReading(await _get_board(work, viewer, slug), team, refusal(ModerationAct.NAME_TEAM, viewer))


async def list_moderators(work: Work, viewer: Viewer, slug: str) -> Sequence[Record]:
    """Return who moderates this board, moderators of the whole forum first. Raises Forbidden and NotFound."""
    allow(ModerationAct.SEE_QUEUE, viewer)
    board = await _get_board(work, viewer, slug)
    is_everywhere = col(RoleGrant.board_id).is_(None)
    listed = (
        query(
            col(Member.handle),
            col(Member.name),
            col(Member.title),
            is_everywhere.label("whole_forum"),
            col(RoleGrant.given_at).label("since"),
        )
        .join(Member, col(Member.id) == col(RoleGrant.member_id))
        .where(col(RoleGrant.role) == Role.MODERATOR, or_(is_everywhere, col(RoleGrant.board_id) == board.id))
        .order_by(is_everywhere.desc(), col(Member.name), col(Member.id))
    )
    return (await work.session.execute(listed)).all()


async def appoint(work: Work, administrator: Viewer, slug: str, handle: str) -> None:
    """Make a member a moderator of this board. Idempotent.

    Raises SignInAgain, Forbidden, also for a member whose password is shorter than staff's must be, and NotFound.
    """
    require_recent_sign_in(administrator, work.now)
    allow(ModerationAct.NAME_TEAM, administrator)
    board = await _get_board(work, administrator, slug)
    member = await get_member(work.session, handle)
    work.forget_sessions_of(member.id)
    # A savepoint: whoever has the role already breaks a unique constraint, and the transaction must go on.
    with suppress(Conflict):
        async with work.session.begin_nested():
            await roles.grant(work.session, member, Role.MODERATOR, work.now, board_id=board.id, by=administrator.id)


async def dismiss(work: Work, administrator: Viewer, slug: str, handle: str) -> None:
    """Take a moderator's role for this board back. Idempotent. Raises SignInAgain, Forbidden and NotFound."""
    require_recent_sign_in(administrator, work.now)
    allow(ModerationAct.NAME_TEAM, administrator)
    board = await _get_board(work, administrator, slug)
    member = await get_member(work.session, handle)
    with suppress(NotFound):
        await roles.revoke(work.session, member, Role.MODERATOR, work.now, board_id=board.id, by=administrator.id)
    work.forget_sessions_of(member.id)


async def _get_board(work: Work, viewer: Viewer, slug: str) -> Board:
    board = await boards.find_board(work.session, slug)
    if board is None or not (viewer.moderates(board.id) or Role.ADMINISTRATOR in viewer.roles):
        raise NotFound("There is no such board.", code="board_not_found")
    return board
