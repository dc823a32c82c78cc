"""The team: who moderates the whole forum, and who one board of it."""

from contextlib import suppress
from datetime import datetime

from sqlalchemy import or_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.administration import roles
from forum.content.boards import Board
from forum.core.database import Query, query
from forum.core.errors import Conflict, NotFound
from forum.members.queries import get_member
from forum.members.tables import Member, Role, RoleGrant
from forum.members.viewer import Viewer


def of_board(board: Board) -> Query:
    """Who moderates this board, those of the whole forum first."""
    return (
        query(
            col(Member.handle),
            col(Member.name),
            col(Member.title),
            col(RoleGrant.board_id).is_(None).label("whole_forum"),
            col(RoleGrant.given_at).label("since"),
        )
        .join(Member, col(Member.id) == col(RoleGrant.member_id))
        .where(
            col(RoleGrant.role) == Role.MODERATOR,
            or_(col(RoleGrant.board_id).is_(None), col(RoleGrant.board_id) == board.id),
        )
        .order_by(col(RoleGrant.board_id).is_(None).desc(), col(Member.name), col(Member.id))
    )


async def name(session: AsyncSession, administrator: Viewer, board: Board, handle: str, now: datetime) -> Member:
    """Make a member a moderator of this board; done twice, it is as done once.

    Raises NotFound for nobody, and Forbidden for a member whose password is shorter than staff's must be.
    """
    member = await get_member(session, handle)
    with suppress(Conflict):
        async with session.begin_nested():
            await roles.grant(session, member, Role.MODERATOR, now, board_id=board.id, by=administrator.id)
    return member


async def dismiss(session: AsyncSession, administrator: Viewer, board: Board, handle: str, now: datetime) -> Member:
    """Take the role back; done twice, it is as done once. NotFound for nobody."""
    member = await get_member(session, handle)
    with suppress(NotFound):
        await roles.revoke(session, member, Role.MODERATOR, now, board_id=board.id, by=administrator.id)
    return member
