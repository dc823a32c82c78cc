"""The page of the glossary, and the one on which administrators write it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from fastapi import Response
from pydantic import Field

from forum.content import glossary
from forum.content.glossary import MEANING_MAX, TERM_MAX, ListedTerm, TermWish
from forum.content.links import URL_MAX
from forum.core.errors import ForumError
from forum.http.fields import Line, Text
from forum.web.content.composer import FormNumber
from forum.web.forms import FormModel
from forum.web.languages import mark
from forum.web.pages import FormPage, Page
from forum.web.routing import page_router
from forum.web.visits import MemberForm, MemberVisit, Reading, Visit

router = page_router()


class TermForm(FormModel):
    """A word and what it means."""

    term: Annotated[Line, Field(max_length=TERM_MAX)]
    meaning: Annotated[Line, Field(max_length=MEANING_MAX)]
    see_url: Annotated[Text, Field(max_length=URL_MAX)] | None = None
    version: FormNumber | None = None  # of the meaning that is changed


class TermToRemove(FormModel):
    """A word that leaves the glossary."""

    term: Annotated[Line, Field(max_length=TERM_MAX)]


@dataclass(frozen=True, kw_only=True)
class GlossaryPage(Page):
    """What the abbreviations mean."""

    template: ClassVar[str] = "content/glossary.html"
    section: ClassVar[str] = "/glossary"

    terms: Sequence[ListedTerm]


@dataclass(frozen=True, kw_only=True)
class GlossaryToWritePage(FormPage):
    """The same with the form for another word."""

    template: ClassVar[str] = "content/glossary_to_write.html"
    section: ClassVar[str] = "/admin"

    terms: Sequence[ListedTerm]

    @property
    def seen(self) -> ListedTerm | None:
        """The word that was typed, where it is explained in another way: it stands on the page now."""
        is_refused = self.form.error is not None and self.form.error.code == "word_changed"
        return next((one for one in self.terms if is_refused and one.term == self.form.values.get("term")), None)


@router.get("/glossary")
async def show_glossary(visit: Reading) -> Response:
    """Show what the abbreviations in posts mean."""
    terms = await glossary.list_terms(visit.reader)
    return visit.show(GlossaryPage(title=visit.say(mark("What short words mean")), terms=terms, indexable=True))


@router.get("/admin/glossary")
async def show_glossary_to_write(visit: MemberVisit) -> Response:
    """Show the glossary with the form for another word."""
    return visit.show(await _page(visit))


@router.post("/admin/glossary")
async def explain_term(visit: MemberForm) -> Response:
    """Write down what a word means, or change that."""
    try:
        wanted = visit.form.parse(TermForm)
        wish = TermWish(wanted.meaning, wanted.see_url or None)
        written = await visit.act(glossary.explain_term, wanted.term, wish, wanted.version)
    except ForumError as error:
        return visit.show(await _page(visit.refusing(error)), 422)
    return visit.go("/admin/glossary", done="ordinary-word" if written.is_ordinary_word else "explained")


@router.post("/admin/glossary/removal")
async def remove_term(visit: MemberForm) -> Response:
    """Take a word out of the glossary."""
    await visit.act(glossary.remove_term, visit.form.parse(TermToRemove).term)
    return visit.go("/admin/glossary", done="term-removed")


async def _page(visit: Visit) -> GlossaryToWritePage:
    terms = await glossary.list_to_write(visit.reader, visit.viewer)
    return GlossaryToWritePage(title=visit.say(mark("What short words mean")), terms=terms, form=visit.form)
