"""Markdown to safe HTML, with quotes that name a post and mentions that name a member."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from html import unescape
from itertools import chain, takewhile
from typing import Any
from urllib.parse import unquote

import nh3
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import StateBlock, blockquote, list_block
from markdown_it.rules_block import paragraph as parse_paragraph
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline, link, linkify
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from forum.content.words import Span, digests_of_passages, said_in, said_in_quote, stands_in
from forum.core.text import BIDIRECTIONAL, has_seen
from forum.members import names

MOST_NAMED = 20  # of each kind in one body: each costs a lookup, and a post that names hundreds of members is abuse
DEEPEST_BLOCK = 16  # less than the parser's own maxNesting (20), at which it drops text silently
LARGEST_HEADING = 3  # h1 and h2 belong to the page around a post

GONE = "·"  # the mark in the place of each erased character

QUOTE_SOURCE = re.compile(r" #([1-9][0-9]{0,8})(?: wrote)?:?\s*")
REMOVED = re.compile(r"\[removed(?:: rules? [0-9][0-9, and]*)?\]")
# One that is not escaped: after an even number of backslashes.
MARK = re.compile(rf"(?<!\\)((?:\\\\)*)({REMOVED.pattern})")
HOST = (
    r"^(?:[\w-]{1,63}\.){1,4}[^\W_]{2,63}(?!\.?[\w-])"  # bounded: linkify-it's own pattern takes 10 s for www.www.www…
)
# In "https://bank.example@evil.example", what looks like the host is a user's name.
ABSOLUTE = re.compile(r"https?://(?![^/?#]*@)[^/?#]|tel:.", re.IGNORECASE)
# One address and no more: a subject, a text or copies would be sent in the name of whoever follows the link.
MAILTO = re.compile(r"mailto:(?:%[89A-F][0-9A-F]|[^\s@,;%])+@(?:%[89A-F][0-9A-F]|[^\s@,;%])+", re.IGNORECASE)
TELEPHONE = "tel:"
NOT_DIALLED, SEPARATORS = re.compile(r"[^0-9+*#]"), re.compile(r"[\s().-]")
ADDRESS = re.compile(r"(?P<scheme>https?://)?(?P<host>[^/?#:]+)", re.IGNORECASE)

_RENDERED_MENTION = re.compile(r'<(?P<end>/?)blockquote|<span class="mention" data-handle="(?P<handle>[^"]*)"')
LINE_END = re.compile(r"\r\n?|\n")  # as the parser has it
_MEANT = re.compile(r"[&*<@\[\\_`~]")  # with one of these begins what is more than text within a paragraph; or "://"

TEXT_BLOCKS = ("p", "li", "blockquote", "h3", "h4", "h5", "h6")
TAGS = {*TEXT_BLOCKS, "ol", "ul", "pre", "code", "hr", "br", "em", "strong", "s", "a", "span", "bdi"}
SAFE = nh3.Cleaner(
    tags=TAGS,
    attributes={
        "*": set(),  # without this, nh3 lets `title` and `lang` through on every tag
        "a": {"href"},
        "blockquote": {"data-post", "data-author"},
        "ol": {"start"},
        "span": {"data-handle"},
    },
    tag_attribute_values={"p": {"class": {"quote-source"}}, "span": {"class": {"mention", "removed"}}},
    # A post may mix languages: each block takes its direction, left or right, from its own first letter.
    set_tag_attribute_values={tag: {"dir": "auto"} for tag in TEXT_BLOCKS},
    url_schemes={"http", "https", "mailto", "tel"},
    url_relative="deny",
    link_rel="ugc nofollow noopener",
    strip_comments=True,
)


@dataclass(frozen=True)
class QuoteRef:
    """The source in a quote's first line: `> @suzie #7` is `QuoteRef("suzie", 7)`; the handle is canonical."""

    handle: str
    number: int


@dataclass(frozen=True)
class References:
    """The members and posts that a body names, to be looked up before it is rendered; handles are canonical."""

    mentions: frozenset[str]
    quotes: frozenset[QuoteRef]
    is_blank: bool = False  # nothing of the body can be seen


@dataclass(frozen=True)
class QuotedPost:
    """A post that a quote may be from: a revision of it, as HTML, and the display name of its author."""

    post_id: int
    revision: int
    name: str
    body_html: str = field(repr=False)

    @cached_property
    def said(self) -> str:
        """What it says, in the form that is compared."""
        return said_in(self.body_html)


