"""Pages of templates of answers: all those of an organisation, and the form to change one."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any, ClassVar

from fastapi import Response
from pydantic import Field

from forum.advising import answer_templates
from forum.advising.answer_templates import TEXT_MAX, TITLE_MAX, TemplateWords
from forum.core.errors import Busy, ForumError, NotFound
from forum.core.idempotency import MemberKey
from forum.http.fields import Line, Uuid, Words
from forum.web.content.composer import FormNumber
from forum.web.forms import FormModel
from forum.web.pages import FormPage
from forum.web.routing import page_router
from forum.web.visits import MemberForm, MemberVisit, Visit

router = page_router()


class NewTemplateForm(FormModel):
    """What a new template shall say."""

    title: Annotated[Line, Field(min_length=1, max_length=TITLE_MAX)]
    text: Annotated[Words, Field(min_length=1, max_length=TEXT_MAX)]

    @property
    def words(self) -> TemplateWords:
        """What was typed, as the action takes it."""
        return TemplateWords(self.title, self.text)


class ChangedTemplateForm(NewTemplateForm):
    """What a template shall say from now on, and which was on the screen."""

    version: FormNumber


class DeletedTemplateForm(FormModel):
    """Which template was on the screen."""

    version: FormNumber


@dataclass(frozen=True, kw_only=True)
class AnswerTemplatesPage(FormPage):
    """Every template of an organisation, and the form for a new one."""

    template: ClassVar[str] = "advising/answer_templates.html"
    section: ClassVar[str] = "/advising"
    is_own: ClassVar[bool] = True
    has_tools: ClassVar[bool] = True

    templates: Sequence[Any]


@dataclass(frozen=True, kw_only=True)
class AnswerTemplatePage(FormPage):
    """The form to change a template, and the button to delete it."""

    template: ClassVar[str] = "advising/answer_template.html"
    section: ClassVar[str] = "/advising"
    is_own: ClassVar[bool] = True
    has_tools: ClassVar[bool] = True

    answer: Any


@router.get("/advising/templates")
async def show_answer_templates(visit: MemberVisit) -> Response:
    """Show every template of one's organisation."""
    return visit.show(await _shelf_page(visit))


@router.post("/advising/templates")
async def add_answer_template(visit: MemberForm) -> Response:
    """Write a template for one's organisation."""
    try:
        words = visit.form.parse(NewTemplateForm).words
        await visit.act(answer_templates.add_template, words, repeat=_repeat_of(visit, words))
    except (Busy, NotFound):
        pass  # sent twice: it is stored at this moment, or somebody deleted it since
    except ForumError as error:
        return visit.show(await _shelf_page(visit.refusing(error)), 422)
    return visit.go("/advising/templates", done="template-kept")


@router.get("/advising/templates/{id}")
async def show_answer_template(id: Uuid, visit: MemberVisit) -> Response:
    """Show the form to change a template."""
    return visit.show(await _template_page(visit, id))


@router.post("/advising/templates/{id}")
async def change_answer_template(id: Uuid, visit: MemberForm) -> Response:
    """Give a template other words."""
    try:
        wanted = visit.form.parse(ChangedTemplateForm)
        await visit.act(answer_templates.change_template, id, wanted.version, wanted.words)
    except ForumError as error:
        return visit.show(await _template_page(visit.refusing(error), id), 422)
    return visit.go("/advising/templates", done="saved")


@router.post("/advising/templates/{id}/delete")
async def delete_answer_template(id: Uuid, visit: MemberForm) -> Response:
    """Delete a template."""
    try:
        wanted = visit.form.parse(DeletedTemplateForm)
        await visit.act(answer_templates.delete_template, id, wanted.version)
    except ForumError as error:
        return visit.show(await _template_page(visit.refusing(error), id), 422)
    return visit.go("/advising/templates", done="answer-template-deleted")


def _repeat_of(visit: Visit, words: TemplateWords) -> MemberKey:
    """Return the key of a new template: the same words below the same list on the screen are the same template."""
    said = "\0".join((visit.form.values.get("seen", ""), words.title, words.text))
    digest = sha256(said.encode()).hexdigest()
    return MemberKey(visit.viewer.member_id, visit.request.url.path, digest, digest.encode())


async def _shelf_page(visit: Visit) -> AnswerTemplatesPage:
    templates = await visit.act(answer_templates.list_templates)
    return AnswerTemplatesPage(title=visit.say("Templates for answers"), templates=templates, form=visit.form)


async def _template_page(visit: Visit, template_id: Any) -> AnswerTemplatePage:
    answer = await visit.act(answer_templates.get_template, template_id)
    return AnswerTemplatePage(title=visit.say("Change a template"), answer=answer, form=visit.form)
