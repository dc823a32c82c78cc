"""Advisers: people of an organisation whose replies stand out, and their badge."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Field, SQLModel, col

from forum.core.database import Moment, Prepared, Reader, query
from forum.members.tables import Member


class Adviser(SQLModel, table=True):
    """Whom an adviser speaks for. Each of their posts stores a copy, as it was when the post was written."""

    member_id: UUID = Field(primary_key=True, foreign_key="member.id", ondelete="CASCADE")
    title: str
    organisation: str
    since: datetime = Field(sa_type=Moment)


@dataclass(frozen=True, slots=True)
class Badge:
    """What readers see of an adviser: on the card, and beside each post."""

    name: str
    title: str
    organisation: str


_CURRENT = Prepared(
    query(Member.handle, Member.name, Adviser.title, Adviser.organisation, Adviser.since)
    .join(Member, col(Member.id) == col(Adviser.member_id))
    .order_by(col(Member.name), col(Member.id))
)


async def list_advisers(reader: Reader) -> Sequence[Any]:
    """Return the advisers of today, by name."""
    return await reader.rows(_CURRENT)
