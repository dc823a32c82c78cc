"""The table of endorsements, and what readers see of them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, func, select
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by
from sqlmodel import Field, SQLModel, col

from forum.content.posts.tables import Post
from forum.core.database import Moment, json_object


class Endorsement(SQLModel, table=True):
    """That an adviser said that a revision of a post is right."""

    post_id: int = Field(primary_key=True, sa_type=BigInteger, foreign_key="post.id", ondelete="CASCADE")
    member_id: UUID = Field(primary_key=True, foreign_key="member.id", ondelete="CASCADE", index=True)
    revision: int
    name: str
    title: str
    organisation: str
    at: datetime = Field(sa_type=Moment)


# The badges of those who endorse a post as it is now; null where nobody does.
BADGES = (
    select(
        func.jsonb_agg(
            aggregate_order_by(json_object(Endorsement, "name", "title", "organisation"), col(Endorsement.at)),
            type_=JSONB,
        )
    )
    .where(col(Endorsement.post_id) == col(Post.id), col(Endorsement.revision) == col(Post.revision))
    .correlate(Post)
    .scalar_subquery()
)