@dataclass(frozen=True)
class Known:
    """The references that exist; all others stay text, so that nobody can invent a quote.

    `members` maps a canonical handle to its display name. `quotes` maps a source to the revisions of its post that may
    be quoted; only posts of this thread that its readers see and that this author wrote are in it.
    """

    members: Mapping[str, str]
    quotes: Mapping[QuoteRef, Sequence[QuotedPost]]


NOTHING_KNOWN = Known({}, {})


@dataclass(frozen=True)
class Quotations:
    """What a body quotes: which words, which posts, and what else it says of which sources."""

    runs: Sequence[int]  # the digests of its words; none where it quotes nothing
    quoted: Sequence[QuotedPost]  # each with the revision in which the words stand
    unfound: Sequence[tuple[QuoteRef, str]]


NO_QUOTATIONS = Quotations((), (), ())


@dataclass(frozen=True)
class Parsed:
    """A parsed body: look up its `references`, then call `html`."""

    references: References
    _tokens: Sequence[Token] = field(repr=False)

    def html(self, known: Known = NOTHING_KNOWN) -> str:
        """Return safe HTML in which the `known` references are marked. It can be called several times."""
        return self._render(self._tokens, known, self._find_sources(known))

    def quoted(self, known: Known) -> Sequence[QuotedPost]:
        """Return the posts that are quoted here, each with the revision in which the words stand."""
        return [*dict.fromkeys(post for _, post in self._find_sources(known).values())]

    def unfound(self, known: Known) -> Sequence[tuple[QuoteRef, str]]:
        """Return the source that each other quote names, and what the quote says."""
        found = self._find_sources(known)
        return [quote for start, quote in self._sourced.items() if start not in found]

    @cached_property
    def _sourced(self) -> Mapping[int, tuple[QuoteRef, str]]:
        """What each quote that names a source says, by the place of its first token."""
        found = dict[int, tuple[QuoteRef, str]]()
        for start, token in enumerate(self._tokens):
            if token.type == "blockquote_open" and "source" in token.meta:
                end = next(at for at in range(start, len(self._tokens)) if _closes(self._tokens[at], token))
                said = said_in_quote(self._render(self._tokens[start : end + 1], NOTHING_KNOWN, {}))
                found[start] = token.meta["source"], said
        return found

    def _find_sources(self, known: Known) -> dict[int, tuple[QuoteRef, QuotedPost]]:
        """Return of each quote that says what was said the post that it is from, by the place of its first token."""
        found = dict[int, tuple[QuoteRef, QuotedPost]]()
        for start, (source, said) in self._sourced.items() if known.quotes else ():
            if post := next((post for post in known.quotes.get(source, ()) if stands_in(said, post.said)), None):
                found[start] = source, post
        return found

    def _render(self, tokens: Sequence[Token], known: Known, sources: Mapping[int, tuple[QuoteRef, QuotedPost]]) -> str:
        names_by_quote = {id(self._tokens[start].meta): post.name for start, (_, post) in sources.items()}
        return SAFE.clean(
            MARKDOWN.renderer.render(tokens, MARKDOWN.options, {"known": known, "sources": names_by_quote})
        )


def parse(body_markdown: str) -> Parsed:
    """Parse any text without lone surrogates. No text is an error: what has no meaning in Markdown stays as typed."""
    tokens = MARKDOWN.parse(body_markdown)
    for token in tokens:
        _lower_heading(token)
        if token.children and any(child.type == "link_open" for child in token.children):
            token.children = list(_with_numbers(_without_links_in_links(token.children)))
    quotes = _name_quotes(tokens) if ">" in body_markdown else frozenset[QuoteRef]()
    mentions = _name_mentions(tokens) if "@" in body_markdown else frozenset[str]()
    return Parsed(References(mentions, quotes, is_blank=not any(map(_is_seen, tokens))), tokens)


@lru_cache(maxsize=8)  # as many as may wait in the side process: first for references, then for HTML
def _parse_once(body_markdown: str) -> Parsed:
    return parse(body_markdown)


def find_references(body_markdown: str) -> References:
    """Return the members and posts that a body names. For the side process, which keeps what it parsed for `render`."""
    return _parse_once(body_markdown).references


def render(body_markdown: str, known: Known) -> str:
    """Return safe HTML in which the `known` references are marked. For the side process."""
    return _parse_once(body_markdown).html(known)


def quotations_of(parsed: Parsed, body_markdown: str, known: Known) -> Quotations:
    """Return what a parsed body quotes, with the `known` references."""
    if ">" not in body_markdown:  # with which every line of a quote begins
        return NO_QUOTATIONS
    runs = digests_of_passages(body_markdown, quote_spans(body_markdown))
    return Quotations(runs, parsed.quoted(known), parsed.unfound(known))


