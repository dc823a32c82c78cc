"""One page as a file. What needs the forum is left out: scripts, forms, and links to where somebody would do something.

The pages are those that guests get, so nothing is in a copy that a guest may not read. Pure functions.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import escape
from html.parser import HTMLParser
from posixpath import dirname, relpath
from typing import TypeAlias

_VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"]
)
_LEFT_OUT = frozenset(["script", "form", "iframe", "template", "noscript"])
_EMPTIED = frozenset(["p", "li", "ul", "ol", "div", "details", "section", "nav"])  # go with the last that was in them
_LINES = frozenset(["p", "li", "dd"])
# Where links stand in sentences that people or the charity wrote: the words stay, even if the link leads nowhere.
_WORDS = frozenset(["words", "text", "lead", "help", "as-typed"])
# What would be read, and not done, at an address: its name stays, without the link.
_CONTENT = re.compile(r"/(?:boards|members|posts|threads)/[^/?#]+(?:\?start=[0-9]*)?(?:#.*)?")
# Nothing is loaded from elsewhere, and nothing runs.
_POLICY = "default-src 'none'; style-src 'unsafe-inline' 'self'; img-src 'self'; base-uri 'none'; form-action 'none'"


@dataclass
class _Element:
    tag: str
    attributes: dict[str, str | None]
    inside: "list[_Node]" = field(default_factory=list)
    is_emptied: bool = False  # something within it was left out

    @property
    def classes(self) -> set[str]:
        return set((self.attributes.get("class") or "").split())


@dataclass(frozen=True)
class _Gone:
    """In place of what was left out."""

    is_link: bool = False  # within a line


_Node: TypeAlias = "_Element | _Gone | str"
_GONE = _Gone()


@dataclass(frozen=True)
class CopiedPage:
    """Where a page stands, what is said above it, and which file has what an address shows."""

    file: str
    note: str
    file_of: Callable[[str], str | None]  # of an address within the forum, with the place in the file
    own: str = ""  # how addresses of this forum begin: https://forum.example.org
    is_indexable: bool = False

    def write(self, html: str) -> str:
        """Return the page as it stands in its file."""
        reader = _TreeReader()
        reader.feed(html)
        reader.close()
        for head in _all(reader.root, "head"):
            after = next((place for place, node in enumerate(head.inside, 1) if isinstance(node, _Element)), 0)
            head.inside[after:after] = [*self._said_to_browsers()]  # the encoding comes first
        written = _Writer(self).elements(reader.root.inside, in_words=False)
        for element in written:
            if isinstance(element, _Element):
                for main in _all(element, "main"):
                    main.inside.insert(0, _Element("p", {"class": "box"}, [escape(self.note)]))
        return "".join(map(_as_html, written))

    def _said_to_browsers(self) -> "Iterator[_Node]":
        yield _Element("meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY})
        yield _Element("meta", {"name": "referrer", "content": "no-referrer"})
        if not self.is_indexable:
            yield _Element("meta", {"name": "robots", "content": "noindex"})

    def link(self, address: str) -> tuple[str | None, bool]:
        """Return what a link leads to in this file, None where it is nowhere; and whether it is one of the forum's."""
        if self.own and (address == self.own or address.startswith(f"{self.own}/")):
            address = address.removeprefix(self.own) or "/"
        if not address.startswith("/") or address.startswith("//"):
            return address, False
        if (found := self.file_of(address)) is None:
            return None, True
        file, mark, place = found.partition("#")
        here = mark + place if file == self.file and place else ""
        return here or relpath(file, dirname(self.file) or ".") + mark + place, True


