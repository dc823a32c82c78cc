"""Markdown → safe HTML, with quotes that name a post and mentions that name a member."""

import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import chain, takewhile
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import StateBlock, blockquote, list_block
from markdown_it.rules_inline import StateInline, link, linkify
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from forum.members import names

MOST_NAMED = 20  # of each kind in one body: each costs a lookup, and a post that names hundreds is a nuisance
DEEPEST_BLOCK = 16  # below the parser's own maxNesting (20), at which it would drop text without a word
LARGEST_HEADING = 3  # h1 and h2 belong to the page around a post

GONE = "·"  # stands for each character that was taken away for good

QUOTE_SOURCE = re.compile(r" #([1-9][0-9]{0,8})(?: wrote)?:?\s*")
REMOVED = re.compile(r"\[removed(?:: rules? [0-9][0-9, and]*)?\]")
HOST = r"^(?:[\w-]{1,63}\.){1,4}[^\W_]{2,63}(?!\.?[\w-])"  # bounded: linkify-it's own costs 10 s on www.www.www…
ABSOLUTE = re.compile(r"(?:https?://[^/?#]|mailto:.|tel:.)", re.IGNORECASE)

TEXT_BLOCKS = ("p", "li", "blockquote", "h3", "h4", "h5", "h6")
SAFE = nh3.Cleaner(
    tags={*TEXT_BLOCKS, "ol", "ul", "pre", "code", "hr", "br", "em", "strong", "s", "a", "span"},
    attributes={
        "*": set(),  # without this, nh3 lets `title` and `lang` through on every tag
        "a": {"href"},
        "blockquote": {"data-post", "data-author"},
        "ol": {"start"},
        "span": {"data-handle"},
    },
    tag_attribute_values={"p": {"class": {"quote-source"}}, "span": {"class": {"mention"}}},
    # One post may mix languages: each block takes its direction from its own first letter.
    set_tag_attribute_values={tag: {"dir": "auto"} for tag in TEXT_BLOCKS},
    url_schemes={"http", "https", "mailto", "tel"},
    url_relative="deny",
    link_rel="ugc nofollow noopener",
    strip_comments=True,
)


@dataclass(frozen=True)
class QuoteRef:
    """What a quote's first line names: `> @suzie #7` is `QuoteRef("suzie", 7)`; the handle is canonical."""

    handle: str
    number: int


@dataclass(frozen=True)
class References:
    """Whom and what a body names, to be looked up before it is rendered; handles are canonical."""

    mentions: frozenset[str]
    quotes: frozenset[QuoteRef]


@dataclass(frozen=True)
class Known:
    """Which references are real; the rest stays text, so that nobody can be made to have said something.

    `members` maps a canonical handle to its display name. `quotes` maps a quote to its author's display
    name, and holds only posts of this thread, visible to its readers and by that author.
    """

    members: Mapping[str, str]
    quotes: Mapping[QuoteRef, str]


NOTHING_KNOWN = Known({}, {})


@dataclass(frozen=True)
class Parsed:
    """A body that was read once: look up its `references`, then ask for its `html`."""

    references: References
    _tokens: Sequence[Token] = field(repr=False)

    def html(self, known: Known = NOTHING_KNOWN) -> str:
        """Return safe HTML in which the `known` references are marked; may be called again."""
        return SAFE.clean(MARKDOWN.renderer.render(self._tokens, MARKDOWN.options, {"known": known}))


def parse(body_markdown: str) -> Parsed:
    """Read any text that has no lone surrogates. Nothing is an error: what has no meaning stays as typed."""
    tokens = MARKDOWN.parse(body_markdown)
    for token in tokens:
        _lower_heading(token)
        token.children = list(_without_links_in_links(token.children or []))
    quotes = _name_quotes(tokens)
    return Parsed(References(_name_mentions(tokens), quotes), tokens)


