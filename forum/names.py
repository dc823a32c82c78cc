"""Handles and display names: their one normal form, and who looks like whom."""

import unicodedata
from functools import cache

from confusable_homoglyphs.confusables import confusables_data

from forum.errors import Invalid

HANDLE_MIN, HANDLE_MAX = 3, 30
NAME_MIN, NAME_MAX = 1, 60
HANDLE_JOINTS = "_-."
_INVISIBLE = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
# Zero-width joiner and non-joiner shape emoji and several scripts; they are the two that names need.
_SHAPING = {"\u200c", "\u200d"}

# Words that would make a member look like the house itself.
_RESERVED = [
    "admin",
    "administrator",
    "adviser",
    "advisor",
    "current",
    "deleted",
    "everyone",
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
    """The one spelling under which a handle is stored and compared: NFKC, without case (Unicode TR15, TR21)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def is_handle(text: str) -> bool:
    """Whether a folded text has a handle's shape: 3 to 30 letters, digits and marks, joined by `_`, `-`, `.` inside."""
    return (
        HANDLE_MIN <= len(text) <= HANDLE_MAX
        and all(map(in_handle, text))
        and text.strip(HANDLE_JOINTS) == text
        and unicodedata.category(text[0])[0] != "M"
    )


def in_handle(character: str) -> bool:
    """Whether a handle may have this character inside."""
    return character in HANDLE_JOINTS or in_word(character)


def in_word(character: str) -> bool:
    r"""Whether a character belongs to a word: marks too, for `\w` leaves out the vowel signs of Hindi or Tamil."""
    return unicodedata.category(character)[0] in "LM" or character.isdecimal()


def handle(text: str) -> str:
    """The normal form of a handle; raises Invalid when it does not have a handle's shape."""
    normal = folded(text.strip())
    if not is_handle(normal):
        raise Invalid(
            f"A handle has {HANDLE_MIN} to {HANDLE_MAX} letters and digits; '_', '-' and '.' may stand between them.",
            "#/handle",
        )
    return normal


def display_name(text: str) -> str:
    """The normal form of a display name: NFC, single spaces, nothing invisible.

    Raises Invalid when nothing that can be seen is left, or more than 60 characters are.
    """
    seen = "".join(char for char in unicodedata.normalize("NFC", text) if char in _SHAPING or not _is_invisible(char))
    normal = " ".join(seen.split())
    if not NAME_MIN <= len(normal) <= NAME_MAX or not any(unicodedata.category(c)[0] in "LNPS" for c in normal):
        raise Invalid(f"A name has {NAME_MIN} to {NAME_MAX} characters that can be seen.", "#/name")
    return normal


def skeleton(text: str) -> str:
    """What the eye is left with: names with equal skeletons can be taken for each other.

    Unicode TR39 prototypes, and beyond them without case, accents, separators and spaces: "Su_zïe",
    "ѕuzіe" (Cyrillic) and "suzie" share one.
    """
    folded = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold())
    seen = "".join(_prototype(char) for char in folded if unicodedata.category(char)[0] in "LNS" or char > "\u036f")
    plain = unicodedata.normalize("NFD", seen.casefold()).replace("i", "l")  # as "1" and "I" already are
    return "".join(char for char in plain if char.isalnum() or unicodedata.category(char)[0] in "MS")


@cache
def reserved() -> frozenset[str]:
    """The skeletons of words that no member may carry as handle or name."""
    return frozenset(skeleton(word) for word in _RESERVED)


def _is_invisible(char: str) -> bool:
    return unicodedata.category(char) in _INVISIBLE and not char.isspace()


@cache
def _prototype(char: str) -> str:
    """The one character or short string that `char` is drawn like.

    The library's table links look-alikes both ways: a prototype to all, each of the others to its prototype.
    """
    alike = confusables_data.get(char, [])
    if len(alike) != 1:
        return char
    other: str = alike[0]["c"]
    if len(confusables_data.get(other, [])) == 1:
        return min(char, other, key=lambda text: (len(text), text))
    return other
