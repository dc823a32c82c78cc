"""One tree for all texts: blocks, and in them runs of words. Readers of old forms build it, the writer writes it down.

Blocks lie in each other only as deep as ours may, and styles are kept with each run: no text is too deep for it.
While it is built, it keeps two lists that the proof compares: what the old text had, and what ours shall show.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntFlag
from typing import Any, TypeAlias

from forum.content.markup import MOST_NAMED
from forum.importers.texts.outcome import Loss, Quoted, Surroundings

DEEPEST_QUOTE = 8
# Less than `markup.DEEPEST_BLOCK`: a quote is one level of it, a list with its item two.
DEEPEST = 14
QUOTE_OPENS, QUOTE_ENDS, ITEM_OPENS = "\x01", "\x02", "\x03"  # in the lists for the proof: no text has them
HIDDEN, PICTURE = "[a removed post]", "A picture"
OF_FEW = "[words that not everybody could read]"


class Style(IntFlag):
    """What a run of words looks like."""

    PLAIN = 0
    STRONG = 1
    EMPHASISED = 2
    STRUCK = 4
    CODE = 8


_OF_ALL = {"around", "old", "attachments", "_outside"}  # what words of few have in common with those around them
EMPHASES = (Style.STRONG, Style.EMPHASISED, Style.STRUCK)


@dataclass(slots=True)
class Run:
    """Words that look alike, and where they lead."""

    text: str
    style: Style = Style.PLAIN
    link: str = ""


@dataclass(slots=True)
class Paragraph:
    """Lines of words. A `level` above 0 makes it a heading."""

    runs: list[Run]
    level: int = 0


@dataclass(slots=True)
class Quote:
    """What somebody else said: `source` is a line such as `@suzie #7`, `heading` a line in its stead."""

    blocks: "list[Block]"
    source: str = ""
    heading: str = ""


@dataclass(slots=True)
class Listing:
    """A list."""

    is_ordered: bool
    items: "list[list[Block]]" = field(default_factory=list)


@dataclass(slots=True)
class Code:
    """Words that keep their spaces."""

    text: str


@dataclass(slots=True)
class Divider:
    """A line across the page."""


Block: TypeAlias = Paragraph | Quote | Listing | Code | Divider


@dataclass(slots=True)
class _Frame:
    """An open block: where its blocks go, and what was open around it."""

    blocks: list[Block]
    styles: Counter[Style]
    links: list["_Link"]
    quote: Quote | None = None
    listing: Listing | None = None
    is_flat: bool = False  # its blocks go to the frame around it, from `start`
    is_quote: bool = False
    start: int = 0
    said: int = 0  # the place of its first line in the list of what is said
    name: str | None = None
    post: str | None = None
    words: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Link:
    url: str
    now: str  # where it leads here
    run: int
    said: int
    blocks: int


class Builder:
    """Builds a tree from what a reader meets, in its order. What closes what is not open is passed over."""

    def __init__(self, around: Surroundings) -> None:
        self.around = around
        self.old: list[str] = []
        self.attachments = 0
        self._outside: list[dict[str, Any]] = []  # of words of few: what was there when they began
        self._begin()

    def _begin(self) -> None:
        self.blocks: list[Block] = []
        self.losses: set[Loss] = set()
        self.said: list[str] = []
        self._frames = [_Frame(self.blocks, Counter(), [])]
        self._runs: list[Run] = []
        self._level = 0
        self._attributed = 0
        self._quotes = self._depth = 0

    # Words.

    def say(self, text: str, instead: str | None = None) -> None:
        """Add words, or say others instead of them."""
        self.old.append(text)
        shown = text if instead is None else instead
        frame = self._frames[-1]
        if frame.listing is not None:
            if not shown.strip():
                return
            self.open_item()
            frame = self._frames[-1]
        self.said.append(shown)
        frame.words.append(shown)
        self._runs.append(Run(shown, self._style(), self._link()))

    def drop(self, text: str, loss: Loss) -> None:
        """Leave out words that the old text had, and note why."""
        self.old.append(text)
        self.losses.add(loss)

    def code(self, text: str) -> None:
        """Add a block of words that keep their spaces."""
        self.old.append(text)
        if self._frames[-1].listing is not None:
            self.open_item()
        self.end_paragraph()
        self.said.append(text)
        self._frames[-1].words.append(f"\n{text}\n")
        self._frames[-1].blocks.append(Code(text))

    def rule(self) -> None:
        """Add a line across the page."""
        self.end_paragraph()
        if self._frames[-1].listing is None:
            self._frames[-1].blocks.append(Divider())

    def heading(self, level: int) -> None:
        """Begin a heading, which ends with its paragraph."""
        self.end_paragraph()
        self._level = level

    def end_paragraph(self) -> None:
        """End a paragraph, if one is open."""
        paragraphs = _paragraphs(self._runs) if self._runs else ()
        self._frames[-1].blocks.extend(Paragraph(runs, self._level) for runs in paragraphs)
        self._runs, self._level = [], 0

    def picture(self, url: str, was: str, shows: str = "") -> None:
        """Add a link to a picture on another site, which would tell that site who reads here; and what it shows."""
        self.losses.add(Loss.PICTURE)
        is_linked = bool(self._frames[-1].links)
        if not is_linked:
            self.open_link(url)
        self.say(was, f"{PICTURE}: {' '.join(shows.split())}" if shows else PICTURE)
        if not is_linked:
            self.close_link()

    def attachment(self, kind: str, was: str = "") -> None:
        """Say that something was attached: a `picture` or a `file`."""
        self.losses.add(Loss.ATTACHMENT)
        self.attachments += 1
        self.end_paragraph()
        self.say(was, f"[A {'picture' if kind == 'picture' else 'file'} was attached]")
        self.end_paragraph()

    # Styles.

    def open_style(self, style: Style) -> None:
        """Begin words of a style."""
        self._frames[-1].styles[style] += 1

    def close_style(self, style: Style) -> None:
        """End words of a style."""
        styles = self._frames[-1].styles
        styles[style] = max(styles[style] - 1, 0)

    def open_link(self, url: str) -> None:
        """Begin the words of a link."""
        frame = self._frames[-1]
        frame.links.append(_Link(url, self.around.link(url), len(self._runs), len(self.said), len(frame.blocks)))

    def close_link(self) -> None:
        """End the words of a link. Where they are its old address, they become the new one."""
        frame = self._frames[-1]
        if not frame.links:
            return
        link = frame.links.pop()
        inside = self._runs[link.run :]
        is_whole = frame.listing is None and len(frame.blocks) == link.blocks and bool(inside)
        if is_whole and link.now != link.url and _is_address("".join(run.text for run in inside).strip(), link.url):
            del self._runs[link.run + 1 :], self.said[link.said + 1 :]
            self._runs[-1].text = self.said[-1] = link.now

    # Blocks in blocks.

    def open_quote(self, name: str | None = None, post: str | None = None) -> None:
        """Begin a quote of somebody, from a post by its old id."""
        if self._frames[-1].listing is not None:
            self.open_item()
        self.end_paragraph()
        is_flat = self._quotes >= DEEPEST_QUOTE or self._depth >= DEEPEST
        frame = self._push(is_flat, weight=1)
        frame.is_quote, frame.name, frame.post = True, name, post
        self._quotes += not is_flat
        if is_flat:
            self.losses.add(Loss.DEPTH)
        else:
            frame.quote = Quote(frame.blocks)
            self.said.append(QUOTE_OPENS)
        frame.said = len(self.said)
        self.said.append("")

    def close_quote(self) -> None:
        """End the innermost quote, and what is open in it. Ask who is quoted."""
        if not any(frame.is_quote for frame in self._frames):
            return
        while not self._frames[-1].is_quote:
            self._close()
        self._close()

    def open_list(self, is_ordered: bool) -> None:
        """Begin a list."""
        if self._frames[-1].listing is not None:
            self.open_item()
        self.end_paragraph()
        is_flat = self._depth + 2 > DEEPEST
        if is_flat:
            self.losses.add(Loss.DEPTH)
        frame = self._push(is_flat, weight=2)
        frame.listing = Listing(is_ordered)

    def open_item(self) -> None:
        """Begin an item of the innermost list, and end the one before."""
        if not self._close_item():
            return
        around = self._frames[-1]
        assert around.listing is not None  # noqa: S101 (what _close_item returned)
        frame = self._push(around.is_flat, weight=0)
        if around.is_flat:
            self.said.append("•")
            self._runs.append(Run("• "))
        else:
            around.listing.items.append(frame.blocks)
            self.said.append(ITEM_OPENS)

    def close_item(self) -> None:
        """End an item of the innermost list."""
        self._close_item()

    def close_list(self) -> None:
        """End the innermost list."""
        if self._close_item():
            self._close()

    def open_few(self) -> None:
        """Begin words that not everybody could read. Nothing in them ends what is open around them."""
        self.end_paragraph()
        if not self.around.is_for_staff:
            self._outside.append({name: value for name, value in vars(self).items() if name not in _OF_ALL})
            self._begin()

    def close_few(self) -> None:
        """End such words, and leave them out. Staff alone could read all that a board of theirs has."""
        if self._outside:
            vars(self).update(self._outside.pop())
            self.say("", OF_FEW)
            self.losses.add(Loss.OF_FEW)
        self.end_paragraph()

    def finish(self) -> list[Block]:
        """End what is open, and return the tree."""
        while self._outside:
            self.close_few()
        while len(self._frames) > 1:
            self._close()
        self.end_paragraph()
        return self.blocks

    # Within.

    def _style(self) -> Style:
        styles = self._frames[-1].styles
        style = Style.PLAIN
        for each, count in styles.items():
            if count:
                style |= each
        return style

    def _link(self) -> str:
        links = self._frames[-1].links
        return links[-1].now if links else ""

    def _push(self, is_flat: bool, weight: int) -> _Frame:
        around = self._frames[-1]
        inherited = [_Link(link.url, link.now, 0, 0, -1) for link in around.links[-1:]]
        frame = _Frame(around.blocks if is_flat else [], Counter(around.styles), inherited, is_flat=is_flat)
        frame.start = len(frame.blocks)
        self._depth += 0 if is_flat else weight
        self._frames.append(frame)
        return frame

    def _close_item(self) -> bool:
        """End what is open in the innermost list, which a quote must not be in; return whether there is one."""
        for at in range(len(self._frames) - 1, 0, -1):
            if self._frames[at].is_quote:
                return False
            if self._frames[at].listing is not None:
                while len(self._frames) > at + 1:
                    self._close()
                return True
        return False

    def _close(self) -> None:
        self.end_paragraph()
        frame = self._frames.pop()
        if frame.is_quote:
            self._close_quote(frame)
            return
        self._frames[-1].words += ["\n", *frame.words, "\n"]
        if frame.listing is not None and not frame.is_flat:
            self._depth -= 2
            if frame.listing.items:
                self._frames[-1].blocks.append(frame.listing)

    def _close_quote(self, frame: _Frame) -> None:
        quoted = self.around.quote(frame.post, frame.name, "".join(frame.words).strip())
        source, heading = self._head(quoted)
        self.said[frame.said] = source or heading
        if quoted.is_hidden:
            self.losses.add(Loss.HIDDEN_QUOTE)
            del frame.blocks[frame.start :], self.said[frame.said + 1 :]
        if frame.quote is None:
            if heading:
                frame.blocks.insert(frame.start, Paragraph([Run(heading, Style.STRONG)]))
            return
        self._quotes -= 1
        self._depth -= 1
        frame.quote.source, frame.quote.heading = source, heading
        self._frames[-1].blocks.append(frame.quote)
        self.said.append(QUOTE_ENDS)

    def _head(self, quoted: Quoted) -> tuple[str, str]:
        """Return the line that names a post, or the words in its stead: ours names only so many."""
        if quoted.is_hidden:
            return "", HIDDEN
        if quoted.handle and quoted.number and self._attributed < MOST_NAMED:
            self._attributed += 1
            return f"@{quoted.handle} #{quoted.number}", ""
        # By their handle, which is replaced wherever it stands when they leave: a name would stay.
        name = f"@{quoted.handle}" if quoted.handle else " ".join(quoted.name.split())
        return "", f"{name} wrote:" if name else ""


def _is_address(words: str, url: str) -> bool:
    """Return whether words are an address, or what is shown of it: without its scheme, or without the board's own."""
    return bool(words) and (words == url or url.endswith(f"/{words}"))


def _paragraphs(runs: Iterable[Run]) -> Iterator[list[Run]]:
    """Give the paragraphs of some runs: an empty line parts them, spaces at the ends of lines are not kept."""
    paragraph: list[Run] = []
    for line in _lines(runs):
        if any(run.text.strip() for run in line):
            if paragraph:
                paragraph.append(Run("\n", paragraph[-1].style & line[0].style, _both(paragraph[-1], line[0])))
            paragraph += line
        elif paragraph:
            yield paragraph
            paragraph = []
    if paragraph:
        yield paragraph


def _both(one: Run, other: Run) -> str:
    return one.link if one.link == other.link else ""


def _lines(runs: Iterable[Run]) -> Iterator[list[Run]]:
    line: list[Run] = []
    for run in runs:
        first, *more = run.text.split("\n")
        if first:
            line.append(Run(first, run.style, run.link))
        for text in more:
            yield line
            line = [Run(text, run.style, run.link)] if text else []
    yield line
