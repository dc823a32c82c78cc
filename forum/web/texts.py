"""Longer texts of the pages, as Markdown: those of the wheel, or the charity's own from the folder FORUM_TEXTS."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import nh3
from markdown_it import MarkdownIt

from forum.core.errors import UnusableSetting
from forum.web.languages import ENGLISH, NAMES

SHIPPED = Path(__file__).with_name("texts")
# What each text is for. `lines` are telephone numbers for who cannot wait: they stand on the first page and wherever
# something failed.
TEXTS: Mapping[str, str] = {
    "front": "the first sentences of the first page; its heading is the page's",
    "lines": "who helps at once, with telephone numbers",
    "help": "more help, below those numbers",
    "safety": "staying safe here, and how to leave at once",
    "privacy": "what we keep",
    "accessibility": "how these pages can be used, and what cannot",
    "about": "who runs the forum",
    "contact": "how to reach the charity: telephone, address, hours",
}
MARK = "mark.svg"  # the charity's own sign, in the same folder
MOST_BYTES = 100_000  # of one text: more is no text for people
FILE = re.compile(r"([a-z]+)\.([a-z]{2})\.md")
HEADING = re.compile(r"\s*#[ \t]+(?P<title>[^\n]+?)[ \t#]*(?:\n|$)")

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
_SAFE = nh3.Cleaner(
    tags={
        *("h2", "h3", "h4", "p", "ul", "ol", "li", "blockquote", "hr", "br", "em", "strong", "s", "code", "a"),
        *("table", "thead", "tbody", "tr", "th", "td"),
    },
    attributes={"*": set(), "a": {"href"}, "ol": {"start"}},
    set_tag_attribute_values={"th": {"scope": "col"}},
    url_schemes={"http", "https", "mailto", "tel", "sms"},
    url_relative="pass_through",  # pages of the forum: [the house rules](/rules)
    link_rel="noopener",
)


class TextsError(UnusableSetting):
    """A folder of texts that cannot be used; the sentence says which file, and why."""


@dataclass(frozen=True)
class Text:
    """A text: its first heading, the rest as safe HTML, and its language, which may not be the page's."""

    title: str
    html: str
    language: str


@dataclass(frozen=True)
class Texts:
    """Every text, by its name and language."""

    by_name: Mapping[str, Mapping[str, Text]]

    def get(self, name: str, language: str) -> Text:
        """Return a text in this language, otherwise in the first language in which it is there."""
        found = self.by_name[name]
        return found.get(language) or next(iter(found.values()))


def read_texts(folder: Path | None) -> Texts:
    """Read all texts: of each, the charity's own where there is one, in any language. Raises TextsError.

    A text of the charity is not mixed with that of the wheel in another language: their numbers may differ. A file that
    is still as it was copied is none of the charity's.
    """
    own = _files(folder) if folder else {}
    edited = {name: _edited(files) for name, files in own.items()}
    return Texts(_shipped() | {name: _read(files) for name, files in edited.items() if files})


@cache
def _shipped() -> dict[str, dict[str, Text]]:
    """Return the texts of the wheel, which stay as they are while the program runs."""
    files = _files(SHIPPED)
    return {name: _read(files[name]) for name in TEXTS}


def _edited(files: Mapping[str, Path]) -> dict[str, Path]:
    """Return those of a text's files that differ from what the wheel has under their names."""
    shipped = shipped_files()
    return {
        language: path
        for language, path in files.items()
        if path.name not in shipped or path.read_bytes() != shipped[path.name].read_bytes()
    }


def shipped_files() -> Mapping[str, Path]:
    """Return the texts of the wheel, by the names of their files."""
    return {path.name: path for path in sorted(SHIPPED.glob("*.md"))}


def _files(folder: Path) -> dict[str, dict[str, Path]]:
    """Return the files of a folder by name and language, English first. Raises TextsError for a name without meaning.

    Whoever misspells a name would otherwise never learn that nobody reads their text.
    """
    if not folder.is_dir():
        raise TextsError(f"FORUM_TEXTS names {folder}, which is no folder.")
    found: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.iterdir(), key=lambda path: (f".{ENGLISH}." not in path.name, path.name)):
        parts = FILE.fullmatch(path.name)
        if path.name == MARK or path.name.startswith(".") or not path.name.endswith(".md"):
            continue
        if parts is None or parts[1] not in TEXTS or parts[2] not in NAMES:
            known = ", ".join(f"{name}.{ENGLISH}.md" for name in TEXTS)
            raise TextsError(f"In FORUM_TEXTS, {path.name} is none of the texts: {known}; or .cy.md for Welsh.")
        found.setdefault(parts[1], {})[parts[2]] = path
    return found


def _read(files: Mapping[str, Path]) -> dict[str, Text]:
    return {language: parse_text(path, language) for language, path in files.items()}


def parse_text(path: Path, language: str) -> Text:
    """Return the text of a file. Raises TextsError when it cannot be read or does not begin with a heading."""
    try:
        content = path.read_bytes()
        source = content.decode("utf-8-sig").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise TextsError(f"{path} cannot be read as text: {error}.") from None
    if len(content) > MOST_BYTES:
        raise TextsError(f"{path} is longer than {MOST_BYTES:,} bytes.")
    heading = HEADING.match(source)
    if heading is None:
        raise TextsError(f"{path} has to begin with a heading: a line with # and its title.")
    return Text(heading["title"], render(source[heading.end() :]), language)


def render(markdown: str) -> str:
    """Return a text of ours as safe HTML: unlike a member's, it can have tables and links to other pages."""
    return _SAFE.clean(_MARKDOWN.render(markdown))
