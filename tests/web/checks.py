"""What must hold for the HTML of every page, whoever reads it and whatever happened."""

import re
from collections.abc import Iterator, Set
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple
from xml.etree.ElementTree import Element

from tests.web.support import HIDDEN, parsed

HEADINGS = {f"h{level}": level for level in range(1, 7)}
FIELDS = {"input", "select", "textarea"}
NEEDS_NO_LABEL = {"hidden", "submit", "button", "reset", "image"}
BLOCKS = {
    "address", "article", "blockquote", "button", "caption", "dd", "details", "div", "dt", "fieldset", "figcaption",
    "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "label", "legend", "li", "main", "nav", "ol",
    "option", "p", "section", "summary", "table", "td", "th", "title", "tr", "ul",
}  # fmt: skip
# Where words of members stand; and those of the charity, which may lead elsewhere.
THEIRS, CHARITY = {"words"}, {"help", "text", "lead"}
# Words of programs, not of people. The first two are verbs of HTTP only in capitals.
RESERVED = re.compile(r"\bPOST\b|\bGET\b|\bAPI\b|/api/|(?i:\binvalid\b|\berrors?\b|\boops\b|\bplease try harder\b)|!")
# Two sentences, or a sentence and a link, without a space between them: a template's line end went with its last tag.
STUCK = re.compile(r"[a-z][.?!][A-Z]|(?<!\{lin)[a-z]:[A-Za-z]")  # but {link:this} of templates
REFERENCES = ("aria-labelledby", "aria-describedby", "aria-controls", "for", "headers")
ADDRESSES = ("href", "src", "action", "formaction", "data", "poster")
OPENS_PROGRAMS = ("tel:", "sms:", "mailto:", "otpauth:")  # of the device itself
ABSOLUTE = re.compile(r"(?i)^\s*([a-z][a-z0-9+.-]*:|//)")


class Look(NamedTuple):
    """What is wrong with a page, and what it says."""

    faults: list[str]
    sentences: list[str]


@lru_cache(2000)  # the same page comes again and again, and to read its HTML is most of the time of tests of pages
def look_at(html: str) -> Look:
    """Look at a page. Raises html5lib's ParseError for one that is not well formed."""
    tree = parsed(html)
    return Look(_faults(tree), _sentences_on(tree))


def faults_of(html: str) -> list[str]:
    """What is wrong with a page. Raises html5lib's ParseError for one that is not well formed."""
    return look_at(html).faults


def sentences_of(html: str) -> list[str]:
    """Our own sentences on a page: what stands in blocks, without the words of people."""
    return look_at(html).sentences


def _faults(tree: Element) -> list[str]:
    every = [element for element in tree.iter() if isinstance(element.tag, str)]
    return [
        *_frame(tree, every),
        *_headings(tree),
        *_identifiers(every),
        *_labels(tree, every),
        *_tables(every),
        *_code(every),
        *_addresses(tree),
        *_sentences(tree),
        *_badges(every),
    ]


def _frame(tree: Element, every: list[Element]) -> Iterator[str]:
    if tree.get("lang") not in {"en", "cy"}:
        yield f"lang={tree.get('lang')}"
    titles = [element for element in every if element.tag == "title"]
    if len(titles) != 1 or not (titles[0].text or "").strip():
        yield "not one title"
    if sum(element.tag == "main" for element in every) != 1:
        yield "not one main"
    if not any(element.get("name") == "viewport" for element in every):
        yield "no viewport"


def _headings(tree: Element) -> Iterator[str]:
    found = [HEADINGS[element.tag] for element in ours(tree) if element.tag in HEADINGS]
    if found.count(1) != 1:
        yield f"{found.count(1)} h1"
    for before, after in pairwise(found):
        if after > before + 1:
            yield f"h{after} after h{before}"
    for element in tree.iter():
        if element.tag in HEADINGS and not words_of(element):
            yield f"empty {element.tag}"


def _identifiers(every: list[Element]) -> Iterator[str]:
    found = [identifier for element in every if (identifier := element.get("id")) is not None]
    for identifier in {identifier for identifier in found if found.count(identifier) > 1}:
        yield f"id {identifier} twice"
    for element in every:
        for name in REFERENCES:
            for identifier in element.get(name, "").split():
                if identifier not in found:
                    yield f"{element.tag} {name}={identifier} leads nowhere"
        if element.tag == "a" and element.get("href", "").startswith("#") and element.get("href", "")[1:] not in found:
            yield f"{element.get('href')} leads nowhere"


def _labels(tree: Element, every: list[Element]) -> Iterator[str]:
    labelled = {element.get("for") for element in every if element.tag == "label" and words_of(element)}
    labelled |= {field.get("id") for label in tree.iter("label") if words_of(label) for field in label.iter()}
    for element in every:
        named = element.get("aria-label") or element.get("aria-labelledby")
        if element.tag in FIELDS and element.get("type") not in NEEDS_NO_LABEL and not named:
            inside = any(element in label.iter() for label in tree.iter("label"))
            if not inside and (element.get("id") is None or element.get("id") not in labelled):
                yield f"no label for {element.tag} {element.get('name')}"
        if element.tag in {"a", "button", "summary", "legend", "label"} and not named and not words_of(element):
            yield f"empty {element.tag} {element.get('href', '')}"
        if element.tag == "img" and element.get("alt") is None:
            yield "img without alt"
        if element.tag == "svg" and not named and element.get("aria-hidden") != "true":
            yield "svg without a name"
        if element.tag == "form" and element.get("method") not in {"post", "get"}:
            yield "form without a method"
    for group in tree.iter("fieldset"):
        if group.find("legend") is None:
            yield "fieldset without a legend"
    yield from _choices(tree)


