"""What the tags of old boards mean: those of both forms of phpBB, and of the extensions that many boards have."""

import re
from functools import lru_cache

from forum.core.text import carried
from forum.importers.texts.outcome import Loss
from forum.importers.texts.tree import Builder, Style

_STYLES = {
    **dict.fromkeys(("b", "strong"), Style.STRONG),
    **dict.fromkeys(("i", "em"), Style.EMPHASISED),
    **dict.fromkeys(("s", "strike", "del"), Style.STRUCK),
    "c": Style.CODE,
}
SPOILERS = (
    *("spoiler", "spoilers", "spoil", "ispoiler", "inlinespoiler", "trigger", "triggerwarning", "tw", "cw", "nsfw"),
    *("collapse", "toggle", "accordion", "expand"),
)
# Of extensions: their words are for some readers only, such as members, staff, or whoever has answered.
_OF_FEW = {"reg", "mod", "mods", "moderator", "admin", "staff", "team", "group", "groups", "vip", "whisper", "unlock"}
_LIKE_FEW = re.compile(
    r"hid(?:e|den)|privat|secret|restrict|protect|(?<!re)member|log(?:ged)?[-_]?(?:in|on)\b|registered|usergroup"
    r"|subscriber|premium-content|password|\Aonly|only\Z"
)
# In these, words cannot be seen on a white page until somebody marks them: a spoiler by other means.
_UNSEEN = re.compile(r"white|snow|ivory|transparent|#?(?:fff|(?:f[a-f]){3})", re.IGNORECASE)
_LOSSES = {
    **dict.fromkeys(("u", "ins"), Loss.UNDERLINE),
    **dict.fromkeys(("color", "colour", "highlight"), Loss.COLOUR),
    **dict.fromkeys(("size", "font", "face"), Loss.SIZE),
    **dict.fromkeys(("align", "center", "centre", "left", "right", "justify"), Loss.ALIGNMENT),
    **dict.fromkeys(SPOILERS, Loss.SPOILER),
}
_BLOCKS = {*SPOILERS, *("align", "center", "centre", "left", "right", "justify", "p", "table")}
_WORDS = re.compile(r"[^\W\d_]{2}[^\W\d_]*[,;:.!?…]?\s+[^\W\d_]{2}")  # two of them, as no address, size or colour has
_ONE_WORD = re.compile(r"[^\W\d_]{2,40}(?:['’-][^\W\d_]{1,40})?[.!?…]*")
# One word in a tag that says how its words look, or where they stand, was not shown itself.
_LOOKS = re.compile(
    r"left|right|cent(?:er|re)|middle|top|bottom|justify|none|auto|inherit|both|yes|no|true|false|on|off|tiny|small|medium"
    r"|large|big|huge|normal|bold|italic|underline|solid|dashed|dotted|double|arial|verdana|courier|tahoma|georgia|times"
    r"|helvetica|impact|calibri|cambria|serif|sans|sans-serif|monospace|disc|circle|square|alpha|roman|php|html|css|js|sql"
    r"|(?:dark|light|deep|hot|medium|pale|royal|sky|dodger|steel|navajo|lawn|lime|forest|sea|olive|orange|indian)*"
    r"(?:aqua|beige|black|blue|brown|chocolate|coral|crimson|cyan|fuchsia|gold|gr[ae]y|green|indigo|ivory|khaki|lavender"
    r"|lime|magenta|maroon|navy|olive|orange|orchid|pink|plum|purple|red|salmon|sienna|silver|snow|tan|teal|tomato"
    r"|turquoise|violet|wheat|white|yellow)",
    re.IGNORECASE,
)
_BETWEEN = {"tr": "\n", "td": " ", "th": " "}  # what parts the words of a table
_NOTHING = {"r", "t", "p", "link_text", "censor", "mention"}  # show their words and no more
# Their words are needed as a whole.
COLLECTED = {"code", "img", "attachment", "e", "emoji"}
_PICTURES = (".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".svg", ".heic", ".tif", ".tiff")
_SMILEYS = {
    "🙂": ":) :-) :smile:",
    "😀": ":D :-D :grin:",
    "😉": ";) ;-) :wink:",
    "🙁": ":( :-( :sad:",
    "😮": ":o :-o :eek:",
    "😲": ":shock:",
    "😕": ":? :-? :???:",
    "😎": "8-) :cool:",
    "😆": ":lol:",
    "😠": ":x :-x :mad:",
    "😛": ":P :-P :p :-p :razz:",
    "😳": ":oops:",
    "😢": ":cry:",
    "😈": ":evil:",
    "😏": ":twisted:",
    "🙄": ":roll:",
    "❗": ":!:",
    "❓": ":?:",
    "💡": ":idea:",
    "➡️": ":arrow:",
    "😐": ":| :-|",
    "😁": ":mrgreen:",
    "🤓": ":geek: :ugeek:",
}
_CODE_POINT = r"(?:[23][0-9a-f]|[0-9a-cef][0-9a-f]{3}|1[0-9a-f]{4})"  # of an emoji: no half of a pair
_SEQUENCE = re.compile(rf"{_CODE_POINT}(?:-{_CODE_POINT}){{0,15}}")
_EMOJI = {code: emoji for emoji, codes in _SMILEYS.items() for code in codes.split()}


@lru_cache(maxsize=1_000)  # a board has some dozens of names
def is_of_few(name: str) -> bool:
    """Return whether what a tag is around was for some readers only, by its name in small letters."""
    return name in _OF_FEW or sounds_of_few(name)


def sounds_of_few(name: str) -> bool:
    """Return the same of a name that programs give, where `group` or `team` is a kind of box."""
    return _LIKE_FEW.search(name) is not None


def open_tag(builder: Builder, name: str, value: str = "", post: str | None = None) -> None:
    """Begin what a tag means; its value is an address, a name or a kind of list."""
    match name:
        case "quote":
            builder.open_quote(value or None, post)
        case "list" | "ul":
            open_list(builder, value)
        case "ol":
            open_list(builder, value or "1")
        case "li" | "*":
            builder.open_item()
        case "url" | "email":
            builder.open_link(value)
        case "hr":
            builder.rule()
        case _ if is_of_few(name):
            builder.open_few()
        case _ if name in _STYLES:
            builder.open_style(_STYLES[name])
        case _:
            _open_effect(builder, name, value)


def _open_effect(builder: Builder, name: str, value: str) -> None:
    """Begin words of which only the words are kept."""
    if name in _BLOCKS:
        builder.end_paragraph()
    loss = None if name in _NOTHING else _LOSSES.get(name, Loss.EFFECT)
    if loss is Loss.COLOUR and _UNSEEN.fullmatch(value.strip()):
        loss = Loss.SPOILER
    if loss:
        builder.losses.add(loss)
    if between := _BETWEEN.get(name):
        builder.say(between)
    if name in SPOILERS and value:
        builder.say("", f"{value}\n")  # readers saw what it was about
    elif loss is Loss.EFFECT and is_said(value):
        builder.say("", f"{value.strip()}: ")  # a heading, or what an abbreviation stands for


def is_said(value: str) -> bool:
    """Return whether readers saw what stands in a tag of a board's own: words, and no address, size or colour."""
    word = value.strip()
    if _WORDS.search(word):
        return True
    # An identifier of another site changes between small and capital letters.
    is_written = word in {word.lower(), word.upper(), word[:1] + word[1:].lower()}
    return bool(_ONE_WORD.fullmatch(word)) and is_written and not _LOOKS.fullmatch(word)


def close_tag(builder: Builder, name: str) -> None:
    """End what a tag means."""
    match name:
        case "quote":
            builder.close_quote()
        case "list" | "ul" | "ol":
            builder.close_list()
        case "li" | "*":
            builder.close_item()
        case "url" | "email":
            builder.close_link()
        case _ if is_of_few(name):
            builder.close_few()
        case _ if name in _STYLES:
            builder.close_style(_STYLES[name])
        case _ if name in _BLOCKS:
            builder.end_paragraph()


def put(builder: Builder, name: str, value: str, words: str) -> None:
    """Add what a tag means whose words are needed as a whole."""
    match name:
        case "code":
            builder.code(words)
        case "img":
            builder.picture(value or words.strip(), words)
        case "attachment":
            builder.attachment("picture" if words.strip().lower().endswith(_PICTURES) else "file", words)
        case "emoji" if words.isascii() and _SEQUENCE.fullmatch(value):
            builder.say(words, carried("".join(chr(int(code, 16)) for code in value.split("-"))))
        case "emoji":
            builder.say(words)
        case _:
            smiley(builder, words)


def open_list(builder: Builder, kind: str) -> None:
    """Begin a list: of a kind that counts, or with dots."""
    if kind in {"a", "A", "i", "I"} or kind.endswith(("alpha", "roman")):
        builder.losses.add(Loss.LIST_LETTERS)
    builder.open_list(is_ordered=bool(kind) and kind not in {"disc", "circle", "square"})


def smiley(builder: Builder, code: str) -> None:
    """Add an emoji, or the code of a smiley for which there is none."""
    emoji = _EMOJI.get(code)
    if emoji is None:
        builder.losses.add(Loss.SMILEY)
    builder.say(code, emoji)
