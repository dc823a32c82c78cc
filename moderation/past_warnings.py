"""Warnings that members had on the board from which they moved here: how many, and when. Nothing follows from them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.core.database import Moment, new_id
from forum.core.export_section import ExportSection
from forum.members.viewer import Viewer

SHOWN_MAX = 100


class PastWarning(SQLModel, table=True):
    """That a member was warned on the old board. It goes when they leave."""

    __tablename__ = "past_warning"

    id: UUID = Field(default_factory=new_id, primary_key=True)
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", index=True)
    given_at: datetime = Field(sa_type=Moment)
    import_run_id: UUID = Field(foreign_key="import_run.id", index=True)


async def list_of(session: AsyncSession, member_id: UUID) -> Sequence[datetime]:
    """Return when a member was warned on the old board, the newest first, a hundred at most."""
    return (await session.execute(_select_of(member_id).limit(SHOWN_MAX))).scalars().all()


async def export_own(session: AsyncSession, viewer: Viewer, _now: datetime) -> Sequence[ExportSection]:
    """Return when the viewer was warned on the old board: every time."""
    given = (await session.execute(_select_of(viewer.member_id))).scalars()
    warnings = [{"given_at": at} for at in given]
    return [ExportSection("past_warnings", "Warnings that you had on the board from which you moved here", warnings)]


def _select_of(member_id: UUID) -> Select[datetime]:
    given = select(col(PastWarning.given_at)).where(col(PastWarning.member_id) == member_id)
    return given.order_by(col(PastWarning.given_at).desc())
