"""Handles and display names: their normal form, and which of them look alike."""

import re
import unicodedata
from functools import cache

from confusable_homoglyphs.confusables import confusables_data

from forum.core.errors import Invalid

HANDLE_MIN, HANDLE_MAX = 3, 30
NAME_MIN, NAME_MAX = 1, 60
HANDLE_JOINTS = "_-."
_INVISIBLE = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
# Invisible, though some count as letters, marks or symbols: Unicode's Default_Ignorable_Code_Point, which
# `unicodedata` does not tell, and the Braille pattern without dots.
_BLANK = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# Zero-width joiner and non-joiner shape emoji and several scripts, and these two choose how an emoji is drawn:
# they are what names need of the blank ones.
_SHAPING = {"\u200c", "\u200d", "\ufe0e", "\ufe0f"}
# Marks that any letter can carry; those of one script are as good as its letters.
_ACCENTS = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]")

# Words that would make a member look like the people who run the forum.
_RESERVED = [
    "a former member",
    "admin",
    "administrator",
    "adviser",
    "advisor",
    "current",
    "deleted",
    "everyone",
    "former member",
    "forum",
    "guest",
    "help",
    "helpline",
    "me",
    "member",
    "moderation",
    "moderator",
    "official",
    "removed",
    "root",
    "safeguarding",
    "staff",
    "support",
    "system",
    "team",
    "webmaster",
]


def folded(text: str) -> str:
    """Return the spelling under which a handle is stored and compared: Unicode's NFKC_Casefold."""
    return unicodedata.normalize("NFKC", _BLANK.sub("", unicodedata.normalize("NFKC", text).casefold()))


def is_handle(text: str) -> bool:
    """Return whether a folded text is a handle: 3 to 30 letters, digits and marks, with `_`, `-`, `.` inside."""
    return (
        HANDLE_MIN <= len(text) <= HANDLE_MAX
        and all(map(in_handle, text))
        and text.strip(HANDLE_JOINTS) == text
        and unicodedata.category(text[0])[0] != "M"
    )


def in_handle(character: str) -> bool:
    """Return whether a handle may contain this character."""
    return character in HANDLE_JOINTS or in_word(character)


def in_word(character: str) -> bool:
    r"""Return whether a character belongs to a word: marks too, as `\w` lacks the vowel signs of Hindi or Tamil."""
    return (unicodedata.category(character)[0] in "LM" or character.isdecimal()) and not _BLANK.match(character)


def normalise_handle(text: str) -> str:
    """Return the normal form of a handle. Raises Invalid when the text is no handle."""
    normal = folded(text.strip())
    if not is_handle(normal):
        raise Invalid(
            f"A handle has {HANDLE_MIN} to {HANDLE_MAX} letters and digits; '_', '-' and '.' may stand between them.",
            "#/handle",
            code="invalid_handle",
        )
    return normal


def normalise_name(text: str) -> str:
    """Return the normal form of a display name: NFC, single spaces, nothing invisible.

    Raises Invalid when no visible character is left, or more than 60 are.
    """
    seen = "".join(char for char in unicodedata.normalize("NFC", text) if char in _SHAPING or not _is_invisible(char))
    normal = " ".join(seen.split())
    if not NAME_MIN <= len(normal) <= NAME_MAX or not any(unicodedata.category(c)[0] in "LNPS" for c in normal):
        raise Invalid(f"A name has {NAME_MIN} to {NAME_MAX} visible characters.", "#/name", code="invalid_name")
    return normal


def skeleton(text: str) -> str:
    """Return what a name looks like: names with equal skeletons can be mistaken for each other.

    Unicode TR39 prototypes, and beyond them without case, accents, separators and spaces: "Su_zïe",
    "ѕuzіe" (Cyrillic) and "suzie" share one.
    """
    bare = _ACCENTS.sub("", unicodedata.normalize("NFD", folded(text)))
    seen = "".join(map(_prototype, bare))
    plain = unicodedata.normalize("NFD", seen.casefold()).replace("i", "l")  # as "1" and "I" already are
    return "".join(char for char in plain if char.isalnum() or unicodedata.category(char)[0] in "MS")


def name_skeletons(name: str) -> frozenset[str]:
    """Return the skeletons of a display name: as it reads, and as its capitals look.

    "МАRТА" (with Cyrillic М, А and Т, of which only the capitals look Latin) can be mistaken for "Marta".
    """
    drawn = "".join(map(_prototype, unicodedata.normalize("NFKC", name)))
    return frozenset({skeleton(name), skeleton(drawn)})


@cache
def reserved_skeletons() -> frozenset[str]:
    """Return the skeletons of words that no member may have as handle or name."""
    return frozenset(skeleton(word) for word in _RESERVED)


def _is_invisible(char: str) -> bool:
    return (unicodedata.category(char) in _INVISIBLE or bool(_BLANK.match(char))) and not char.isspace()


@cache
def _prototype(char: str) -> str:
    """Return the one character or short string that stands for all that look like `char`.

    The library's table links look-alikes both ways: a prototype to all others, each other one to its prototype.
    """
    alike = confusables_data.get(char, [])
    if len(alike) != 1:
        return char
    other: str = alike[0]["c"]
    if len(confusables_data.get(other, [])) == 1:
        return min(char, other, key=lambda text: (len(text), text))
    return other
