"""What becomes of a text, and what its caller says about the things that it names."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class How(StrEnum):
    """How exactly a text could be carried over; its words are all there in each case."""

    WORD_FOR_WORD = "word_for_word"
    WITHOUT_EMPHASIS = "without_emphasis"  # at one place at least, or at all
    PLAIN = "plain"  # quotes and lists are only told in words


class Loss(StrEnum):
    """What a text had and ours has not. Never a word."""

    UNDERLINE = "underline"
    COLOUR = "colour"
    SIZE = "size"
    ALIGNMENT = "alignment"
    EMPHASIS = "emphasis"  # bold, italic or struck out, where Markdown cannot have it
    LIST_LETTERS = "list_letters"  # a list numbered by letters or Roman numerals has plain numbers
    PICTURE = "picture"  # a picture from another site is a link to it
    ATTACHMENT = "attachment"  # is told in words
    SMILEY = "smiley"  # is its code, where no emoji stands for it
    EFFECT = "effect"  # of an unknown tag; its words are there
    SPOILER = "spoiler"  # its words are open; whoever imports decides on a warning above the post
    ADDRESS = "address"  # of a link that cannot be one here
    DEPTH = "depth"  # quotes or lists in each other, more than eight deep
    HIDDEN_QUOTE = "hidden_quote"  # the words of a post that is hidden
    OF_FEW = "of_few"  # words that only some readers of the board could read, as in [hide]
    STRUCTURE = "structure"  # quotes and lists
    DAMAGE = "damage"  # what was stored is broken: cut, or not what it should be
    NO_WORDS = "no_words"  # there were none


@dataclass(frozen=True)
class Quoted:
    """Who said what is quoted: a member, in a post of this thread if it has a number; somebody by a name; or nobody.

    Of a hidden post, nothing is quoted.
    """

    handle: str = ""
    number: int = 0
    name: str = ""
    is_hidden: bool = False


@dataclass(frozen=True)
class Files:
    """What was attached to a post: the kind of each file, `picture` or `file`, and what stood below it, if anything."""

    kinds: tuple[str, ...] = ()
    below: tuple[str, ...] = ()


class Surroundings(Protocol):
    """What a text cannot know of itself."""

    @property
    def is_for_staff(self) -> bool:
        """Whether only staff will read it."""
        ...

    def hides(self, posts: Collection[str]) -> bool:
        """Return whether a post of this thread is hidden, or one of these, by their old ids."""
        ...

    def quote(self, post: str | None, name: str | None, words: str) -> Quoted:
        """Return who is quoted: the old id of a post, where one is named, a name, and what the quote says."""
        ...

    def link(self, url: str) -> str:
        """Return where an address leads now: ours for one of the old board, else as it is."""
        ...


@dataclass(frozen=True)
class Moved:
    """A text in our Markdown."""

    markdown: str
    how: How
    losses: tuple[Loss, ...] = ()  # each once, in the order of `Loss`

    @property
    def has_spoiler(self) -> bool:
        """Whether some of it was shown only to those who asked for it."""
        return Loss.SPOILER in self.losses


class Damaged(Exception):
    """What was stored cannot be read in its form."""
