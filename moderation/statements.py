"""Statements of reasons: what an author is told of a decision. They never change.

The fields are those that article 17(3) of the EU Digital Services Act (Regulation 2022/2065) asks for: the
measure, where it holds and how long; the facts, and whether somebody's notice led to them; whether
anything was automated; the law, or the rule and why it was broken; the ways to have it looked at again.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, UniqueConstraint, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.core.database import Moment, Query, columns, new_id, query
from forum.members.viewer import Viewer


class Statement(SQLModel, table=True):
    """What one author is told of one decision. Database triggers refuse to change or delete it."""

    __tablename__ = "statement"
    __table_args__ = (
        UniqueConstraint("decision_id"),
        CheckConstraint("initiative IN ('report', 'hold', 'moderator')", name="initiative"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    decision_id: UUID = Field(foreign_key="decision.id")
    member_id: UUID = Field(foreign_key="member.id", index=True)
    post_id: int | None = Field(
        default=None, sa_type=BigInteger, foreign_key="post.id", description="The first that it is about, if any"
    )
    measures: list[dict[str, Any]] = Field(sa_type=JSONB, description="Each with its kind and until when it holds")
    excerpts: list[str] = Field(sa_type=JSONB, description="The words that it is about")
    reason: str = Field(description="The facts, and why the rule or law was broken, in the moderator's words")
    rules: list[dict[str, Any]] = Field(sa_type=JSONB, description="Number, version, title and text, as they stood")
    law: str | None = Field(description="For illegal content: the law")
    initiative: str = Field(description="Whether a report, a hold before publication or a moderator began it")
    automated_detection: bool
    automated_decision: bool
    issued_at: datetime = Field(sa_type=Moment)
    appeal_until: datetime = Field(sa_type=Moment)


def select_received(viewer: Viewer) -> Query:
    """Return a select of the statements that the viewer received, newest first."""
    return query(*columns(Statement)).where(col(Statement.member_id) == viewer.id).order_by(col(Statement.id).desc())


async def get_for_decision(session: AsyncSession, decision_id: UUID) -> Statement:
    """Return what the author was told of this decision."""
    return (await session.execute(select(Statement).where(col(Statement.decision_id) == decision_id))).scalar_one()


async def find_for_decision(session: AsyncSession, decision_id: UUID) -> Statement | None:
    """Return what the author was told of this decision, if anything."""
    found = await session.execute(select(Statement).where(col(Statement.decision_id) == decision_id))
    return found.scalar_one_or_none()


async def issue(session: AsyncSession, statement: Statement) -> Statement:
    """Save a statement: from here on it never changes."""
    session.add(statement)
    await session.flush()
    return statement
