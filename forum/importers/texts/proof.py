"""Prove that a text was carried over: compare what is shown, letter for letter, without white space."""

import re
from collections.abc import Iterable
from html import unescape

from forum.content import markup
from forum.importers.texts.tree import ITEM_OPENS, QUOTE_ENDS, QUOTE_OPENS

_TAG = re.compile(r"<(/?)([a-z0-9]+)[^>]*>")
_STRUCTURE = {("", "blockquote"): QUOTE_OPENS, ("/", "blockquote"): QUOTE_ENDS, ("", "li"): ITEM_OPENS}
_MARKS = dict.fromkeys(map(ord, _STRUCTURE.values()))


def letters(parts: Iterable[str]) -> str:
    """Return what is to be seen of some words, in which white space does not count."""
    return "".join("".join(parts).split())


def is_shown(markdown: str, said: Iterable[str]) -> bool:
    """Return whether our Markdown shows what was said, in the same quotes and items, and mentions nobody."""
    return not markup.find_references(markdown).mentions and letters([_shown(markdown)]) == letters(said)


def words_shown(markdown: str) -> str:
    """Return the words that our Markdown shows, with the spaces between them."""
    return _shown(markdown).translate(_MARKS)


def _shown(markdown: str) -> str:
    html = markup.render(markdown, markup.NOTHING_KNOWN)
    return unescape(_TAG.sub(lambda tag: _STRUCTURE.get((tag[1], tag[2]), ""), html))