def without_handle(text: str, handle: str) -> str:
    """The text with marks in the place of a handle, wherever it is mentioned or quoted: as many as it had characters,
    so that whatever counts positions in the text stays right.
    """
    kept, reached = list[str](), 0
    while (at := text.find("@", reached)) >= 0:
        typed, folded = _handle_at(text, at + 1, len(text))
        is_theirs = folded == handle and not _belongs_to_what_precedes(text, at)
        end = at + 1 + len(typed)
        kept += [text[reached : at + 1], GONE * len(typed) if is_theirs else typed]
        reached = end
    return "".join([*kept, text[reached:]])


# After parsing: what the whole body names.


def _lower_heading(token: Token) -> None:
    if token.type in {"heading_open", "heading_close"}:
        token.tag = f"h{min(int(token.tag[1:]) + LARGEST_HEADING - 1, 6)}"


def _without_links_in_links(children: Sequence[Token]) -> Iterator[Token]:
    """Keep the words of an image that stood inside a link, not its address: HTML cannot nest links."""
    depth = 0
    for token in children:
        depth -= token.type == "link_close"
        if depth == 0 or token.type not in {"link_open", "link_close"}:
            yield token
        depth += token.type == "link_open"


def _name_quotes(tokens: Sequence[Token]) -> frozenset[QuoteRef]:
    named: set[QuoteRef] = set()
    for quote, paragraph, words in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if (quote.type, paragraph.type) != ("blockquote_open", "paragraph_open"):
            continue
        children = words.children or []
        source = _quote_source(children)
        if source and _has_room(named, source):
            named.add(source)
            written = children[0].content + children[1].content
            quote.meta = {"source": source}
            words.children = [Token("quote_source", "", 0, content=written, meta=quote.meta), *children[3:]]
    return frozenset(named)


def _quote_source(children: Sequence[Token]) -> QuoteRef | None:
    """Read `@suzie #7`, `@suzie #7:` or `@suzie #7 wrote:`, alone on the first line."""
    match [child.type for child in children[:3]]:
        case ["mention", "text"] | ["mention", "text", "softbreak" | "hardbreak"]:
            number = QUOTE_SOURCE.fullmatch(children[1].content)
            return QuoteRef(children[0].meta["handle"], int(number[1])) if number else None
    return None


def _name_mentions(tokens: Sequence[Token]) -> frozenset[str]:
    named: set[str] = set()
    for token in chain.from_iterable(block.children or [] for block in tokens):
        if token.type == "mention" and _has_room(named, token.meta["handle"]):
            named.add(token.meta["handle"])
        elif token.type == "mention":
            token.type = "text"
    return frozenset(named)


def _has_room(named: AbstractSet[object], name: object) -> bool:
    return name in named or len(named) < MOST_NAMED


# While parsing: rules beside markdown-it's own, or in the place of one.


def _mention(state: StateInline, silent: bool) -> bool:
    start = state.pos
    if state.src[start] != "@" or state.linkLevel or _belongs_to_what_precedes(state.src, start):
        return False
    typed, handle = _handle_at(state.src, start + 1, state.posMax)
    end = start + 1 + len(typed)
    # "@jane@elsewhere.example" is an account on another site, not our Jane.
    if not names.is_handle(handle) or state.src[end : end + 1] == "@":
        return False
    if not silent:
        token = state.push("mention", "", 0)
        token.content, token.meta = state.src[start:end], {"handle": handle}
    state.pos = end
    return True


def _handle_at(source: str, start: int, end: int) -> tuple[str, str]:
    """What may be a handle there, as it was typed and in its normal form."""
    typed = "".join(takewhile(names.in_handle, source[start:end])).rstrip(names.HANDLE_JOINTS)
    return typed, names.folded(typed)


def _belongs_to_what_precedes(source: str, at: int) -> bool:
    """Recognise the `@` of an e-mail address, and that of `www.site.example/@suzie`."""
    return at > 0 and (source[at - 1] == "/" or names.in_word(source[at - 1]))


def _link(state: StateInline, silent: bool) -> bool:
    # What a moderator removed stays literal, even where the author went on with "(http://…)".
    return not REMOVED.match(state.src, state.pos) and link(state, silent)


