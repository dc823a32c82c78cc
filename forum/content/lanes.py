"""Which posts wait for an adviser: those that ask, and below them the news of whoever opened the thread.

Pure functions. Words are a guess; the member's own answer to "Are you asking something?" decides.
"""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources

import re2

from forum.content.words import own_lines

NEWS_WORDS = 25  # news has at least so many words; what is shorter is a greeting or a joke
NEWS_DAYS = 5  # working days after which news is no longer shown


class Lane(StrEnum):
    """What a post wants: an answer, or to be read."""

    ASKED = "asked"
    NEWS = "news"


@dataclass(frozen=True)
class PostPlace:
    """Where a member's post stands in its thread."""

    is_first: bool = False  # it opens the thread
    by_opener: bool = False  # whoever wrote it opened the thread
    to_adviser: bool = False  # it answers an adviser's post, or names an adviser
    is_newcomer_here: bool = False  # whoever wrote it had not written in the thread before


def lane_of(body_markdown: str, place: PostPlace, asks: bool | None) -> Lane | None:
    """Return the lane in which a member's post puts its thread; `asks` is what its author said of it, or None."""
    if asks is not None:
        return Lane.ASKED if asks else None
    if place.is_first:
        return Lane.ASKED
    if (place.by_opener or place.to_adviser or place.is_newcomer_here) and asks_something(body_markdown):
        return Lane.ASKED
    return Lane.NEWS if place.by_opener and is_news(body_markdown) else None


def asks_something(body_markdown: str) -> bool:
    """Return whether somebody's own words, without what they quote, ask something."""
    text = _own_words(body_markdown)
    if _MARK.search(text) and any(_is_question(sentence) for sentence in _SENTENCE.findall(text)):
        return True
    # Most posts have none of the words anywhere, which google-re2 says in a tenth of the time; it knows no letters
    # beyond ASCII. What else is beyond, such as emoji, is in none of the words.
    is_likely = bool(not text.isascii() and _FOREIGN.search(text)) or bool(
        _LIKELY.search(text.encode("ascii", "replace"))
    )
    return is_likely and bool(_ASKING.search(text))


def is_news(body_markdown: str) -> bool:
    """Return whether somebody's own words tell something that an adviser may want to read, and are no thanks."""
    text = _own_words(body_markdown)
    return len(text.split()) >= NEWS_WORDS and not _THANKS.search(text)


def _listed(name: str) -> Iterable[str]:
    return [words for language in _WORDS.values() for words in language[name]]


def _any_of(words: Iterable[str]) -> str:
    return "|".join(re.escape(one).replace(r"\ ", r"\s{1,3}") for one in sorted(words, key=len, reverse=True))


_WORDS = tomllib.loads(resources.files("forum.content").joinpath("asking_words.toml").read_text(encoding="utf-8"))
# Bounded, and begun only where a sentence can begin: else 20,000 characters without an end take a second.
_BEGINS = r"(?:^|[.,;:!?()\n\u2013\u2014-]\s{0,3}|\b(?:and|but|so|or|also|plus|then|ond|felly|neu)\s{1,3})"
_ASKING = re.compile(rf"{_BEGINS}(?:{_any_of(_listed('asking'))})\b", re.IGNORECASE)
_LIKELY = re2.compile(f"(?is){_any_of(_listed('asking'))}".replace(r"\s", ".").encode())
_FOREIGN = re.compile(r"[^\W\d_a-zA-Z]")
_QUESTION = re.compile(rf"{_BEGINS}(?:{_any_of(_listed('question'))})\b", re.IGNORECASE)
_THANKS = re.compile(rf"\b(?:{_any_of([*_listed('thanks'), *_listed('quiet')])})\b|شكر", re.IGNORECASE)
_SENTENCE = re.compile(r"(?:\A|(?<=[.!?؟？\n]))[^.!?؟？\n]*[?؟？][?!؟？]*")
_MARK = re.compile("[?؟？]")
_MARKS = re.compile(r"[?!؟？]+$")
_ADDRESS = re.compile(r"https?://\S+")
_APOSTROPHES = re.compile("['\u2019\u02bc`]")


def _is_question(sentence: str) -> bool:
    """Return whether a sentence with a question mark asks: with several, only where it begins like one."""
    marks = _MARKS.search(sentence)
    return marks is not None and (len(marks[0]) == 1 or bool(_QUESTION.search(sentence.strip())))


def _own_words(body_markdown: str) -> str:
    lines = "\n".join(body_markdown[start:end] for start, end in own_lines(body_markdown))
    return _APOSTROPHES.sub("", _ADDRESS.sub(" ", lines))
