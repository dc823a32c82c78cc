"""The tables of reactions and of their counts."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint
from sqlmodel import Field, SQLModel

from forum.core.database import Moment, check_one_of


class ReactionKind(StrEnum):
    """What somebody says with a reaction."""

    THANK = "thank"
    HUG = "hug"
    HELPFUL = "helpful"
    SAME_HERE = "same_here"


# Who said it is nobody's to know: "same here" below what somebody tells about themselves tells the same of its sender.
UNNAMED = frozenset({ReactionKind.SAME_HERE})


class Reaction(SQLModel, table=True):
    """That somebody reacted to a post; of each kind once."""

    __table_args__ = (check_one_of("kind", ReactionKind),)

    post_id: int = Field(primary_key=True, sa_type=BigInteger, foreign_key="post.id")
    persona_id: UUID = Field(primary_key=True, foreign_key="persona.id", index=True)
    kind: str = Field(primary_key=True)
    reacted_at: datetime = Field(sa_type=Moment)


class ReactionCount(SQLModel, table=True):
    """How many reactions of each kind a post has. Triggers keep it: see `migrations/versions/0032_reactions.py`.

    Beside the post and not in its row, which is long: PostgreSQL would write all of it again for each hug. One row and
    not one for each kind: each page reads it for each of its posts.
    """

    __tablename__ = "reaction_count"
    __table_args__ = (
        CheckConstraint(" AND ".join(f"{kind} >= 0" for kind in ReactionKind), name="counts"),
        {"postgresql_with": {"fillfactor": 80}},
    )

    post_id: int = Field(primary_key=True, sa_type=BigInteger, foreign_key="post.id")
    thank: int
    hug: int
    helpful: int
    same_here: int
