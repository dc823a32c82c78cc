"""Handles and display names: their normal form, and which of them look alike."""

import re
import unicodedata
from collections.abc import Sequence
from functools import cache

from forum.core.errors import Invalid
from forum.core.text import BLANK, has_seen

HANDLE_MIN, HANDLE_MAX = 3, 30
NAME_MIN, NAME_MAX = 1, 60
HANDLE_JOINTS = "_-."
_INVISIBLE = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
# Zero-width joiner and non-joiner shape emoji and several scripts, and these two choose how an emoji is drawn:
# they are what names need of the blank ones.
_SHAPING = {"\u200c", "\u200d", "\ufe0e", "\ufe0f"}
# Marks that any letter can carry; those of one script are as good as its letters.
_ACCENTS = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]")

# More marks on one letter than any name needs make a tower that covers the lines around it.
MOST_MARKS = 2

# Signs beside a name that look as if the forum had put them there: ticks, shields, stars, medals, crowns, trade marks.
_BADGES = frozenset("✓✔✅☑🗸🗹🮱⍻🛡⛨⭐★☆🌟✪✫✬✭✮✯✰⭑⭒🎖🏅🏵🎗🏆👑♔♕♚♛👮💂🔰⚜Ⓜ🅰🆗®™℠©")

# What the people who run the forum are called. Nobody has it as a word of their handle or name, or with an "s".
_HOUSE_WORDS = (
    *("admin", "administrator", "adviser", "advisor", "forum", "helpline", "mod", "moderation", "moderator"),
    *("official", "safeguarding", "staff", "team", "webmaster"),
)
# Of these, not even as a part of a word: "themoderator".
_LONG = 7
# What is not the name of a person: nobody has it as their whole handle or name.
_HOUSE_NAMES = (
    *("a former member", "current", "deleted", "everyone", "former member", "guest", "help", "me", "member"),
    *("removed", "root", "support", "system"),
)
# What clients and servers use as words, in addresses and after "@".
_CLIENTS_WORDS = (
    *("about", "account", "all", "anonymous", "api", "boards", "channel", "contact", "everybody", "false", "here"),
    *("home", "join", "login", "logout", "members", "nan", "new", "nobody", "none", "null", "online", "posts"),
    *("profile", "rules", "search", "self", "settings", "threads", "true", "undefined", "user", "users", "www", "you"),
)
# Drawn in the place of letters; a sign can also just stand between words, so that names are read both ways.
_DIGITS = str.maketrans("01345789", "oleastbg")
_SIGNS = str.maketrans("@!|$€", "ailse")
_LATIN = re.compile(r"LATIN (?:(?:SMALL|CAPITAL) LETTER|LETTER SMALL CAPITAL) ([A-Z])(?: WITH .*)?")


def folded(text: str) -> str:
    """Return the spelling under which a handle is stored and compared: Unicode's NFKC_Casefold."""
    return unicodedata.normalize("NFKC", BLANK.sub("", unicodedata.normalize("NFKC", text).casefold()))


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
    return (unicodedata.category(character)[0] in "LM" or character.isdecimal()) and not BLANK.match(character)


def normalise_handle(text: str) -> str:
    """Return the normal form of a handle. Raises Invalid when the text is no handle."""
    normal = folded(text.strip())
    if not is_handle(normal) or _has_tower(normal):
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
    if not NAME_MIN <= len(normal) <= NAME_MAX or not has_seen(normal):
        raise Invalid(f"A name has {NAME_MIN} to {NAME_MAX} visible characters.", "#/name", code="invalid_name")
    if _has_tower(normal):
        raise Invalid(f"A letter has at most {MOST_MARKS} accents.", "#/name", code="invalid_name")
    if badge := find_badge(normal):
        raise Invalid(f"{badge} looks like a badge of the forum. Please leave it out.", "#/name", code="name_has_badge")
    return normal


def find_badge(text: str) -> str | None:
    """Return the first sign of a text that looks like a badge of the forum, or None."""
    return next((char for char in text if char in _BADGES), None)


def skeleton(text: str) -> str:
    """Return what a name looks like: names with equal skeletons can be mistaken for each other.

    That is the plain skeleton, and beyond it digits as the letters that they are drawn for, stroked letters and small
    capitals as plain ones: "h3ron", "ħeron" and "ʜᴇʀᴏɴ" look like "heron". Members' rows store it:
    `skeletons.renew_skeletons` brings them up to date after a change.
    """
    drawn = plain_skeleton("".join(map(_drawn, folded(text))))
    return drawn.translate(_DIGITS)


