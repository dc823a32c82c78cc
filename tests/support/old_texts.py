"""Texts as old boards kept them: trees that are written in each form, and what a reader saw of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from hypothesis import strategies as st

UID = "1a2b3c4d"
SMILEYS = {":)": "🙂", ":lol:": "😆", ":hugs:": ":hugs:"}
# What is markup in one form or the other, what our Markdown would make something of, and ordinary words.
PIECES = [
    *("word", "two words", " ", " ", "\n", "\n\n", "é", "🌞", "\u00a0", "don't", "5*5", "snake_case", "<3", "[hugs]"),
    *("*", "**", "_", "__", "`", "```", "~~", "\\", "!", "[", "]", "](", ")", "<", ">", "&", "#", "|", "=", ":", "-"),
    *("1. ", "2) ", "- ", "+ ", "# ", "> ", "---\n", "\t", "@suzie", "@suzie #7\n", "a@b.org", "http://x.org/a_b?c=d"),
    *("www.x.org", "https://", "://", "[b]", "[/b]", "[b:1a2b]", "[quote]", ":)", "&amp;", "&lt;b&gt;", "&copy", "]]>"),
    *("[removed: rule 10](http://x.org)", "[removed]", "<b>", "<!-- x -->", "<http://x.org>", "![a](http://x.org)"),
]
NAMES = ["Suzie", "Worried Mum of 3", "Mum & Dad", "[b]Sunny[/b] 🌞", "a*b_c`"]


@dataclass(frozen=True)
class Node:
    """A tag with what is in it, or text, where there is no tag."""

    tag: str = ""
    text: str = ""  # or the name of who is quoted, or an address
    children: Sequence["Node"] = ()


def trees() -> st.SearchStrategy[list[Node]]:
    """Return texts with tags in each other."""
    text = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join)
    leaf = st.one_of(
        text.map(lambda words: Node(text=words)),
        text.map(lambda words: Node(text=words)),
        st.sampled_from(sorted(SMILEYS)).map(lambda code: Node("smiley", code)),
        text.map(lambda words: Node("code", words)),
    )
    return st.lists(st.recursive(leaf, _around, max_leaves=12), min_size=1, max_size=5)


def _around(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    children = st.lists(inner, min_size=1, max_size=4)
    styles = st.sampled_from(["b", "i", "b", "i", "s", "u", "color", "fun"])
    return st.one_of(
        st.builds(lambda tag, inside: Node(tag, children=inside), styles, children),
        st.builds(lambda name, inside: Node("quote", name, inside), st.sampled_from(["", *NAMES]), children),
        st.builds(lambda inside: Node("url", "http://x.org/?a=1&b=(2)", inside), children),
        st.builds(
            lambda kind, items: Node("list", kind, [Node("li", children=item) for item in items]),
            st.sampled_from(["", "1", "a"]),
            st.lists(children, min_size=1, max_size=3),
        ),
    )


def words_of(nodes: Sequence[Node]) -> str:
    """Return what a reader saw, and what we say instead of smileys."""
    return "".join(map(_words, nodes))


def _words(node: Node) -> str:
    if node.tag == "smiley":
        return SMILEYS[node.text]
    if node.tag in {"", "code"}:
        return node.text
    head = f"{node.text} wrote:" if node.tag == "quote" and node.text else ""
    return head + words_of(node.children)


def as_s9e(nodes: Sequence[Node]) -> str:
    """Write a text as phpBB 3.3 keeps it."""
    return f"<r>{''.join(map(_s9e, nodes))}</r>"


def _s9e(node: Node) -> str:
    inside = "".join(map(_s9e, node.children))
    typed = f"<s>[{node.tag}]</s>{inside}<e>[/{node.tag}]</e>"
    match node.tag:
        case "":
            written = escape(node.text, quote=False).replace("\n", "<br/>\n")
        case "smiley":
            written = f"<E>{escape(node.text, quote=False)}</E>"
        case "code":
            written = f"<CODE><s>[code]</s><i>\n</i>{escape(node.text, quote=False)}<e>[/code]</e></CODE>"
        case "quote":
            written = f"<QUOTE{_attribute('author', node.text)}>{typed}</QUOTE>"
        case "url":
            written = f"<URL{_attribute('url', node.text)}>{typed}</URL>"
        case "list":
            kind = {"1": "decimal", "a": "lower-alpha"}.get(node.text, "")
            written = f"<LIST{_attribute('type', kind)}>{typed}</LIST>"
        case "li":
            written = f"<LI><s>[*]</s>{inside}</LI>\n"
        case _:
            written = f"<{node.tag.upper()}>{typed}</{node.tag.upper()}>"
    return written


def _attribute(name: str, value: str) -> str:
    return f' {name}="{escape(value)}"' if value else ""


def as_bbcode(nodes: Sequence[Node]) -> str:
    """Write a text as phpBB 3.0 keeps it."""
    return "".join(map(_bbcode, nodes))


def _bbcode(node: Node) -> str:
    inside = "".join(map(_bbcode, node.children))
    match node.tag:
        case "":
            written = escape(node.text).replace("&#x27;", "'")
        case "smiley":
            code = escape(node.text)
            written = f'<!-- s{code} --><img src="{{SMILIES_PATH}}/x.gif" alt="{code}" title="Smile" /><!-- s{code} -->'
        case "code":
            written = f"[code:{UID}]{_encoded(node.text)}[/code:{UID}]"
        case "quote":
            name = f"=&quot;{escape(node.text)}&quot;" if node.text else ""
            written = f"[quote{name}:{UID}]{inside}[/quote:{UID}]"
        case "url":
            written = f"[url={_encoded(node.text)}:{UID}]{inside}[/url:{UID}]"
        case "list":
            kind = f"={node.text}" if node.text else ""
            written = f"[list{kind}:{UID}]{inside}[/list:{'o' if kind else 'u'}:{UID}]"
        case "li":
            written = f"[*:{UID}]{inside}[/*:m:{UID}]"
        case _:
            written = f"[{node.tag}:{UID}]{inside}[/{node.tag}:{UID}]"
    return written


def _encoded(text: str) -> str:
    """Return a text with what phpBB encodes in code and addresses, so that no other pass finds it."""
    marks = {"[": "&#91;", "]": "&#93;", "(": "&#40;", ")": "&#41;", ".": "&#46;", ":": "&#58;"}
    return "".join(marks.get(char, char) for char in escape(text))