@dataclass
class _Writer:
    page: CopiedPage

    def elements(self, nodes: "list[_Node]", *, in_words: bool) -> "list[_Node]":
        written: list[_Node] = []
        for node in nodes:
            if isinstance(node, _Element):
                written += self._element(node, in_words=in_words)
            else:
                written.append(node)
        return written

    def _element(self, element: _Element, *, in_words: bool) -> "list[_Node]":
        if "leave" in element.classes and element.tag == "form":
            return [_way_out(element)]
        if element.tag in _LEFT_OUT or "hidden" in element.attributes:
            return [_GONE]
        if element.tag == "link" and not self._find(element, "href"):
            return []
        if element.tag == "img" and not self._find(element, "src"):
            return []
        in_words = in_words or bool(_WORDS & element.classes)
        inside = self.elements(element.inside, in_words=in_words)
        if element.tag == "a" and "href" in element.attributes:
            return self._link(element, inside, in_words=in_words)
        kept = {name: value for name, value in element.attributes.items() if not name.startswith(("on", "data-"))}
        return [_without_gaps(_Element(element.tag, kept | _looks(element), inside))]

    def _link(self, link: _Element, inside: "list[_Node]", *, in_words: bool) -> "list[_Node]":
        address = link.attributes["href"] or ""
        if "number" in link.classes and address.startswith("/posts/"):
            return [_Element("a", {**link.attributes, "href": f"#post-{_said(link)}"}, inside)]
        leads, is_own = self.page.link(address)
        if leads is not None:
            return [_Element("a", {**link.attributes, "href": leads}, inside)]
        path = address.removeprefix(self.page.own) if self.page.own else address
        return inside if is_own and (in_words or _CONTENT.fullmatch(path)) else [_Gone(is_link=True)]

    def _find(self, element: _Element, attribute: str) -> bool:
        leads, _ = self.page.link(element.attributes.get(attribute) or "")
        element.attributes[attribute] = leads
        return leads is not None


def _looks(element: _Element) -> dict[str, str | None]:
    """Return what styles ask for: how large letters are, and in which colours."""
    return {name: element.attributes[name] for name in ("data-size", "data-colours") if name in element.attributes}


def _way_out(form: _Element) -> _Element:
    """Return a plain link for whoever has to leave the page in haste."""
    leads = {"class": "leave", "href": form.attributes.get("data-leave"), "rel": "noreferrer"}
    return _Element("a", leads, [_said(form)])


def _without_gaps(element: _Element) -> "_Node":
    """Return an element without what is gone; nothing, where that leaves half a sentence, or nothing to read."""
    element.is_emptied = any(isinstance(node, _Gone) or _is_emptied(node) for node in element.inside)
    links = [isinstance(node, _Gone) and node.is_link for node in element.inside]
    if any(links) and element.tag in _LINES and _say(element.inside[links.index(True) :]):
        return _GONE
    element.inside = [node for node in element.inside if not isinstance(node, _Gone)]
    if element.is_emptied and element.tag in _EMPTIED:
        shown = [node for node in element.inside if not (isinstance(node, _Element) and node.tag == "summary")]
        if not any(map(_shows, shown)):
            return _GONE
    return element


def _say(nodes: "list[_Node]") -> bool:
    return any(_said(node).strip() for node in nodes)


def _is_emptied(node: "_Node") -> bool:
    return isinstance(node, _Element) and node.is_emptied


def _shows(node: "_Node") -> bool:
    if isinstance(node, _Element):
        return node.tag in {"img", "svg", "hr"} or any(map(_shows, node.inside))
    return isinstance(node, str) and bool(node.strip())


def _said(node: "_Node") -> str:
    if isinstance(node, _Element):
        return "".join(map(_said, node.inside))
    return node if isinstance(node, str) else ""


def _all(element: _Element, tag: str) -> Iterator[_Element]:
    if element.tag == tag:
        yield element
    for node in element.inside:
        if isinstance(node, _Element):
            yield from _all(node, tag)


def _as_html(node: "_Node") -> str:
    if not isinstance(node, _Element):
        return node if isinstance(node, str) else ""
    attributes = "".join(
        f" {name}" if value is None else f' {name}="{escape(value)}"' for name, value in node.attributes.items()
    )
    inside = "".join(map(_as_html, node.inside))
    return f"<{node.tag}{attributes}>" + ("" if node.tag in _VOID else f"{inside}</{node.tag}>")


class _TreeReader(HTMLParser):
    """Reads a page of ours, which is whole: each element that is opened is closed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.root = _Element("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = _Element(tag, dict(attrs))
        self._open[-1].inside.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open[-1].inside.append(_Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID and len(self._open) > 1:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].inside.append(data)

    def handle_entityref(self, name: str) -> None:
        self._open[-1].inside.append(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self._open[-1].inside.append(f"&#{name};")

    def handle_decl(self, decl: str) -> None:
        self._open[-1].inside.append(f"<!{decl}>")
