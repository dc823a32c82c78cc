"""Escapes, so that nothing that somebody typed becomes markup of ours: no emphasis, no link, no mention, no mark.

Only what would be markup is escaped: members see the escapes when they edit an old post of theirs.
"""

import re

# An address that linkify takes as a whole: it is left as it is, because an escape within would end the link.
BARE_ADDRESS = re.compile(
    r"(?:https?://|www\.)[\w-]+(?:\.[\w-]+)*(?::[0-9]{1,5})?(?:/(?:[\w-]+(?:[.:/?=&%#~+][\w-]+)*/?)?)?", re.IGNORECASE
)
# An address for mail that it finds: it knows these ends of names.
MAIL_ADDRESS = re.compile(
    r"[A-Z0-9]+(?:[._-][A-Z0-9]+)*@[A-Z0-9-]+(?:\.[A-Z0-9-]+)*\.(?:[A-Z]{2}|com|edu|gov|info|net|org)", re.IGNORECASE
)
_LAST, _FOLLOWED = (
    re.compile(
        rf"""
        (?P<kept>(?<![\w.+/-]){BARE_ADDRESS.pattern}(?=[.,;:!?)'"”’»]*{end}))
        | (?P<escaped>
            [\\`*]
            | (?<![^\W_])_ | _(?![^\W_])
            | ~(?=~) | (?<=~)~
            | \[(?=removed) | \[(?![\w\ /=,.'’…&+-]{{1,60}}\](?!\())  # "[hugs]" stays
            | <(?=[^\s<])(?!3+(?:[\s.,!?)<]|\Z))  # so does "<3"
            | &(?=\#?\w{{1,40}}{semicolon})
            | (?<![A-Za-z0-9/])@(?=\S)
            | :(?=//) | (?<=www)\.
        )
        """,
        re.VERBOSE | re.IGNORECASE,
    )
    for end, semicolon in ((r"(?:\s|\Z)", ";"), (r"\s", r"(?:;|\Z)"))
)
_MAY_BE_MARK = re.compile(r"[\\`*_~\[<&@:]")  # most words have none, and this is found much faster
_MARK_IN_LINK = re.compile(r"[\\`*_~\[\]<&]")
_AT_LINE_START = re.compile(r"(?P<number>[0-9]{1,9})(?=[.)](?:\s|\Z))|(?=\#{1,6}(?:\s|\Z)|[-+](?:[\s-]|\Z)|>|~~~)")
_WHOSE_WORDS = re.compile(r"@[^\W_]+(?:[-_.][^\W_]+)* wrote:")
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")


def escape(text: str, is_followed: bool = False) -> str:
    """Return words within a paragraph with what would be markup escaped.

    Where a mark of ours follows, an address at the end would take it in: it is no link then.
    """
    if _MAY_BE_MARK.search(text) or "www." in text.lower():
        text = (_FOLLOWED if is_followed else _LAST).sub(_escaped, text)
    return text


def escape_in_link(text: str) -> str:
    """Return words of a link with what would be markup, or end the link, escaped."""
    return _MARK_IN_LINK.sub(r"\\\g<0>", text)


def escape_line_start(line: str) -> str:
    """Return a line of a paragraph, its words escaped already, so that it begins no other block."""
    start = _AT_LINE_START.match(line)
    if start is None:
        return line
    return f"{line[: start.end()]}\\{line[start.end() :]}"


def escape_all(text: str) -> str:
    """Return the text with each mark escaped: it is shown as it is, wherever it stands.

    Who said what is quoted keeps their handle in one piece: it is looked for when they leave.
    """
    if _WHOSE_WORDS.fullmatch(text):
        return f"\\{text}"
    return _PUNCTUATION.sub(r"\\\g<0>", text)


def _escaped(mark: re.Match[str]) -> str:
    return mark["kept"] or f"\\{mark[0]}"
