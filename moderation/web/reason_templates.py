"""Pages of templates: reasons that moderators need often."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from fastapi import Response
from pydantic import Field

from forum.core.errors import ForumError
from forum.http.fields import Line, Slug, Words
from forum.web.forms import FormModel
from forum.web.routing import page_router
from forum.web.visits import MemberForm, MemberVisit, Visit
from moderation import reason_templates
from moderation.reason_templates import TemplateShelf
from moderation.web.pages import ModerationPage, status_of

router = page_router()


class TemplateForm(FormModel):
    """What a template shall say."""

    title: Annotated[Line, Field(min_length=1, max_length=120)]
    text: Annotated[Words, Field(min_length=1, max_length=5000)]


@dataclass(frozen=True, kw_only=True)
class TemplatesPage(ModerationPage):
    """Every template, and the form for a new one."""

    template: ClassVar[str] = "moderation/templates.html"

    shelf: TemplateShelf


@dataclass(frozen=True, kw_only=True)
class TemplatePage(ModerationPage):
    """The form to change a template."""

    template: ClassVar[str] = "moderation/template.html"

    reason: Any


@router.get("/moderation/templates")
async def show_templates(visit: MemberVisit) -> Response:
    """Show every template."""
    return visit.show(await _shelf_page(visit))


@router.post("/moderation/templates")
async def add_template(visit: MemberForm) -> Response:
    """Write a template that is new."""
    try:
        wanted = visit.form.parse(TemplateForm)
        await visit.act(reason_templates.add_template, wanted.title, wanted.text)
    except ForumError as error:
        return visit.show(await _shelf_page(visit.refusing(error)), status_of(error))
    return visit.go("/moderation/templates", done="saved")


@router.get("/moderation/templates/{slug}")
async def show_template(slug: Slug, visit: MemberVisit) -> Response:
    """Show the form to change a template."""
    return visit.show(await _template_page(visit, slug))


@router.post("/moderation/templates/{slug}")
async def write_template(slug: Slug, visit: MemberForm) -> Response:
    """Give a template other words."""
    try:
        wanted = visit.form.parse(TemplateForm)
        await visit.act(reason_templates.write_template, slug, wanted.title, wanted.text)
    except ForumError as error:
        return visit.show(await _template_page(visit.refusing(error), slug), status_of(error))
    return visit.go("/moderation/templates", done="saved")


@router.post("/moderation/templates/{slug}/delete")
async def delete_template(slug: Slug, visit: MemberForm) -> Response:
    """Delete a template."""
    await visit.act(reason_templates.delete_template, slug)
    return visit.go("/moderation/templates", done="template-deleted")


async def _shelf_page(visit: Visit) -> TemplatesPage:
    shelf = await visit.act(reason_templates.read_shelf)
    return TemplatesPage(title=visit.say("Templates for reasons"), shelf=shelf, form=visit.form)


async def _template_page(visit: Visit, slug: str) -> TemplatePage:
    reason = await visit.act(reason_templates.get_template, slug)
    return TemplatePage(title=visit.say("Change a template"), reason=reason, form=visit.form)
