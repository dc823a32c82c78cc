"""Write a tree in our Markdown."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from markdown_it.common.utils import isPunctChar

from forum.content.markup import MARKDOWN, NOT_DIALLED, TELEPHONE
from forum.core.text import has_seen
from forum.importers.texts.escaping import (
    BARE_ADDRESS,
    MAIL_ADDRESS,
    escape,
    escape_all,
    escape_in_link,
    escape_line_start,
)
from forum.importers.texts.outcome import Loss
from forum.importers.texts.tree import EMPHASES, Block, Code, Divider, Listing, Paragraph, Quote, Run, Style

BULLETS = "-+*"  # two lists in a row are one, unless they have different marks
DELIMITERS = ".)"
RULE = "___"
_DELIMITERS = {Style.STRONG: "**", Style.EMPHASISED: "*", Style.STRUCK: "~~"}
_FENCES = re.compile(r"`{3,}")
_TICKS = re.compile(r"`+")
_UNSAFE_IN_ADDRESS = re.compile(r"[\s()<>\\\"`]")
_ENTITY = re.compile(r"&(?=#?\w{1,40};)")


@dataclass
class Writer:
    """Writes trees. A `bare` one writes no emphasis and escapes each mark: it is sure, but not nice to edit."""

    is_bare: bool = False
    losses: set[Loss] = field(default_factory=set)

    def write(self, blocks: Sequence[Block], bullet: str = "") -> str:
        """Return blocks with empty lines between them. `bullet` is of the list around them."""
        written, last = list[str](), ("", "")
        for block in blocks:
            marks = ("", "")
            match block:
                case Paragraph():
                    text = self._paragraph(block)
                case Quote():
                    text = self._quote(block)
                case Listing():
                    marks = _list_marks(block, last, bullet)
                    text = self._listing(block, *marks)
                case Code():
                    text = _code(block)
                case Divider():
                    text = RULE
            last = marks
            written.append(text)
        return "\n\n".join(written)

    def _paragraph(self, paragraph: Paragraph) -> str:
        text = self._inline(paragraph.runs)
        if paragraph.level:
            # On one line, and with nothing at its end that would be taken for the end of the heading.
            line = re.sub(r"(?<=\s)(?=#+\s*\Z)", r"\\", " ".join(text.split("\n")))
            return f"{'#' * min(paragraph.level, 6)} {line}"
        lines = (line.strip(" \t") for line in text.split("\n"))
        return "\n".join(lines if self.is_bare else map(escape_line_start, lines))

    def _quote(self, quote: Quote) -> str:
        inside = self.write(quote.blocks)
        if quote.source:
            # Its words go on in the paragraph of the source, as when somebody quotes here.
            gap = "\n" if quote.blocks and isinstance(quote.blocks[0], Paragraph) else "\n\n"
            inside = f"{quote.source}{gap if inside else ''}{inside}"
        elif quote.heading:
            inside = "\n\n".join(filter(None, [self._inline([Run(quote.heading, Style.STRONG)]), inside]))
        return "\n".join(f"> {line}" if line else ">" for line in inside.split("\n"))

    def _listing(self, listing: Listing, bullet: str, delimiter: str) -> str:
        items = list[str]()
        numbers = count(1)
        is_tight = all(len(item) <= 1 and all(isinstance(block, Paragraph) for block in item) for item in listing.items)
        for item in listing.items:
            mark = f"{next(numbers)}{delimiter}" if listing.is_ordered else bullet
            indent = " " * (len(mark) + 1)
            first, *lines = self.write(item, bullet).split("\n")
            more = (f"{indent}{line}" if line else "" for line in lines)
            items.append("\n".join([f"{mark} {first}".rstrip(), *more]))
        return ("\n" if is_tight else "\n\n").join(items)

    # Within a paragraph.

    def _inline(self, runs: Sequence[Run]) -> str:
        if self.is_bare:
            pieces = [Run(run.text, Style.PLAIN, run.link) for run in runs]
            if any(run.style & ~Style.CODE for run in runs):
                self.losses.add(Loss.EMPHASIS)
        else:
            pieces = list(_pieces(runs))
        if len(pieces) == 1 and not pieces[0].style and not pieces[0].link:
            return self._escape(pieces[0].text)
        return "".join(self._linked(_merged(pieces)))

    def _linked(self, runs: Sequence[Run]) -> Iterator[str]:
        """Give the runs as they are written: a link around those that lead to the same place."""
        written = [self._words(run) for run in runs]
        marks = [""] * (len(runs) + 1)
        at = 0
        while at < len(runs):
            end = at + 1
            while end < len(runs) and runs[end].link == runs[at].link:
                end += 1
            if url := runs[at].link:
                self._link(url, runs, written, at, end)
            at = end
        self._emphasise(runs, written, marks)
        for words, mark in zip(written, marks, strict=False):
            yield mark
            yield words
        yield marks[-1]

    def _words(self, run: Run) -> str:
        if run.style & Style.CODE:
            return _inline_code(run.text)
        return escape_in_link(run.text) if run.link and not self.is_bare else self._escape(run.text)

    def _escape(self, text: str) -> str:
        return escape_all(text) if self.is_bare else escape(text)

    def _link(self, url: str, runs: Sequence[Run], written: list[str], at: int, end: int) -> None:
        words = "".join(run.text for run in runs[at:end])
        address = linkable(url, words)
        if address is None:
            self.losses.add(Loss.ADDRESS)
            return
        is_alone = (at == 0 or runs[at - 1].text[-1].isspace()) and (end == len(runs) or runs[end].text[0].isspace())
        is_plain = is_alone and end == at + 1 and not runs[at].style and not self.is_bare
        if is_plain and _links_itself(words, url):
            written[at] = words
            return
        written[at] = f"[{written[at]}"
        written[end - 1] += f"]({address})"

    def _emphasise(self, runs: Sequence[Run], written: Sequence[str], marks: list[str]) -> None:
        """Put the marks of emphasis between the runs: those that end later begin first."""
        ends = _span_ends(runs)
        spans = list[tuple[int, Style, str]]()  # that are open
        for at in range(len(runs) + 1):
            while spans and spans[-1][0] == at:
                marks[at] += spans.pop()[2]
            if at == len(runs):
                break
            styles = [style for style in EMPHASES if runs[at].style & style and all(style != each[1] for each in spans)]
            for style in sorted(styles, key=ends[at].__getitem__, reverse=True):
                end = min(ends[at][style], spans[-1][0] if spans else len(runs))
                before = (marks[at] or (written[at - 1] if at else "\n"))[-1]
                if mark := self._mark(style, written, before, at, end):
                    marks[at] += mark
                    spans.append((end, style, mark))

    def _mark(self, style: Style, written: Sequence[str], before: str, at: int, end: int) -> str:
        """Return the mark that can begin and end emphasis there, or none where Markdown has none."""
        after = written[end][0] if end < len(written) else "\n"
        inner_first, inner_last = written[at][0], written[end - 1][-1]
        if not (_hugs(before, inner_first) and _hugs(after, inner_last)):
            self.losses.add(Loss.EMPHASIS)
            return ""
        if style == Style.EMPHASISED and _is_edge(before) and _is_edge(after):
            return "_"
        return _DELIMITERS[style]


def linkable(url: str, words: str) -> str | None:
    """Return an address as it is written in a link with these words, or None where it can be none."""
    if url.lower().startswith(TELEPHONE) and NOT_DIALLED.sub("", words) != NOT_DIALLED.sub("", url):
        return None  # our markup would add the number to the words
    address = _ENTITY.sub("&amp;", _UNSAFE_IN_ADDRESS.sub(_percent, url.strip()))
    if not has_seen(words) or not MARKDOWN.validateLink(MARKDOWN.normalizeLink(address)):
        return None
    return address


def _links_itself(words: str, url: str) -> bool:
    """Return whether words become this link where they stand on their own."""
    if url == f"mailto:{words}":
        return MAIL_ADDRESS.fullmatch(words) is not None
    return words == url and BARE_ADDRESS.fullmatch(url) is not None


def _percent(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode())


def _code(block: Code) -> str:
    text = block.text.strip("\n")
    longest = max(map(len, _FENCES.findall(text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}\n{text}\n{fence}" if text else f"{fence}\n{fence}"


def _inline_code(text: str) -> str:
    """Return words as inline code, with more ticks around them than they have in a row."""
    words = text.replace("\n", " ")
    ticks = "`" * (max(map(len, _TICKS.findall(words)), default=0) + 1)
    space = " " if words.startswith("`") or words.endswith("`") else ""
    return f"{ticks}{space}{words}{space}{ticks}" if words.strip() else words


def _list_marks(listing: Listing, last: tuple[str, str], around: str) -> tuple[str, str]:
    bullet = next(mark for mark in BULLETS if mark not in (last[0], around))
    delimiter = next(mark for mark in DELIMITERS if mark != last[1])
    return ("", delimiter) if listing.is_ordered else (bullet, "")


def _pieces(runs: Sequence[Run]) -> Iterator[Run]:
    """Give the runs with spaces at their ends on their own, in what style is on both sides of them."""
    last = Style.PLAIN
    for at, run in enumerate(runs):
        if not run.style and (run.text.strip() or not run.text):
            last = run.style
            yield run
            continue
        words = run.text.strip()
        following = runs[at + 1].style if at + 1 < len(runs) else Style.PLAIN
        if not words:
            yield Run(run.text, last & following & run.style, run.link)
            continue
        start = run.text.index(words)
        if start:
            yield Run(run.text[:start], last & run.style, run.link)
        yield Run(words, run.style, run.link)
        if ending := run.text[start + len(words) :]:
            yield Run(ending, run.style & following, run.link)
        last = run.style


def _merged(runs: Sequence[Run]) -> list[Run]:
    merged = list[Run]()
    for run in runs:
        if merged and (merged[-1].style, merged[-1].link) == (run.style, run.link):
            merged[-1] = Run(merged[-1].text + run.text, run.style, run.link)
        elif run.text:
            merged.append(run)
    return merged


def _span_ends(runs: Sequence[Run]) -> list[dict[Style, int]]:
    """Return for each run and style where the words of that style end."""
    ends: list[dict[Style, int]] = []
    following = dict.fromkeys(EMPHASES, len(runs))
    for at in range(len(runs) - 1, -1, -1):
        following = {style: following[style] if runs[at].style & style else at for style in EMPHASES}
        ends.append(following)
    return ends[::-1]


def _hugs(outer: str, inner: str) -> bool:
    """Return whether a mark between these two characters belongs to the inner one (CommonMark 0.31, 6.2)."""
    return not inner.isspace() and (not isPunctChar(inner) or _is_edge(outer))


def _is_edge(character: str) -> bool:
    return character.isspace() or isPunctChar(character)
