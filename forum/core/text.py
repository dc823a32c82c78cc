"""Rules for texts that people send: what the database can store, what can be seen, what is one line.

Each raises a PydanticCustomError, whose type is the `code` of the fault in the problem document.
"""

import re
import string
import unicodedata

from pydantic_core import PydanticCustomError

# White space and line ends in Python or in ECMA 262. Both sets are spelt out, so that a pattern means the same here and
# in every client.
SPACE = r"\s\x1c-\x1f\x85\ufeff"
BREAK = r"\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029"
# What no format carries (XML 1.0 §2.2, HTML §13.2.3.5): controls, of which tab and line ends stay, and code points that
# are no characters, two in each plane and some more.
CONTROLS = r"\x00-\x08\x0b-\x1f\x7f-\x9f"
NONCHARACTERS = "\ufdd0-\ufdef" + "".join(f"{chr(end - 1)}{chr(end)}" for end in range(0xFFFF, 0x110000, 0x10000))
ANY, INLINE, SEEN = r"[^\x00]", rf"[^\x00{BREAK}]", rf"[^{CONTROLS}{SPACE}]"
# Invisible, though some count as letters, marks or symbols: Unicode's Default_Ignorable_Code_Point, which
# `unicodedata` does not tell, and the Braille pattern without dots.
INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
BLANK = re.compile(f"[{INVISIBLE}]")
# Marks, embeddings, overrides and isolates: with them, a text can be shown in another order than it is read in.
BIDIRECTIONAL = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_EDGES = re.compile(rf"^[{SPACE}]+|[{SPACE}]+$")
_BREAKS = re.compile(rf"[{BREAK}]")
_CONTROLS_THAT_BREAK = re.compile(r"\r\n|[\r\x0b\x0c\x1c-\x1e\x85]")
_NOT_CARRIED = re.compile(f"[{CONTROLS}{NONCHARACTERS}]")

# What a text costs, in half microseconds: a letter one, most other characters up to eight, `[` and `@` thirty. Ordinary
# posts of 4,000 characters stay below the bound, and no text below it takes 10 ms to be parsed, cleaned and screened.
_LIGHT = 8_000
_COSTLY = re.compile(r"[^\w .,;'\"?]|[\d_]")
_CHEAP = (string.ascii_letters + " .,;'\"?").encode()  # the same in ASCII


def is_light(text: str) -> bool:
    """Return whether a text can be parsed and screened within the event loop: it is short, and plain or very short."""
    if len(text) > _LIGHT:
        return False
    costly = len(text.encode().translate(None, _CHEAP)) if text.isascii() else len(_COSTLY.findall(text))
    return len(text) + 7 * costly + 22 * (text.count("[") + text.count("@")) <= _LIGHT


def storable(text: str) -> str:
    """Return the text. Raises for what PostgreSQL and UTF-8 cannot store: NUL and half of a surrogate pair."""
    if "\x00" in text:
        raise PydanticCustomError("character_not_allowed", "must not contain the character NUL")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise PydanticCustomError("character_not_allowed", "must not contain half of a surrogate pair") from error
    return text


def carried(text: str) -> str:
    """Return the text as every format can carry it: each line end as LF, without other controls and noncharacters.

    Nobody sees them: they come along with what people paste. Word ends a line with U+000B.
    """
    if text.replace("\n", "").isprintable():  # most are, and to say so takes a twentieth of the time
        return text
    return _NOT_CARRIED.sub("", _CONTROLS_THAT_BREAK.sub("\n", text))


def has_seen(text: str) -> bool:
    """Return whether something of a text can be seen: a letter, digit, punctuation mark or symbol that is drawn.

    Spaces, controls, unassigned characters and marks without a letter are not. This is the one definition, for names,
    titles, posts, warnings, reasons and notes.
    """
    return any(unicodedata.category(char)[0] in "LNPS" and not BLANK.match(char) for char in text)


def visible(text: str) -> str:
    """Return the text. Raises when it is blank."""
    if not has_seen(text):
        raise PydanticCustomError("blank", "must not be blank")
    return text


def one_line(text: str) -> str:
    """Return the text without outer spaces and without bidirectional controls. Raises when it has several lines."""
    if _BREAKS.search(text):
        raise PydanticCustomError("several_lines", "must be one line")
    return _EDGES.sub("", BIDIRECTIONAL.sub("", text))
