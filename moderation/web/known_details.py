"""The page of what everybody may pass on: the charity's own numbers, and public figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar
from uuid import UUID

from fastapi import Response
from pydantic import Field

from forum.core.errors import ForumError
from forum.http.fields import Line
from forum.web.forms import FormModel
from forum.web.pages import FormPage
from forum.web.routing import page_router
from forum.web.visits import MemberForm, MemberVisit, Visit
from moderation import known_details
from moderation.known_details import NOTE_MAX, WORDS_MAX
from moderation.web.pages import status_of

router = page_router()


class KnownForm(FormModel):
    """Words that everybody may pass on."""

    words: Annotated[Line, Field(max_length=WORDS_MAX)]
    note: Annotated[Line, Field(max_length=NOTE_MAX)] | None = None


@dataclass(frozen=True, kw_only=True)
class KnownPage(FormPage):
    """What nobody is asked about, and the form for more."""

    template: ClassVar[str] = "moderation/known_details.html"
    section: ClassVar[str] = "/admin"

    known: Sequence[Any]


@router.get("/admin/known-details")
async def show_known(visit: MemberVisit) -> Response:
    """Show what nobody is asked about."""
    return visit.show(await _page(visit))


@router.post("/admin/known-details")
async def add_known(visit: MemberForm) -> Response:
    """Let everybody pass on these words."""
    try:
        wanted = visit.form.parse(KnownForm)
        await visit.act(known_details.add_known, wanted.words, wanted.note)
    except ForumError as error:
        return visit.show(await _page(visit.refusing(error)), status_of(error))
    return visit.go("/admin/known-details", done="saved")


@router.post("/admin/known-details/{id}/delete")
async def forget_known(id: UUID, visit: MemberForm) -> Response:
    """Have members be asked about these words again."""
    await visit.act(known_details.forget_known, id)
    return visit.go("/admin/known-details", done="saved")


async def _page(visit: Visit) -> KnownPage:
    known = await visit.act(known_details.list_known)
    return KnownPage(title=visit.say("What nobody is asked about"), known=known, form=visit.form)