def find_quotations(body_markdown: str, known: Known) -> Quotations:
    """Return what a body quotes, with the `known` references. For the side process."""
    return quotations_of(_parse_once(body_markdown), body_markdown, known)


def escape_typed_marks(body_markdown: str, ours: str = "") -> str:
    """Return the body with every mark of a redaction escaped that its author typed: shown as text, and not as ours.

    `ours` is the text before an edit: of each mark in it, as many stay as it has.
    """
    if "[removed" not in body_markdown:
        return body_markdown
    left = Counter(mark[2] for mark in MARK.finditer(ours))

    def escape(mark: re.Match[str]) -> str:
        left[mark[2]] -= 1
        return mark[0] if left[mark[2]] >= 0 else f"{mark[1]}\\{mark[2]}"

    return MARK.sub(escape, body_markdown)


def without_handle(text: str, handle: str, new: str | None = None) -> str:
    """Return the text with a handle replaced by another, or by marks, where it is mentioned or quoted.

    There are as many marks as the handle has characters: positions in the text stay right.
    """
    parts, done = list[str](), 0
    while (at := text.find("@", done)) >= 0:
        typed, folded = _handle_at(text, at + 1, len(text))
        is_theirs = folded == handle and not _is_inside_word(text, at)
        end = at + 1 + len(typed)
        parts += [text[done : at + 1], (new or GONE * len(typed)) if is_theirs else typed]
        done = end
    return "".join([*parts, text[done:]])


def blanked(text: str, spans: Iterable[Span]) -> str:
    """Return the text with a mark in the place of each character of these spans: positions in it stay right."""
    for start, end in spans:
        text = text[:start] + GONE * (end - start) + text[end:]
    return text


def quote_spans(text: str) -> list[Span]:
    """Return where a text quotes: from the first to the last line of each outermost quote.

    A line without `>` that goes on with a quote's paragraph belongs to the quote.
    """
    if ">" not in text:
        return []
    starts = [0, *(end.end() for end in LINE_END.finditer(text))]
    starts += [len(text)] * 2  # the parser counts an empty last line, or does not
    spans = list[Span]()
    for token in BLOCKS.parse(text):
        if token.type == "blockquote_open" and token.map:
            start, end = starts[token.map[0]], starts[token.map[1]]
            if not spans or start >= spans[-1][1]:
                spans.append((start, end))
    return spans


# After parsing: the references of the whole body.


def _closes(token: Token, opening: Token) -> bool:
    return token.type == "blockquote_close" and token.level == opening.level


def _lower_heading(token: Token) -> None:
    if token.type in {"heading_open", "heading_close"}:
        token.tag = f"h{min(int(token.tag[1:]) + LARGEST_HEADING - 1, 6)}"


def _without_links_in_links(children: Sequence[Token]) -> Iterator[Token]:
    """Yield the tokens without the link of an image inside a link: HTML cannot nest links. Its text stays."""
    depth = 0
    for token in children:
        depth -= token.type == "link_close"
        if depth == 0 or token.type not in {"link_open", "link_close"}:
            yield token
        depth += token.type == "link_open"


def _with_numbers(children: Iterable[Token]) -> Iterator[Token]:
    """Yield the tokens, and with them the address of a link without words, and the number of one that says another."""
    address, said = "", ""
    for token in children:
        if token.type == "link_open":
            address, said = unquote(str(token.attrs["href"])), ""
        elif token.type == "link_close":
            shown, number = has_seen(said), address[len(TELEPHONE) :]
            if not shown:
                yield Token("text", "", 0, content=address)
            elif address.lower().startswith(TELEPHONE) and NOT_DIALLED.sub("", said) != SEPARATORS.sub("", number):
                yield Token("text", "", 0, content=f" ({number})")
        said += token.content
        yield token


def _is_seen(block: Token) -> bool:
    """Return whether something of a block can be seen: its words or its code."""
    parts = [block] if block.type != "inline" else block.children or []
    return any(has_seen(part.content) for part in parts)


def _name_quotes(tokens: Sequence[Token]) -> frozenset[QuoteRef]:
    named: list[QuoteRef] = []
    for quote, paragraph, words in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if (quote.type, paragraph.type) != ("blockquote_open", "paragraph_open"):
            continue
        children = words.children or []
        source = _parse_quote_source(children)
        if source and len(named) < MOST_NAMED:
            named.append(source)
            written = children[0].content + children[1].content
            quote.meta = {"source": source}
            words.children = [Token("quote_source", "", 0, content=written, meta=quote.meta), *children[3:]]
    return frozenset(named)


