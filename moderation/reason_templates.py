"""Templates: reasons that moderators need often, written once and well."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.core import audit
from forum.core.database import Moment, Query, columns, query
from forum.core.errors import NotFound
from forum.members.viewer import Viewer


class Template(SQLModel, table=True):
    """A reason to begin from; what is sent is what the moderator makes of it."""

    __tablename__ = "reason_template"
    __table_args__ = (CheckConstraint("slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND length(slug) <= 50", name="slug"),)

    slug: str = Field(primary_key=True)
    title: str
    text: str
    changed_at: datetime = Field(sa_type=Moment)
    changed_by: UUID = Field(foreign_key="member.id")


def listed() -> Query:
    """Every template, by title."""
    return query(*columns(Template)).order_by(col(Template.title), col(Template.slug))


async def write(
    session: AsyncSession, administrator: Viewer, slug: str, title: str, words: str, now: datetime
) -> Template:
    """Write a template, or write it anew."""
    said = {"title": title, "text": words, "changed_at": now, "changed_by": administrator.member_id}
    row = insert(Template).values(slug=slug, **said)
    await session.execute(row.on_conflict_do_update(index_elements=[col(Template.slug)], set_=said))
    await audit.record(session, actor_id=administrator.id, act="template.written", subject=("template", slug), now=now)
    return await session.get_one(Template, slug, populate_existing=True)


async def discard(session: AsyncSession, administrator: Viewer, slug: str, now: datetime) -> None:
    """Take a template out of use; NotFound when there is none such."""
    gone = await session.execute(delete(Template).where(col(Template.slug) == slug).returning(col(Template.slug)))
    if gone.first() is None:
        raise NotFound("There is no such template.")
    await audit.record(
        session, actor_id=administrator.id, act="template.discarded", subject=("template", slug), now=now
    )
