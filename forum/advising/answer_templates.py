"""Templates of answers: texts that the advisers of one organisation need often, with placeholders.

Whoever speaks for an organisation writes and reads those of it; moderators and administrators speak for none. They are
texts of the organisation: they stay when their writer leaves.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.content import composing, drafts
from forum.content.composing import ReplyComposing
from forum.content.drafts import SavedDraft, Saving
from forum.content.placeholders import fill, refuse_unknown
from forum.content.posts.context import context_in_thread
from forum.content.posts.draft import NO_WORDS
from forum.content.posts.queries import find_post_by_number
from forum.core import audit
from forum.core.database import Moment, Record, columns, new_id, query
from forum.core.errors import Conflict, Forbidden, Invalid, NotFound
from forum.core.gate import PostAuthor, Submission
from forum.core.idempotency import Repeat
from forum.core.work import Work
from forum.members.advisers import Adviser
from forum.members.queries import changed_since
from forum.members.viewer import Viewer
from forum.permissions import Act, Refusal, allow, why_not

TITLE_MAX, TEXT_MAX = 120, 5000
MOST = 200  # of one organisation: a list of all of them is still looked through
# Held until the commit by whoever adds one: two at once would each see room for one more.
_ONE_AT_A_TIME = text("LOCK TABLE answer_template IN SHARE ROW EXCLUSIVE MODE")


class AnswerTemplate(SQLModel, table=True):
    """An answer to begin from: the adviser fills it in, changes it to fit, and sends the result."""

    __tablename__ = "answer_template"
    __table_args__ = (
        CheckConstraint(f"char_length(title) BETWEEN 1 AND {TITLE_MAX}", name="title"),
        CheckConstraint(f"char_length(text) BETWEEN 1 AND {TEXT_MAX}", name="text"),
        Index("ix_answer_template_shelf", "organisation", "title", "id"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    organisation: str = Field(description="As the badge of its advisers names it")
    version: int = 1
    title: str
    text: str
    changed_at: datetime = Field(sa_type=Moment)
    changed_by: UUID = Field(foreign_key="member.id")


@dataclass(frozen=True)
class TemplateWords:
    """What a template shall say."""

    title: str
    text: str


@dataclass(frozen=True)
class ReplyWithTemplates:
    """What is needed to write a reply, with the templates that one may begin with."""

    composing: ReplyComposing
    templates: Sequence[Record]


# Queries


def why_no_templates(viewer: Viewer) -> Refusal | None:
    """Return why the viewer has no templates, or None."""
    return why_not(Act.USE_ANSWER_TEMPLATES, viewer)


async def list_templates(work: Work, adviser: Viewer) -> Sequence[Record]:
    """Return the templates of the adviser's organisation, by title. Raises Forbidden."""
    organisation = await _organisation_of(work, adviser)
    listed = query(*columns(AnswerTemplate)).where(col(AnswerTemplate.organisation) == organisation)
    ordered = listed.order_by(col(AnswerTemplate.title), col(AnswerTemplate.id))
    return (await work.session.execute(ordered)).all()


async def get_template(work: Work, adviser: Viewer, template_id: UUID) -> AnswerTemplate:
    """Return a template of the adviser's organisation. Raises Forbidden, and NotFound."""
    organisation = await _organisation_of(work, adviser)
    found = await work.session.get(AnswerTemplate, template_id)
    if found is None or found.organisation != organisation:
        raise _no_template()
    return found


async def read_reply(
    work: Work, author: Viewer, thread_id: int, answering: int | None, *, looks: bool
) -> ReplyWithTemplates:
    """Return what a page needs to write a reply, with the templates of whoever has some. Raises NotFound."""
    read = await composing.read_reply(work, author, thread_id, answering, looks=looks)
    return ReplyWithTemplates(read, [] if why_no_templates(author) else await list_templates(work, author))


# Actions


async def add_template(
    work: Work, adviser: Viewer, words: TemplateWords, *, repeat: Repeat | None = None
) -> AnswerTemplate:
    """Write a template for one's organisation. A `repeat` returns the template that it made.

    Raises Forbidden, Conflict when there are too many, Invalid for an unknown placeholder and for words that the gate
    would hold, NotFound where the template of a repeat is deleted, and what `Repeat.earlier` raises.
    """
    organisation = await _organisation_of(work, adviser)
    if repeat and (earlier := await repeat.earlier(work)):
        return await get_template(work, adviser, UUID(earlier))
    await _check(work, adviser, words)
    await work.session.execute(_ONE_AT_A_TIME)
    shelf = select(func.count()).where(col(AnswerTemplate.organisation) == organisation)
    if (await work.session.execute(shelf)).scalar_one() >= MOST:
        raise Conflict(f"Your organisation has {MOST} templates. Delete one first.", code="too_many_templates")
    template = AnswerTemplate(
        organisation=organisation,
        title=words.title,
        text=words.text,
        changed_at=work.now,
        changed_by=adviser.member_id,
    )
    work.session.add(template)
    await work.session.flush()
    if repeat:
        await repeat.keep(work, template.id)
    await _record(work, adviser, "answer_template.written", template.id)
    return template