def _choices(tree: Element) -> Iterator[str]:
    """Radio buttons stand in a fieldset with the question as its legend."""
    grouped = {id(field) for group in tree.iter("fieldset") for field in group.iter("input")}
    for field in tree.iter("input"):
        if field.get("type") == "radio" and id(field) not in grouped:
            yield f"radio {field.get('name')} outside of a fieldset"


def _tables(every: list[Element]) -> Iterator[str]:
    for element in every:
        if element.tag == "th" and element.get("scope") not in {"col", "row", "colgroup", "rowgroup"}:
            yield "th without scope"
        if element.tag == "table" and element.find(".//th") is None:
            yield "table without th"


def _code(every: list[Element]) -> Iterator[str]:
    for element in every:
        for name in element.attrib:
            if str(name) == "style" or str(name).startswith("on"):
                yield f"{element.tag} {name}="
        if element.tag == "script" and (element.text or "").strip():
            yield "inline script"
        if element.tag == "script" and not element.get("src", "").startswith("/static/"):
            yield f"script {element.get('src')}"
        if element.tag in {"iframe", "object", "embed", "base", "marquee"}:
            yield str(element.tag)


def _sentences(tree: Element) -> Iterator[str]:
    for element in ours(tree, THEIRS | CHARITY | {"links"}):  # links of a row stand apart by their style
        if element.tag == "p" and not is_theirs(element) and (found := STUCK.search("".join(element.itertext()))):
            yield f"no space: {found.string[max(0, found.start() - 20) : found.end() + 20]}"


def _badges(every: list[Element]) -> Iterator[str]:
    """Badges in a row stand apart by a space, for who hears or copies them; their margins are only for the eye."""
    for element in every:
        for before, after in pairwise(element):
            beside = before, after
            if not before.tail and any("badge" in each.get("class", "").split() for each in beside):
                yield f"no space between {' and '.join(words_of(each) for each in beside)}"


def _addresses(tree: Element) -> Iterator[str]:
    """No page of ours loads, sends or leads anywhere but here; words of people may lead away."""
    for element in ours(tree, THEIRS | CHARITY):
        for name in ADDRESSES:
            where = element.get(name, "")
            if ABSOLUTE.match(where) and not where.startswith(OPENS_PROGRAMS) and not _tells_nothing(element):
                yield f"{element.tag} {name}={where}"
    for element in tree.iter():
        if element.tag in {"img", "source", "video", "audio", "link", "script", "form"}:
            for name in ADDRESSES:
                if ABSOLUTE.match(element.get(name, "")):
                    yield f"{element.tag} {name}={element.get(name)}"


def _tells_nothing(element: Element) -> bool:
    """Whether a link leads away from the forum on purpose, and does not say where from."""
    return element.tag == "a" and "noreferrer" in element.get("rel", "").split()


def ours(element: Element, theirs: Set[str] = THEIRS) -> Iterator[Element]:
    """Every element but those inside of a text that others wrote, by its class."""
    if not isinstance(element.tag, str) or theirs & set(element.get("class", "").split()):
        return
    yield element
    for child in element:
        yield from ours(child, theirs)


def is_theirs(element: Element) -> bool:
    """Whether people wrote what stands in an element: it has a direction of its own, or a class that says so."""
    return element.get("dir") == "auto" or bool(THEIRS & set(element.get("class", "").split()))


def words_of(element: Element) -> str:
    """All text in an element, and names that only screen readers tell."""
    told = [element.get("aria-label", ""), element.get("alt", "")]
    inner = [words_of(child) for child in element if isinstance(child.tag, str)]
    texts = [element.text or "", *(child.tail or "" for child in element)]
    return " ".join([*told, *inner, *texts]).strip()


def _sentences_on(tree: Element) -> list[str]:
    lines: list[str] = [""]
    _gather(tree, lines)
    whole = (re.sub(r"\s+", " ", line).strip() for line in lines)
    parts = (part for line in whole for part in re.split(r"(?<=[.?])\s+(?=[A-Z“])", line))
    return [part for part in parts if part]


def _gather(element: Element, lines: list[str]) -> None:
    if isinstance(element.tag, str) and element.tag not in HIDDEN and not is_theirs(element):
        is_block = element.tag in BLOCKS
        if is_block:
            lines.append("")
        lines[-1] += element.text or ""
        for child in element:
            _gather(child, lines)
        if is_block:
            lines.append("")
    elif isinstance(element.tag, str) and is_theirs(element):
        lines[-1] += "…"
    lines[-1] += element.tail or ""