def _image_as_link(state: StateInline, silent: bool) -> bool:
    # A picture fetched from elsewhere would tell that server who reads this page.
    if not state.src.startswith("![", state.pos):
        return False
    state.pos += 1
    if _link(state, silent):
        return True
    state.pos -= 1
    return False


def _address(state: StateInline, silent: bool) -> bool:
    # markdown-it searches all pending text at each "://": seconds for "://://…". Let it see what can matter.
    near = state.pending[-6:]
    if silent or not near.lower().endswith(("http", "https")):
        return False
    state.pending = state.pending[: -len(near)]
    state.pushPending()
    state.pending = near
    return linkify(state, silent)


def _blockquote(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    return state.level <= DEEPEST_BLOCK and blockquote(state, start, end, silent)


def _list(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    return state.level <= DEEPEST_BLOCK and list_block(state, start, end, silent)


def _assume_https(_linkify: object, match: Any) -> None:
    match.url = f"https://{match.url}"


class _ForumMarkdown(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: N802
        # Clients show a post at addresses of their own, where a relative link leads nowhere. The sanitizer is
        # asked too: it takes the address, but not the tag, from a link to nowhere such as "https://a:99999".
        return bool(ABSOLUTE.match(url)) and " href=" in SAFE.clean(f'<a href="{escapeHtml(url)}">')

    def normalizeLinkText(self, link: str) -> str:  # noqa: N802
        # Readers see the address that was typed, not one that was decoded to look nicer.
        return link


class _ForumHTML(RendererHTML):
    def mention(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        handle, written = tokens[idx].meta["handle"], escapeHtml(tokens[idx].content)
        if handle not in env["known"].members:
            return written
        return f'<span class="mention" data-handle="{escapeHtml(handle)}">{written}</span>'

    def blockquote_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        source = tokens[idx].meta.get("source")
        if source is None or source not in env["known"].quotes:
            return self.renderToken(tokens, idx, options, env)
        return f'<blockquote data-post="{source.number}" data-author="{escapeHtml(source.handle)}">\n'

    def paragraph_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        if tokens[idx - 1].meta.get("source") in env["known"].quotes:
            return '<p class="quote-source">'
        return self.renderToken(tokens, idx, options, env)

    def quote_source(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        source, alone = tokens[idx].meta["source"], len(tokens) == 1
        name = env["known"].quotes.get(source)
        if name is None:
            return escapeHtml(tokens[idx].content) + ("" if alone else "<br>\n")
        return f"{escapeHtml(name)}, #{source.number}" + ("" if alone else "</p>\n<p>")

    def link_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        wordless = tokens[idx + 1].type == "link_close"
        address = escapeHtml(str(tokens[idx].attrs["href"])) if wordless else ""
        return self.renderToken(tokens, idx, options, env) + address


def _markdown() -> MarkdownIt:
    options = {"html": False, "breaks": True, "linkify": True}
    markdown = _ForumMarkdown("commonmark", options, renderer_cls=_ForumHTML)
    markdown.enable(["linkify", "strikethrough"])
    # People paste indented poems and draw dashes under a sentence: neither means code or a heading.
    markdown.disable(["code", "lheading"])
    # With "[removed: rule 10]: http://…" an author would turn every such marker of the post into a link.
    markdown.disable("reference")
    markdown.inline.ruler.at("linkify", _address)
    markdown.inline.ruler.at("link", _link)
    markdown.inline.ruler.at("image", _image_as_link)
    markdown.inline.ruler.before("link", "mention", _mention)
    markdown.block.ruler.at("blockquote", _blockquote, {"alt": ["paragraph", "blockquote", "list"]})
    markdown.block.ruler.at("list", _list, {"alt": ["paragraph", "blockquote"]})
    _recognise_addresses(markdown.linkify)
    return markdown


def _recognise_addresses(linkify: Any) -> None:
    """Link e-mail addresses and what starts with http, https, mailto or www; "help.I" is a typo."""
    linkify.set({"fuzzy_link": False})
    linkify.add("www.", {"validate": HOST + linkify.re["src_path"], "normalize": _assume_https})


MARKDOWN = _markdown()
