"""Advisers: the people of an organisation whose replies stand out, and their badge."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Field, SQLModel, col

from forum.core.database import Moment, Prepared, query
from forum.members.queries import public_cards
from forum.members.tables import Member


class Adviser(SQLModel, table=True):
    """Whom an adviser speaks for. A post keeps a copy of it as it was when the post was written."""

    member_id: UUID = Field(primary_key=True, foreign_key="member.id", ondelete="CASCADE")
    title: str
    organisation: str
    since: datetime = Field(sa_type=Moment)


@dataclass(frozen=True, slots=True)
class Badge:
    """What a reader sees beside an adviser's words."""

    name: str
    title: str
    organisation: str


# The advisers of today, by name.
CURRENT = Prepared(
    query(Member.handle, Member.name, Adviser.title, Adviser.organisation, Adviser.since)
    .join(Member, col(Member.id) == col(Adviser.member_id))
    .order_by(col(Member.name), col(Member.id))
)


# The public cards of the members `handles`, with the title and organisation of those who are advisers.
CARDS = Prepared(
    public_cards()
    .add_columns(col(Adviser.title).label("adviser_title"), col(Adviser.organisation).label("adviser_organisation"))
    .outerjoin(Adviser, col(Adviser.member_id) == col(Member.id))
)
