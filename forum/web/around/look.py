"""The page on which one chooses how pages look on this device: without an account."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import urlencode

from fastapi import Response

from forum.web import look
from forum.web.languages import NAMES, mark
from forum.web.look import Look
from forum.web.pages import Page
from forum.web.routing import page_router
from forum.web.visits import Reading, ReadingForm, own_path

router = page_router()

# The questions, and the words of each choice; the languages are those of the forum.
WORDS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "size": (
        mark("How large should the text be?"),
        {"": mark("As large as this device has it"), "large": mark("Larger"), "larger": mark("Much larger")},
    ),
    "colours": (
        mark("Which colours should pages have?"),
        {"": mark("Those of this device"), "light": mark("Light, for the day"), "dark": mark("Dark, for the night")},
    ),
    "titles": (
        mark("What should tabs and the browser’s history say?"),
        {"": mark("What the page is about"), "neutral": mark("Only “Page”, so that nobody can see what you read")},
    ),
}
HINTS: Mapping[str, str] = {
    "titles": mark(
        "Plain titles help when somebody looks over your shoulder. With several tabs open, or with a screen reader, "
        "they make pages harder to tell apart."
    )
}


@dataclass(frozen=True)
class Question:
    """One question with its choices: value, words, whether it is chosen, and the language of the words; and a hint."""

    name: str
    words: str
    choices: tuple[tuple[str, str, bool, str], ...]
    hint: str = ""


@dataclass(frozen=True, kw_only=True)
class LookPage(Page):
    """How pages look on this device."""

    template: ClassVar[str] = "around/look.html"
    has_tools: ClassVar[bool] = True
    is_own: ClassVar[bool] = True

    questions: tuple[Question, ...]
    back: str


@router.get("/look")
async def show_look(visit: Reading) -> Response:
    """Show how pages look, and what else they can look like. A link can propose a language."""
    language = visit.query("language")
    offered = visit.settings.languages
    wanted = language if language in offered else visit.language.code
    questions = [
        Question(
            name,
            visit.say(asked),
            tuple(_choices(visit.look, name, {k: visit.say(v) for k, v in words.items()})),
            visit.say(HINTS[name]) if name in HINTS else "",
        )
        for name, (asked, words) in WORDS.items()
    ]
    if len(offered) > 1:
        choices = tuple((code, NAMES[code], code == wanted, code) for code in offered)
        asked = Question("language", visit.say(mark("Which language should pages be in?")), choices)
        questions = [asked, *questions] if language else [*questions, asked]
    back = own_path(visit.query("back"))
    return visit.show(LookPage(title=visit.say(mark("How pages look")), questions=tuple(questions), back=back))


@router.post("/look")
async def keep_look(visit: ReadingForm) -> Response:
    """Keep how pages look on this device, and go back."""
    chosen = look.chosen(dict(visit.form.values), visit.settings.languages)
    response = visit.go("/look?" + urlencode({"back": own_path(visit.form.values.get("back", ""))}), done="looks")
    look.keep(response, chosen)
    return response


def _choices(current: Look, name: str, words: Mapping[str, str]) -> list[tuple[str, str, bool, str]]:
    return [(value, said, getattr(current, name) == value, "") for value, said in words.items()]
