"""Split a text that is too long for one post: old boards took more characters than ours."""

import re
from collections.abc import Iterable, Iterator

from forum.content.markup import BLOCKS
from forum.content.posts.lengths import BODY_MAX
from forum.importers.texts.escaping import escape_all, escape_line_start
from forum.importers.texts.proof import letters, words_shown

_QUOTED = re.compile(r"(?:> ?)*")


def split(markdown: str, most: int = BODY_MAX) -> list[str]:
    """Return the text as posts of at most so many characters. It is parted between paragraphs where that is possible.

    No word is lost: where a block that is too long cannot be parted as it is, its words are, without emphasis.
    """
    if len(markdown) <= most:
        return [markdown]
    parts = (part for block in _blocks(markdown) for part in _parts(block, most))
    return list(_filled(parts, most, "\n\n"))


def _blocks(markdown: str) -> Iterator[str]:
    """Give the outermost blocks."""
    lines = markdown.split("\n")
    for token in BLOCKS.parse(markdown):
        if token.level == 0 and token.map and token.nesting >= 0:
            yield "\n".join(lines[token.map[0] : token.map[1]]).rstrip()


def _filled(parts: Iterable[str], most: int, gap: str) -> Iterator[str]:
    """Give the parts joined, as many as there is room for."""
    filled = ""
    for part in parts:
        if filled and len(filled) + len(gap) + len(part) > most:
            yield filled
            filled = ""
        filled = f"{filled}{gap}{part}" if filled else part
    if filled:
        yield filled


def _parts(block: str, most: int) -> Iterator[str]:
    """Give a block, or parts of it."""
    if len(block) <= most:
        yield block
        return
    parts = _code(block, most) if block.startswith("```") else _lines(block, most)
    shown = words_shown(block)
    if letters(map(words_shown, parts)) != letters([shown]):
        prefix = "> " if block.startswith(">") else ""
        # An escape doubles a character at most.
        lines = _filled(_short(shown, most // 2 - len(prefix)), most // 2 - len(prefix), " ")
        parts = [f"{prefix}{escape_all(line)}" for line in lines]
    yield from parts


def _code(block: str, most: int) -> list[str]:
    fence, *lines, _ = block.split("\n")
    room = most - 2 * len(fence) - 2
    pieces = (line[at : at + room] for line in lines for at in range(0, max(len(line), 1), max(room, 1)))
    return [f"{fence}\n{piece}\n{fence}" for piece in _filled(pieces, room, "\n")]


def _lines(block: str, most: int) -> list[str]:
    """Return the lines of a block; one that is too long is parted between words, each part in the same quotes."""
    lines = list[str]()
    for line in block.split("\n"):
        prefix = _QUOTED.match(line)
        assert prefix is not None  # noqa: S101 (it matches nothing too)
        if len(line) <= most:
            lines.append(line)
        else:
            room = most - prefix.end() - 1  # an escape may come to its start
            words = _filled(_short(line[prefix.end() :], room), room, " ")
            lines += [f"{prefix[0]}{escape_line_start(part)}" for part in words]
    return list(_filled(lines, most, "\n"))


def _short(text: str, most: int) -> Iterator[str]:
    """Give the words of a text; one that is too long comes in parts."""
    for word in text.split():
        yield from (word[at : at + most] for at in range(0, len(word), most))