def _parse_quote_source(children: Sequence[Token]) -> QuoteRef | None:
    """Return the source in `@suzie #7`, `@suzie #7:` or `@suzie #7 wrote:`, alone on the first line, or None."""
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


def mentions_in(body_html: str) -> Iterator[str]:
    """Give the handles that a rendered post mentions, in their order, but for what it quotes."""
    depth = 0
    for mark in _RENDERED_MENTION.finditer(body_html):
        if mark["handle"] is None:
            depth += -1 if mark["end"] else 1
        elif not depth:
            yield unescape(mark["handle"])


def _has_room(named: AbstractSet[object], name: object) -> bool:
    return name in named or len(named) < MOST_NAMED


# While parsing: rules that are added to markdown-it's own, or replace one.


def _mention(state: StateInline, silent: bool) -> bool:
    start = state.pos
    if state.src[start] != "@" or state.linkLevel or _is_inside_word(state.src, start):
        return False
    typed, handle = _handle_at(state.src, start + 1, state.posMax)
    end = start + 1 + len(typed)
    # "@jane@elsewhere.example" is an account on another site, not the member Jane.
    if not names.is_handle(handle) or state.src[end : end + 1] == "@":
        return False
    if not silent:
        token = state.push("mention", "", 0)
        token.content, token.meta = state.src[start:end], {"handle": handle}
    state.pos = end
    return True


def _handle_at(source: str, start: int, end: int) -> tuple[str, str]:
    """Return what may be a handle at this position, as it was typed and in its normal form."""
    typed = "".join(takewhile(names.in_handle, source[start:end])).rstrip(names.HANDLE_JOINTS)
    return typed, names.folded(typed)


def _is_inside_word(source: str, at: int) -> bool:
    """Return whether an `@` belongs to the text before it: to an e-mail address, or to `www.site.example/@suzie`."""
    return at > 0 and (source[at - 1] == "/" or names.in_word(source[at - 1]))


def _removed(state: StateInline, silent: bool) -> bool:
    # In the words of a link it is text. While those are sought (silent), it is no token: a link within would end them.
    mark = REMOVED.match(state.src, state.pos)
    if silent or mark is None or state.linkLevel:
        return False
    state.push("removed", "span", 0).content = mark[0]
    state.pos = mark.end()
    return True


def _link(state: StateInline, silent: bool) -> bool:
    # A moderator's "[removed]" is never a link, even where the author's text goes on with "(http://…)".
    return not REMOVED.match(state.src, state.pos) and link(state, silent)


def _image_as_link(state: StateInline, silent: bool) -> bool:
    # An image from another server would tell that server who reads this page.
    if not state.src.startswith("![", state.pos):
        return False
    state.pos += 1
    if _link(state, silent):
        return True
    state.pos -= 1
    return False


def _linkify_url(state: StateInline, silent: bool) -> bool:
    # markdown-it searches all pending text at each "://", which takes seconds for "://://…". It gets the last six
    # characters only: no more are needed.
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


