"""The page of the phrases of danger: which are sought, a form to try and add one, and a switch for each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from fastapi import Response
from pydantic import Field

from forum.core.database import Record
from forum.core.errors import ForumError
from forum.http.fields import Line, Uuid
from forum.web.content.threads import place_of
from forum.web.forms import FormModel
from forum.web.languages import mark
from forum.web.routing import page_router
from forum.web.visits import MemberForm, MemberVisit, Visit
from moderation import crisis_phrases
from moderation.crisis_phrases import LONGEST, PhraseShelf, PhraseWish
from moderation.screening.finding import CrisisKind, Level
from moderation.web.pages import ModerationPage, status_of

router = page_router()

PATH = "/moderation/phrases"
KINDS: Mapping[CrisisKind, str] = {
    CrisisKind.SUICIDE: mark("Thoughts of suicide"),
    CrisisKind.SELF_HARM: mark("Self-harm"),
    CrisisKind.ATTEMPT: mark("Something was already done"),
    CrisisKind.DANGER: mark("Danger of another person"),
    CrisisKind.CHILD_IN_DANGER: mark("A child in danger"),
    CrisisKind.DISCLOSURE: mark("A child said that somebody hurts them"),
    CrisisKind.CARER: mark("Worry about the life of another"),
    CrisisKind.ENCOURAGEMENT: mark("Telling somebody to harm themselves"),
}
LEVELS: Mapping[Level, str] = {
    Level.WORRY: mark("It waits in the queue"),
    Level.ACUTE: mark("It calls people"),
}


class PhraseForm(FormModel):
    """A phrase to be sought."""

    kind: CrisisKind
    level: Level
    text: Annotated[Line, Field(min_length=1, max_length=LONGEST)]
    note: Annotated[Line, Field(max_length=500)]


class SwitchForm(FormModel):
    """Which phrase is to be switched."""

    phrase: Uuid


@dataclass(frozen=True, kw_only=True)
class PhrasesPage(ModerationPage):
    """Every phrase, by kind of danger, and the form for a new one."""

    template: ClassVar[str] = "moderation/phrases.html"
    danger_kinds: ClassVar[Mapping[CrisisKind, str]] = KINDS
    levels: ClassVar[Mapping[Level, str]] = LEVELS

    shelf: PhraseShelf
    kind_choices: Sequence[tuple[str, str]]
    level_choices: Sequence[tuple[str, str]]

    def place_of(self, post: Record) -> str:
        """Return the address of a post."""
        return place_of(post.thread_id, post.number)


@router.get(PATH)
async def show_phrases(visit: MemberVisit) -> Response:
    """Show every phrase."""
    return visit.show(await _page(visit))


@router.post(PATH)
async def add_phrase(visit: MemberForm) -> Response:
    """Have a phrase sought from now on."""
    try:
        await visit.act(crisis_phrases.add_phrase, _wish(visit))
    except ForumError as error:
        return visit.show(await _page(visit.refusing(error)), status_of(error))
    return visit.go(PATH, done="phrase-added")


@router.post(f"{PATH}/trial")
async def try_phrase(visit: MemberForm) -> Response:
    """Show in which of the newest posts a phrase would have been found."""
    try:
        shelf = await visit.act(crisis_phrases.read_shelf_with_trial, _wish(visit))
    except ForumError as error:
        return visit.show(await _page(visit.refusing(error)), status_of(error))
    return visit.show(_page_of(visit, shelf))


@router.post(f"{PATH}/off")
async def switch_off(visit: MemberForm) -> Response:
    """Have a phrase no longer sought."""
    await visit.act(crisis_phrases.switch, visit.form.parse(SwitchForm).phrase, is_off=True)
    return visit.go(PATH, done="phrase-off")


@router.post(f"{PATH}/on")
async def switch_on(visit: MemberForm) -> Response:
    """Have a phrase sought again."""
    await visit.act(crisis_phrases.switch, visit.form.parse(SwitchForm).phrase, is_off=False)
    return visit.go(PATH, done="phrase-on")


def _wish(visit: MemberForm) -> PhraseWish:
    return PhraseWish(**visit.form.parse(PhraseForm).model_dump())


async def _page(visit: Visit) -> PhrasesPage:
    return _page_of(visit, await visit.act(crisis_phrases.read_shelf))


def _page_of(visit: Visit, shelf: PhraseShelf) -> PhrasesPage:
    return PhrasesPage(
        title=visit.say("Words of danger"),
        shelf=shelf,
        kind_choices=[(str(kind), visit.say(words)) for kind, words in KINDS.items()],
        level_choices=[(str(level), visit.say(words)) for level, words in LEVELS.items()],
        form=visit.form,
    )
