"""Write a tree in our Markdown."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, groupby
from operator import attrgetter
from typing import NamedTuple

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
LINK = Style.PLAIN  # stands for a link among the styles that can be around words
_DELIMITERS = {Style.STRONG: "**", Style.EMPHASISED: "*", Style.STRUCK: "~~"}
_FENCES = re.compile(r"`{3,}")
_TICKS = re.compile(r"`+")
_UNSAFE_IN_ADDRESS = re.compile(r"[\s()<>\\\"`]")
_ENTITY = re.compile(r"&(?=#?\w{1,40};)")


class _Span(NamedTuple):
    """What is around some runs: until which one, and with which marks."""

    kind: Style
    end: int
    opening: str
    closing: str


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
            return escape_all(pieces[0].text) if self.is_bare else escape(pieces[0].text)
        return "".join(self._marked(_merged(pieces)))

    def _marked(self, runs: Sequence[Run]) -> Iterator[str]:
        """Give the runs with marks around them: what ends later begins first, so that all lie in each other."""
        ends, links = _span_ends(runs), self._links(runs)
        written = [self._words(runs, links, at) for at in range(len(runs))]
        spans = list[_Span]()  # that are open
        for at, words in enumerate(written):
            mark = ""
            while spans and spans[-1].end == at:
                mark += spans.pop().closing
            new = [kind for kind in _kinds(runs[at], words, links[at]) if all(kind != span.kind for span in spans)]
            for kind in sorted(new, key=lambda kind: (ends[at][kind], kind == LINK), reverse=True):
                end = min(ends[at][kind], spans[-1].end if spans else len(runs))
                if kind == LINK:
                    span = _Span(LINK, end, "[", f"]({links[at]})")
                else:
                    end = _outside_link(runs, at, end)
                    is_linked = any(span.kind == LINK for span in spans)
                    first = "[" if links[at] and not is_linked else words[0]
                    last = ")" if links[end - 1] and not is_linked else written[end - 1][-1]
                    before = (mark or (written[at - 1] if at else "\n"))[-1]
                    after = written[end][0] if end < len(written) else "\n"
                    span = self._emphasis(kind, end, before + first, last + after)
                if span.opening:
                    mark += span.opening
                    spans.append(span)
            yield mark
            yield words
        yield from (span.closing for span in reversed(spans))

    def _words(self, runs: Sequence[Run], links: Sequence[str | None], at: int) -> str:
        run = runs[at]
        if run.style & Style.CODE:
            return _inline_code(run.text)
        if links[at] == "":
            return run.text
        if self.is_bare:
            return escape_all(run.text)
        if links[at]:
            return escape_in_link(run.text)
        words = escape(run.text, is_followed=bool(run.style) or at + 1 < len(runs))
        is_picture = words.endswith("!") and any(links[at + 1 : at + 2])  # as our markup would take it
        return f"{words[:-1]}\\!" if is_picture else words

    def _links(self, runs: Sequence[Run]) -> list[str | None]:
        """Return the address of each run as it is written, "" where its words are a link as they stand, or None."""
        links = list[str | None]()
        for url, group in groupby(runs, key=attrgetter("link")):
            inside = list(group)
            words = "".join(run.text for run in inside)
            link = linkable(url, words) if url else None
            if url and link is None:
                self.losses.add(Loss.ADDRESS)
            elif link and not self.is_bare and len(inside) == 1 and _links_itself(runs, len(links)):
                link = ""
            links += [link] * len(inside)
        return links

    def _emphasis(self, style: Style, end: int, start: str, finish: str) -> _Span:
        """Return emphasis until a run, with no marks where Markdown has none: between these pairs of characters."""
        mark = _DELIMITERS[style]
        if not (_hugs(*start) and _hugs(*finish[::-1])):
            self.losses.add(Loss.EMPHASIS)
            mark = ""
        elif style == Style.EMPHASISED and _is_edge(start[0]) and _is_edge(finish[1]):
            mark = "_"
        return _Span(style, end, mark, mark)


def linkable(url: str, words: str) -> str | None:
    """Return an address as it is written in a link with these words, or None where it can be none."""
    if url.lower().startswith(TELEPHONE) and NOT_DIALLED.sub("", words) != NOT_DIALLED.sub("", url):
        return None  # our markup would add the number to the words
    address = _ENTITY.sub("&amp;", _UNSAFE_IN_ADDRESS.sub(_percent, url.strip()))
    if not has_seen(words) or not MARKDOWN.validateLink(MARKDOWN.normalizeLink(address)):
        return None
    return address


def _links_itself(runs: Sequence[Run], at: int) -> bool:
    """Return whether words become the link that they are: an address between spaces."""
    run = runs[at]
    if run.style or (at and not runs[at - 1].text[-1].isspace()):
        return False
    if at + 1 < len(runs) and not runs[at + 1].text[0].isspace():
        return False
    if run.link == f"mailto:{run.text}":
        return MAIL_ADDRESS.fullmatch(run.text) is not None
    return run.text == run.link and BARE_ADDRESS.fullmatch(run.text) is not None


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
    """Give the runs, with what emphasis cannot begin or end with on its own, in what style is on both sides of it."""
    around = [Run(""), *runs, Run("")]
    for before, run, after in zip(around, runs, around[2:], strict=False):
        if not run.style:
            yield run
            continue
        start, end = _emphasised(run, before.text[-1:], after.text[:1])
        if start == end:
            yield Run(run.text, before.style & run.style & after.style, run.link)
            continue
        yield Run(run.text[:start], before.style & run.style, run.link)
        yield Run(run.text[start:end], run.style, run.link)
        yield Run(run.text[end:], run.style & after.style, run.link)


def _emphasised(run: Run, before: str, after: str) -> tuple[int, int]:
    """Return which part of a run emphasis can be around: no spaces, and beside a letter no punctuation marks."""
    text = run.text
    end = len(text.rstrip())
    start = min(len(text) - len(text.lstrip()), end)
    if run.style & Style.CODE:
        return start, end
    first, last = start, end
    while before and not start and first < last and isPunctChar(text[first]) and not _is_edge(before):
        first += 1
    while after and end == len(text) and first < last and isPunctChar(text[last - 1]) and not _is_edge(after):
        last -= 1
    return (first, last) if first < last else (start, end)


def _merged(runs: Sequence[Run]) -> list[Run]:
    """Return the runs with plain ones in a row as one, so that what is typed across them is escaped as a whole."""
    merged = list[Run]()
    for run in runs:
        if merged and not run.style and not merged[-1].style and merged[-1].link == run.link:
            merged[-1] = Run(merged[-1].text + run.text, run.style, run.link)
        elif run.text:
            merged.append(run)
    return merged


def _kinds(run: Run, words: str, link: str | None) -> list[Style]:
    """Return what may begin with a run: emphasis never begins with a space."""
    styles = () if words.isspace() else (style for style in EMPHASES if run.style & style)
    return [*styles, *([LINK] if link else [])]


def _span_ends(runs: Sequence[Run]) -> list[dict[Style, int]]:
    """Return for each run and each kind of what may be around it where that ends."""
    ends: list[dict[Style, int]] = []
    following: dict[Style, int] = dict.fromkeys([*EMPHASES, LINK], len(runs))
    for at in range(len(runs) - 1, -1, -1):
        goes_on = at + 1 < len(runs) and runs[at].link == runs[at + 1].link
        following = {
            LINK: following[LINK] if goes_on else at + 1,
            **{style: following[style] if runs[at].style & style else at for style in EMPHASES},
        }
        ends.append(following)
    return ends[::-1]


def _outside_link(runs: Sequence[Run], at: int, end: int) -> int:
    """Return where emphasis that would end within a link has to end: before it. It begins again in the link."""
    before = end
    while end < len(runs) and runs[end].link and before > at and runs[before - 1].link == runs[end].link:
        before -= 1
    return before if before > at else end


def _hugs(outer: str, inner: str) -> bool:
    """Return whether a mark between these two characters belongs to the inner one (CommonMark 0.31, 6.2)."""
    return not inner.isspace() and (not isPunctChar(inner) or _is_edge(outer))


def _is_edge(character: str) -> bool:
    return character.isspace() or isPunctChar(character)
