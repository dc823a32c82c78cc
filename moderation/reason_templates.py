"""Templates for reasons: texts that moderators need often. Moderators of the whole forum write them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, count
from uuid import UUID

from sqlalchemy import CheckConstraint, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Field, SQLModel, col

from forum.core import audit
from forum.core.database import Moment, Record, columns, query
from forum.core.errors import NotFound
from forum.core.work import Work
from forum.members.viewer import Viewer
from forum.permissions import Refusal
from moderation.permissions import ModerationAct, allow, refusal

_WORD = re.compile("[a-z0-9]+")
_SLUG_ROOM = 40  # characters of a slug made from a title: room is left for a number


class ReasonTemplate(SQLModel, table=True):
    """A reason to begin from: the moderator changes it to fit and sends the result."""

    __tablename__ = "reason_template"
    __table_args__ = (CheckConstraint("slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND length(slug) <= 50", name="slug"),)

    slug: str = Field(primary_key=True)
    title: str
    text: str
    changed_at: datetime = Field(sa_type=Moment)
    changed_by: UUID = Field(foreign_key="member.id")


@dataclass(frozen=True)
class TemplateShelf:
    """Every template, by title, and why the viewer may not write any, if so."""

    templates: Sequence[Record]
    no_change_because: Refusal | None


async def read_shelf(work: Work, moderator: Viewer) -> TemplateShelf:
    """Return every template, and whether the viewer may write some. Raises Forbidden for whoever moderates nothing."""
    listed = await list_templates(work, moderator)
    return TemplateShelf(listed, refusal(ModerationAct.WRITE_TEMPLATES, moderator))


async def get_template(work: Work, author: Viewer, slug: str) -> Record:
    """Return a template to be changed. Raises Forbidden for whoever may not, and NotFound."""
    allow(ModerationAct.WRITE_TEMPLATES, author)
    this = query(*columns(ReasonTemplate)).where(col(ReasonTemplate.slug) == slug)
    row = (await work.session.execute(this)).one_or_none()
    if row is None:
        raise _no_template()
    return row


async def list_templates(work: Work, moderator: Viewer) -> Sequence[Record]:
    """Return every template, by title. Raises Forbidden for whoever moderates nothing."""
    allow(ModerationAct.SEE_QUEUE, moderator)
    listed = query(*columns(ReasonTemplate)).order_by(col(ReasonTemplate.title), col(ReasonTemplate.slug))
    return (await work.session.execute(listed)).all()


async def write_template(work: Work, author: Viewer, slug: str, title: str, words: str) -> ReasonTemplate:
    """Write a template, or replace the one with this slug. Raises Forbidden."""
    allow(ModerationAct.WRITE_TEMPLATES, author)
    values = {"title": title, "text": words, "changed_at": work.now, "changed_by": author.member_id}
    row = insert(ReasonTemplate).values(slug=slug, **values)
    await work.session.execute(row.on_conflict_do_update(index_elements=[col(ReasonTemplate.slug)], set_=values))
    await _record(work, author, "template.written", slug)
    return await work.session.get_one(ReasonTemplate, slug, populate_existing=True)


async def add_template(work: Work, author: Viewer, title: str, words: str) -> ReasonTemplate:
    """Write a template that is new: its slug is made from its title. Raises Forbidden."""
    taken = set((await work.session.execute(select(col(ReasonTemplate.slug)))).scalars())
    base = "-".join(_WORD.findall(title.lower()))[:_SLUG_ROOM].strip("-") or "template"
    slug = next(slug for slug in chain([base], (f"{base}-{number}" for number in count(2))) if slug not in taken)
    return await write_template(work, author, slug, title, words)


async def delete_template(work: Work, author: Viewer, slug: str) -> None:
    """Delete a template. Raises Forbidden, and NotFound when there is none with this slug."""
    allow(ModerationAct.WRITE_TEMPLATES, author)
    this = delete(ReasonTemplate).where(col(ReasonTemplate.slug) == slug).returning(col(ReasonTemplate.slug))
    if (await work.session.execute(this)).first() is None:
        raise _no_template()
    await _record(work, author, "template.discarded", slug)


def _no_template() -> NotFound:
    return NotFound("There is no such template.", code="template_not_found")


async def _record(work: Work, author: Viewer, act: str, slug: str) -> None:
    subject = ("template", slug)
    await audit.record(work.session, actor_id=author.id, act=act, subject=subject, now=work.now)
