"""Words of acute danger that were refused: nothing of them is published, and a moderator reads them all the same."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.core.database import Moment, Query, Record, columns, new_id, query
from forum.core.gate import RefusedText
from forum.members.aliases import is_persona_of
from forum.members.viewer import Viewer
from moderation import cases
from moderation.case_priority import Category
from moderation.cases import Case, CaseDanger
from moderation.findings import KEPT_FOR

MOST_KEPT = 20  # of one case: who tries again and again writes the same


class KeptText(SQLModel, table=True):
    """A text that was refused, in the case that it opened."""

    __tablename__ = "refused_text"

    id: UUID = Field(default_factory=new_id, primary_key=True)
    case_id: UUID = Field(foreign_key="moderation_case.id", ondelete="CASCADE", index=True)
    persona_id: UUID = Field(foreign_key="persona.id", index=True, description="Who wrote it")
    code: str = Field(description="Why it was refused")
    kind: str = Field(description="What it was to be")
    text: str
    written_at: datetime = Field(sa_type=Moment)


async def keep(session: AsyncSession, refused: RefusedText, danger: CaseDanger, now: datetime) -> None:
    """Keep a refused text in the open case about its author, and call those who may decide it."""
    case, is_new = await cases.open_on_member(session, refused.persona_id, Category.RISK, now)
    await cases.note_danger(session, case, danger, now, is_new=is_new)
    this = col(KeptText.case_id) == case.id
    known = exists().where(this, col(KeptText.text) == refused.text)
    counted = select(func.count(), known).select_from(KeptText).where(this)
    count, is_known = (await session.execute(counted)).one()
    if count >= MOST_KEPT or is_known:
        return
    kept = KeptText(
        case_id=case.id,
        persona_id=refused.persona_id,
        code=refused.code,
        kind=refused.kind,
        text=refused.text,
        written_at=now,
    )
    session.add(kept)
    await session.flush()


def select_for_case(case_id: UUID) -> Query:
    """Return a select of the refused texts that a case keeps, oldest first."""
    return query(*columns(KeptText)).where(col(KeptText.case_id) == case_id).order_by(col(KeptText.id))


async def list_own(session: AsyncSession, viewer: Viewer) -> Sequence[Record]:
    """Return the viewer's own refused texts, for their copy of their data."""
    own = query(col(KeptText.kind), col(KeptText.code), col(KeptText.text), col(KeptText.written_at))
    theirs = own.where(is_persona_of(col(KeptText.persona_id), viewer.member_id)).order_by(col(KeptText.id))
    return (await session.execute(theirs)).all()


async def delete_old(session: AsyncSession, now: datetime) -> None:
    """Delete the texts of cases that were decided 90 days ago."""
    old = select(col(Case.id)).where(col(Case.decided_at) < now - KEPT_FOR)
    await session.execute(delete(KeptText).where(col(KeptText.case_id).in_(old)))