def plain_skeleton(text: str) -> str:
    """Return the skeleton of Unicode TR39, and beyond it without case, accents, separators and spaces.

    "Su_zïe", "ѕuzіe" (Cyrillic) and "suzie" share one. Digests of handles that are spent were made of it once: what it
    returns must never change.
    """
    bare = _ACCENTS.sub("", unicodedata.normalize("NFD", folded(text)))
    seen = "".join(map(_prototype, bare))
    plain = unicodedata.normalize("NFD", seen.casefold()).replace("i", "l")  # as "1" and "I" already are
    return "".join(char for char in plain if char.isalnum() or unicodedata.category(char)[0] in "MS")


def readings(text: str) -> frozenset[str]:
    """Return the skeletons of all that can be read in a handle or a display name.

    That is the whole, as it reads and as its capitals look ("МАRТА" with Cyrillic М, А and Т, of which only the
    capitals look Latin, can be mistaken for "Marta"), and every run of words, with and without digits at their ends.
    """
    drawn = "".join(map(_prototype, unicodedata.normalize("NFKC", text)))
    found = {skeleton(text), skeleton(drawn)}
    for read in (text, drawn, text.translate(_SIGNS)):
        words = _words(read)
        for spelt in (words, [word.strip("0123456789") for word in words]):
            found |= _runs([skeleton(word) for word in spelt])
    return frozenset(found - {""})


def is_reserved(text: str) -> bool:
    """Return whether a handle or a display name looks like the people who run the forum."""
    read = readings(text)
    if read & _house_words() or _whole(text) & _house_names():
        return True
    return any(word in reading for word in _house_words() if len(word) >= _LONG for reading in read)


def is_clients_word(handle: str) -> bool:
    """Return whether a handle is a word that clients use for something else."""
    return bool(_whole(handle) & _clients_words())


def _whole(text: str) -> set[str]:
    return {skeleton(text), skeleton(text.strip("0123456789")), skeleton(text.translate(_SIGNS))}


@cache
def _house_words() -> frozenset[str]:
    return frozenset(skeleton(word + ending) for word in _HOUSE_WORDS for ending in ("", "s"))


@cache
def _house_names() -> frozenset[str]:
    return frozenset(map(skeleton, _HOUSE_NAMES))


@cache
def _clients_words() -> frozenset[str]:
    return frozenset(map(skeleton, _CLIENTS_WORDS))


def _words(text: str) -> list[str]:
    """Return the words of a name: what is between spaces and signs, and "Forum" and "Team" of "ForumTeam"."""
    plain = unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFKD", text)))
    spaced = "".join(char if in_word(char) else " " for char in plain)
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", spaced).split()


def _runs(words: Sequence[str]) -> set[str]:
    """Return every run of words, as one: "S T A F F" is read as "staff"."""
    return {"".join(words[first:last]) for first in range(len(words)) for last in range(first + 1, len(words) + 1)}


@cache
def _drawn(char: str) -> str:
    """Return the plain letter that a stroked letter or a small capital looks like, or the character itself."""
    letter = _LATIN.fullmatch(unicodedata.name(char, ""))
    return letter[1].lower() if letter else char


def _has_tower(text: str) -> bool:
    """Return whether a character carries too many marks. What only shapes characters stands between no two marks."""
    height = 0
    for char in text:
        if char not in _SHAPING:
            height = height + 1 if unicodedata.category(char) in {"Mn", "Me"} else 0
        if height > MOST_MARKS:
            return True
    return False


def _is_invisible(char: str) -> bool:
    return (unicodedata.category(char) in _INVISIBLE or bool(BLANK.match(char))) and not char.isspace()


@cache
def _prototype(char: str) -> str:
    """Return the one character or short string that stands for all that look like `char`.

    The library's table links look-alikes both ways: a prototype to all others, each other one to its prototype.
    """
    from confusable_homoglyphs.confusables import confusables_data  # noqa: PLC0415 - 8 MB, for who chooses a name

    alike = confusables_data.get(char, [])
    if len(alike) != 1:
        return char
    other: str = alike[0]["c"]
    if len(confusables_data.get(other, [])) == 1:
        return min(char, other, key=lambda text: (len(text), text))
    return other
