"""The page of what a board does with what may show who somebody is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from fastapi import Response

from forum.core.errors import ForumError
from forum.http.fields import Slug
from forum.web.forms import FormModel, InvalidForm
from forum.web.pages import FormPage
from forum.web.routing import page_router
from forum.web.visits import MemberForm, MemberVisit, Visit
from moderation import detail_effects
from moderation.detail_effects import BoardEffects, Treatment
from moderation.screening.finding import DetailKind
from moderation.web import words
from moderation.web.pages import status_of

router = page_router()


class DetailsForm(FormModel):
    """What a board shall do with each kind."""

    kind: tuple[DetailKind, ...]
    effect: tuple[Treatment, ...]

    def wanted(self) -> Mapping[DetailKind, Treatment]:
        """Return what is wanted of each kind. Raises InvalidForm for a form that is not whole."""
        if len(self.kind) != len(self.effect):
            raise InvalidForm({"effect": "wrong_format"})
        return dict(zip(self.kind, self.effect, strict=True))


@dataclass(frozen=True, kw_only=True)
class DetailsPage(FormPage):
    """What a board does with each kind."""

    template: ClassVar[str] = "moderation/details.html"
    section: ClassVar[str] = "/admin"
    kinds: ClassVar[Mapping[str, str]] = words.DETAILS
    choices: ClassVar[Mapping[str, str]] = words.EFFECTS

    read: BoardEffects


@router.get("/admin/boards/{slug}/details")
async def show_details(slug: Slug, visit: MemberVisit) -> Response:
    """Show what a board does with what may show who somebody is."""
    return visit.show(await _page(visit, slug))


@router.post("/admin/boards/{slug}/details")
async def set_details(slug: Slug, visit: MemberForm) -> Response:
    """Choose what a board does with each kind."""
    try:
        await visit.act(detail_effects.set_effects, slug, visit.form.parse(DetailsForm).wanted())
    except ForumError as error:
        return visit.show(await _page(visit.refusing(error), slug), status_of(error))
    return visit.go(f"/admin/boards/{slug}/details", done="saved")


async def _page(visit: Visit, slug: str) -> DetailsPage:
    read = await visit.act(detail_effects.read_effects, slug)
    title = visit.say("What people are asked about on “%(name)s”", name=read.board.name)
    return DetailsPage(title=title, read=read, form=visit.form)
