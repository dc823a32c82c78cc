"""What a member's copy of their data says about the board from which they moved here."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.authentication.old_logins import OldLogin
from forum.core.database import query
from forum.core.export_section import ExportSection, items_of
from forum.importers.tables import ImportRun, MovedItem
from forum.members.viewer import Viewer


async def export_own_past(session: AsyncSession, viewer: Viewer, _now: datetime) -> Sequence[ExportSection]:
    """Return from which board the viewer moved, when, who they were there, what they typed to sign in, and when a
    letter told them of it.
    """
    moved = (
        query(
            col(MovedItem.source),
            col(MovedItem.old),
            col(OldLogin.login),
            col(ImportRun.started_at).label("moved_at"),
            col(OldLogin.told_at),
        )
        .join(ImportRun, col(ImportRun.id) == col(MovedItem.run_id))
        .outerjoin(OldLogin, col(OldLogin.member_id) == col(MovedItem.member_id))
        .where(col(MovedItem.member_id) == viewer.id)
    )
    rows = (await session.execute(moved)).all()
    return [ExportSection("old_board", "The board from which you moved here", items_of(rows))]