async def change_template(
    work: Work, adviser: Viewer, template_id: UUID, version: int, words: TemplateWords
) -> AnswerTemplate:
    """Give a template other words. Idempotent: where it has them already, nothing changes, whatever the version.

    Raises Forbidden, NotFound, Stale, and Invalid as `add_template` does.
    """
    await _check(work, adviser, words)
    template = await _lock_template(work, adviser, template_id)
    if words == TemplateWords(template.title, template.text):
        return template
    await _refuse_stale(work.session, template, version)
    template.title, template.text, template.version = words.title, words.text, version + 1
    template.changed_at, template.changed_by = work.now, adviser.member_id
    await work.session.flush()
    await _record(work, adviser, "answer_template.changed", template_id)
    return template


async def delete_template(work: Work, adviser: Viewer, template_id: UUID, version: int) -> None:
    """Delete a template. Raises Forbidden, NotFound, and Stale when it has other words by now."""
    template = await _lock_template(work, adviser, template_id)
    await _refuse_stale(work.session, template, version)
    await work.session.execute(delete(AnswerTemplate).where(col(AnswerTemplate.id) == template_id))
    await _record(work, adviser, "answer_template.deleted", template_id)


async def keep_with_template(
    work: Work, author: Viewer, thread_id: int, saving: Saving, *, template_id: UUID | None
) -> SavedDraft:
    """Keep a reply with the words of a template below what is written already.

    Where no template is chosen or it is gone, what is written is kept with that as the reason. Raises Forbidden, and
    what `drafts.save_reply` raises.
    """
    context = await context_in_thread(work, author, thread_id, NO_WORDS)
    allow(Act.USE_ANSWER_TEMPLATES, author)
    try:
        template = await get_template(work, author, template_id) if template_id else None
    except NotFound as error:
        return await drafts.save_reply(work, author, thread_id, _with_fault(saving, error.code))
    if template is None:
        return await drafts.save_reply(work, author, thread_id, _with_fault(saving, "not_chosen"))
    answered = await find_post_by_number(work.session, author, thread_id, saving.words.reply_to or 1)
    words = fill(template.text, name=answered.author_name if answered else None, board=context.board.name)
    written = saving.words.body_markdown.rstrip()
    if words not in written:  # the button was pressed twice
        written = f"{written}\n\n{words}".lstrip()
    whole = replace(saving, words=replace(saving.words, body_markdown=written), refused=None)
    return await drafts.save_reply(work, author, thread_id, whole)


async def _organisation_of(work: Work, adviser: Viewer) -> str:
    """Return for whom an adviser speaks. Raises Forbidden."""
    allow(Act.USE_ANSWER_TEMPLATES, adviser)
    found = select(col(Adviser.organisation)).where(col(Adviser.member_id) == adviser.member_id)
    organisation = (await work.session.execute(found)).scalar_one_or_none()
    if organisation is None:  # their role ended a moment ago
        raise Forbidden("Only advisers may do this.", code="not_an_adviser")
    return organisation


async def _check(work: Work, adviser: Viewer, words: TemplateWords) -> None:
    allow(Act.USE_ANSWER_TEMPLATES, adviser)
    refuse_unknown(words.text, "#/text")
    author = PostAuthor(adviser.member_id, adviser.is_staff, 0)
    judged = await work.gate.judge(work.session, Submission(author, (words.title, words.text)))
    if judged.held_because:
        raise Invalid(judged.held_because, "#/text", code="template_would_be_held")


async def _lock_template(work: Work, adviser: Viewer, template_id: UUID) -> AnswerTemplate:
    organisation = await _organisation_of(work, adviser)
    this = select(AnswerTemplate).where(
        col(AnswerTemplate.id) == template_id, col(AnswerTemplate.organisation) == organisation
    )
    template = (await work.session.execute(this.with_for_update())).scalar_one_or_none()
    if template is None:
        raise _no_template()
    return template


async def _refuse_stale(session: AsyncSession, template: AnswerTemplate, version: int) -> None:
    if template.version != version:
        raise await changed_since(
            session,
            "This template was changed while you were looking at it. Please read it again.",
            code="template_changed",
            current=template.version,
            by=template.changed_by,
            at=template.changed_at,
        )


def _with_fault(saving: Saving, code: str) -> Saving:
    fault = {"kind": Invalid.__name__, "code": code, "faults": {"template": code}, "policy": None, "until": None}
    return replace(saving, refused=fault)


def _no_template() -> NotFound:
    return NotFound("There is no such template.", code="template_not_found")


async def _record(work: Work, adviser: Viewer, act: str, template_id: UUID) -> None:
    subject = ("answer_template", str(template_id))
    await audit.record(work.session, actor_id=adviser.id, act=act, subject=subject, now=work.now)