def _paragraph_at_letter(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    # What begins with a letter is no quote, list, line or heading: most paragraphs need not be asked.
    begins_at = state.bMarks[start] + state.tShift[start]
    return state.src[begins_at : begins_at + 1].isalpha() and parse_paragraph(state, start, end, silent)


def _inline(state: StateCore) -> None:
    for block in state.tokens:
        if block.type == "inline" and not _may_mean_more(block.content):
            block.children = list(_lines(block.content))
        elif block.type == "inline":
            block.children = state.md.inline.parse(block.content, state.md, state.env, [])


def _may_mean_more(content: str) -> bool:
    """Return whether the words of a block can be more than lines of text: most are not, and need no parser."""
    if _MEANT.search(content) or "://" in content:
        return True
    return "\n" in content and any(spaced in content for spaced in (" \n", "\n ", "\n\t"))


def _lines(content: str) -> Iterator[Token]:
    for number, line in enumerate(content.split("\n") if content else ()):
        if number:
            yield Token("softbreak", "br", 0)
        yield Token("text", "", 0, content=line)


def _assume_https(_linkify: object, match: Any) -> None:
    match.url = f"https://{match.url}"


class _ForumMarkdown(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: N802
        # Clients show a post at URLs of their own, where a relative link is wrong. The sanitizer must agree: from an
        # invalid link such as "https://a:99999" it removes the URL but not the tag.
        is_plain = ABSOLUTE.match(url) or MAILTO.fullmatch(url)
        return is_plain is not None and " href=" in SAFE.clean(f'<a href="{escapeHtml(url)}">')

    def normalizeLink(self, url: str) -> str:  # noqa: N802
        address = super().normalizeLink(url)
        return address.partition("?")[0] if address.lower().startswith("mailto:") else address

    def normalizeLinkText(self, link: str) -> str:  # noqa: N802
        # Readers see the URL as it was typed, not in a decoded form; but a host with letters of several scripts, which
        # can look like another one, as it is written for machines: "xn--…".
        address = ADDRESS.match(link)
        if address is None or not _is_mixed(address["host"]):
            return link
        if address["scheme"]:
            return self.normalizeLink(link)
        return self.normalizeLink(f"https://{link}").removeprefix("https://")


class _ForumHTML(RendererHTML):
    def text(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return _isolated(tokens[idx].content)

    def code_inline(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return f"<code>{_isolated(tokens[idx].content)}</code>"

    def removed(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return f'<span class="removed">{escapeHtml(tokens[idx].content)}</span>'

    def mention(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        handle, written = tokens[idx].meta["handle"], escapeHtml(tokens[idx].content)
        if handle not in env["known"].members:
            return written
        return f'<span class="mention" data-handle="{escapeHtml(handle)}">{written}</span>'

    def blockquote_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        if id(tokens[idx].meta) not in env["sources"]:
            return self.renderToken(tokens, idx, options, env)
        source = tokens[idx].meta["source"]
        return f'<blockquote data-post="{source.number}" data-author="{escapeHtml(source.handle)}">\n'

    def paragraph_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        if idx and id(tokens[idx - 1].meta) in env["sources"]:
            return '<p class="quote-source">'
        return self.renderToken(tokens, idx, options, env)

    def quote_source(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        source, alone = tokens[idx].meta["source"], len(tokens) == 1
        name = env["sources"].get(id(tokens[idx].meta))
        if name is None:
            return escapeHtml(tokens[idx].content) + ("" if alone else "<br>\n")
        # The handle too: others may have the same display name.
        who = escapeHtml(f"{name} (@{source.handle})")
        return f"{who}, #{source.number}" + ("" if alone else "</p>\n<p>")


def _isolated(text: str) -> str:
    """Return HTML of a text: what turns its direction ends with it, and turns nothing around it."""
    html = escapeHtml(text)
    return f"<bdi>{html}</bdi>" if BIDIRECTIONAL.search(text) else html


def make_parser(*, shortcuts: bool = True) -> MarkdownIt:
    """Return a parser of our Markdown. Without the shortcuts, it says the same of any text and takes longer."""
    options = {"html": False, "breaks": True, "linkify": True}
    markdown = _ForumMarkdown("commonmark", options, renderer_cls=_ForumHTML)
    markdown.enable(["linkify", "strikethrough"])
    # Members paste indented poems and type dashes under a sentence: neither is meant as code or a heading.
    markdown.disable(["code", "lheading"])
    # Without the option `html`, these rules are asked at each line and each `<`, and do nothing.
    markdown.disable(["html_block", "html_inline"])
    # With "[removed: rule 10]: http://…" an author could make a link of every such marker in the post.
    markdown.disable("reference")
    markdown.inline.ruler.at("linkify", _linkify_url)
    markdown.inline.ruler.at("link", _link)
    markdown.inline.ruler.at("image", _image_as_link)
    markdown.inline.ruler.before("link", "mention", _mention)
    markdown.inline.ruler.before("link", "removed", _removed)
    markdown.block.ruler.at("blockquote", _blockquote, {"alt": ["paragraph", "blockquote", "list"]})
    markdown.block.ruler.at("list", _list, {"alt": ["paragraph", "blockquote"]})
    _set_up_linkify(markdown.linkify)
    if shortcuts:
        markdown.block.ruler.before("fence", "letter", _paragraph_at_letter)
        markdown.core.ruler.at("inline", _inline)
    return markdown


def _set_up_linkify(linkify: Any) -> None:
    """Link e-mail addresses and what starts with http, https, mailto or www. Not "help.I", which is a typo."""
    linkify.set({"fuzzy_link": False})
    linkify.add("www.", {"validate": HOST + linkify.re["src_path"], "normalize": _assume_https})
    # Its own test looks for hosts without a scheme too, and takes longer than the rest of most posts.
    linkify.re["pretest"] = r"//|mailto:|www\.|@"


MARKDOWN = make_parser()
BLOCKS = make_parser()
BLOCKS.core.ruler.enableOnly(["normalize", "block"])


def _is_mixed(host: str) -> bool:
    if host.isascii():
        return False
    from confusable_homoglyphs.confusables import is_mixed_script  # noqa: PLC0415 - 8 MB, for hardly any link

    return bool(is_mixed_script(host, ["COMMON", "INHERITED"]))
