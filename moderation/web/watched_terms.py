"""Pages of watched terms: read by moderators, tried and written by administrators."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, NamedTuple
from uuid import UUID

from fastapi import Response
from pydantic import Field, StringConstraints

from forum.core.errors import ForumError
from forum.http.fields import BoardSlug, Line, Text, Uuid
from forum.web.forms import Form, FormModel
from forum.web.languages import mark
from forum.web.routing import page_router
from forum.web.visits import MemberForm, MemberVisit, Visit
from moderation import watched_terms
from moderation.screening.finding import Effect
from moderation.screening.watched_terms import LONGEST_PATTERN, TermKind
from moderation.watched_terms import HELP_KINDS, SHOWN, TermDraft, TermReading, TermShelf, TermTrial
from moderation.web.pages import ModerationPage, status_of
from moderation.web.screening_notice import NAMES

router = page_router()

PATH = "/moderation/terms"
KINDS: Mapping[TermKind, str] = {
    TermKind.WORD: mark("A word"),
    TermKind.PHRASE: mark("Several words"),
    TermKind.PATTERN: mark("A pattern"),
}
EFFECTS: Mapping[Effect, str] = {
    Effect.POINT_OUT: mark("It is pointed out: somebody looks when there is time"),
    Effect.CASE: mark("A moderator decides about it"),
    Effect.HOLD: mark("A moderator reads it before it appears"),
    Effect.HELP: mark("Its author is shown who helps"),
}
HELPS: Mapping[str, str] = {
    "attempt": mark("Help for who has taken something or hurt themselves"),
    "child_in_danger": mark("Help for who fears for a child"),
    "danger": mark("Help for who is in danger of another person"),
    "suicide": mark("Help for who thinks of ending their life"),
    "self_harm": mark("Help for who hurts themselves"),
    "carer": mark("Help for who worries about another"),
    "disclosure": mark("Help for whom a child told something"),
}


class TermForm(FormModel):
    """A term as an administrator writes it."""

    kind: TermKind
    text: Annotated[Line, StringConstraints(min_length=1, max_length=LONGEST_PATTERN)]
    effect: Effect
    boards: Annotated[list[BoardSlug], Field(max_length=100)]
    in_names: bool = False
    note: Annotated[Text, StringConstraints(max_length=1000)] = ""
    help_kind: Annotated[Text, StringConstraints(max_length=40)] | None = None

    @property
    def draft(self) -> TermDraft:
        """The term as the domain takes it."""
        return TermDraft(**self.model_dump(include=set(TermDraft.__dataclass_fields__)))


class ChangeForm(TermForm):
    """The same, with the version that was on the screen."""

    version: Annotated[int, Field(ge=1, lt=2**31)]


class Choices(NamedTuple):
    """What can be chosen in the form of a term, in the language of the page."""

    kinds: Sequence[tuple[str, str]]
    effects: Sequence[tuple[str, str]]
    helps: Sequence[tuple[str, str]]
    boards: Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class TermsPage(ModerationPage):
    """The terms, how often each recogniser was right, and the form for a new one."""

    template: ClassVar[str] = "moderation/terms.html"
    term_kinds: ClassVar[Mapping[TermKind, str]] = KINDS
    effects: ClassVar[Mapping[Effect, str]] = EFFECTS
    recogniser_names: ClassVar[Mapping[str, str]] = NAMES

    shelf: TermShelf
    choices: Choices
    trial: TermTrial | None = None


@dataclass(frozen=True, kw_only=True)
class TermPage(TermsPage):
    """A term in every version, and the form for the next."""

    template: ClassVar[str] = "moderation/term.html"

    @property
    def newest(self) -> TermReading:
        """The version that counts."""
        return self.shelf.terms[0]


@router.get(PATH)
async def show_terms(visit: MemberVisit) -> Response:
    """Show the terms that are watched for."""
    return visit.show(await _shelf_page(visit))


@router.post(PATH)
async def add_term(visit: MemberForm) -> Response:
    """Watch for a new term."""
    try:
        wanted = visit.form.parse(TermForm)
        await watched_terms.add_term(visit.transactions, visit.viewer, wanted.draft)
    except ForumError as error:
        return visit.show(await _shelf_page(visit.refusing(error)), status_of(error))
    return visit.go(PATH, done="saved")


@router.post(f"{PATH}/trial")
async def try_term(visit: MemberForm) -> Response:
    """Show what a term would have caught, before it is watched for."""
    try:
        draft = visit.form.parse(TermForm).draft
        shelf, trial = await watched_terms.read_trial(visit.transactions, visit.viewer, draft)
    except ForumError as error:
        return visit.show(await _shelf_page(visit.refusing(error)), status_of(error))
    return visit.show(replace(_page_of_shelf(visit, shelf), trial=trial))


@router.get(f"{PATH}/{{id}}")
async def show_term(id: Uuid, visit: MemberVisit) -> Response:
    """Show every version of a term, and the form to change it."""
    return visit.show(await _term_page(visit, id))


@router.post(f"{PATH}/{{id}}")
async def write_term(id: Uuid, visit: MemberForm) -> Response:
    """Change a term, or watch for it again."""
    try:
        wanted = visit.form.parse(ChangeForm)
        await watched_terms.write_term(visit.transactions, visit.viewer, id, wanted.version, wanted.draft)
    except ForumError as error:
        return visit.show(await _term_page(visit.refusing(error), id), status_of(error))
    return visit.go(PATH, done="saved")


@router.post(f"{PATH}/{{id}}/trial")
async def try_change(id: Uuid, visit: MemberForm) -> Response:
    """Show what a term would have caught as it is changed."""
    try:
        draft = visit.form.parse(TermForm).draft
        shelf, trial = await watched_terms.read_trial(visit.transactions, visit.viewer, draft, id)
    except ForumError as error:
        return visit.show(await _term_page(visit.refusing(error), id), status_of(error))
    return visit.show(replace(_page_of_term(visit, shelf), trial=trial))


@router.post(f"{PATH}/{{id}}/off")
async def switch_off(id: Uuid, visit: MemberForm) -> Response:
    """No longer watch for a term."""
    await watched_terms.switch_off(visit.transactions, visit.viewer, id)
    return visit.go(PATH, done="term-off")


async def _shelf_page(visit: Visit) -> TermsPage:
    shelf = await visit.act(watched_terms.read_terms, visit.query("after") or None, SHOWN)
    return _page_of_shelf(visit, shelf)


async def _term_page(visit: Visit, term_id: UUID) -> TermPage:
    return _page_of_term(visit, await visit.act(watched_terms.read_term, term_id))


def _page_of_shelf(visit: Visit, shelf: TermShelf) -> TermsPage:
    return TermsPage(title=visit.say("Watched terms"), shelf=shelf, form=visit.form, choices=_choices(visit, shelf))


def _page_of_term(visit: Visit, shelf: TermShelf) -> TermPage:
    form = visit.form if visit.form.values else _form_of(shelf.terms[0])
    return TermPage(title=visit.say("A watched term"), shelf=shelf, form=form, choices=_choices(visit, shelf))


def _form_of(reading: TermReading) -> Form:
    """Return the form as the newest version fills it in."""
    row = reading.row
    names = {"in_names": ("true",)} if row.in_names else {}
    return Form(
        {"kind": row.kind, "text": row.text, "effect": row.effect, "note": row.note, "help_kind": row.help_kind or ""},
        {"boards": tuple(reading.boards), **names},
    )


def _choices(visit: Visit, shelf: TermShelf) -> Choices:
    helps = [(kind, visit.say(HELPS[kind])) for kind in HELP_KINDS]
    return Choices(
        kinds=[(str(kind), visit.say(words)) for kind, words in KINDS.items()],
        effects=[(str(effect), visit.say(words)) for effect, words in EFFECTS.items()],
        helps=[("", visit.say(mark("None"))), *helps],
        boards=[(board.slug, board.name) for board in shelf.boards],
    )
