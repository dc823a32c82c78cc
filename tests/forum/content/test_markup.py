"""What readers see of a post, and what no post can make them see."""

import re
import string
from html.parser import HTMLParser
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forum.content.markup import (
    GONE,
    MARKDOWN,
    NOTHING_KNOWN,
    SAFE,
    Known,
    QuotedPost,
    QuoteRef,
    References,
    escape_typed_marks,
    make_parser,
    parse,
    quote_spans,
    without_handle,
)
from forum.members.names import folded, is_handle
from tests.support import hostile

SUZIE_7 = QuoteRef("suzie", 7)
SAID = "the *quoted* words\n\n> @suzie #7\n> first\n\nsecond x, first"


def saying(body: str = SAID, name: str = "Suzie") -> list[QuotedPost]:
    return [QuotedPost(1, 1, name, parse(body).html())]


SUZIE = Known(members={"suzie": "Suzie"}, quotes={SUZIE_7: saying()})


def render(body: str, known: Known = NOTHING_KNOWN) -> str:
    return parse(body).html(known).strip()


def inside_paragraph(body: str, known: Known = NOTHING_KNOWN) -> str:
    return render(body, known).removeprefix('<p dir="auto">').removesuffix("</p>")


def linked(address: str, words: str) -> str:
    return f'<a href="{address}" rel="ugc nofollow noopener">{words}</a>'


class Violation(Exception):
    """What a page must never contain."""


class Checker(HTMLParser):
    """A second opinion: its lists are written down here, and never taken from the code under test."""

    DIRECTION: ClassVar = {"dir": r"auto"}
    ATTRIBUTES: ClassVar[dict[str, dict[str, str]]] = {
        "p": {"dir": r"auto", "class": r"quote-source"},
        "li": DIRECTION,
        "h3": DIRECTION,
        "h4": DIRECTION,
        "h5": DIRECTION,
        "h6": DIRECTION,
        "blockquote": {"dir": r"auto", "data-post": r"[1-9][0-9]{0,8}", "data-author": r"[^\s<>\"'&]{3,30}"},
        "span": {"class": r"mention|removed", "data-handle": r"[^\s<>\"'&]{3,30}"},
        "a": {
            "href": r"(?i)(https?://[^/?#\s]|mailto:[^\s]|tel:[^\s])[^\s<>\"\\\x00-\x1f]*",
            "rel": r"ugc nofollow noopener",
        },
        "ol": {"start": r"[0-9]{1,9}"},
        **{bare: {} for bare in ("ul", "pre", "code", "hr", "br", "em", "strong", "s", "bdi")},
    }
    REQUIRED: ClassVar[dict[str, set[str]]] = {"a": {"href", "rel"}, "span": {"class"}}
    VOID: ClassVar = {"hr", "br"}

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.open_tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.ATTRIBUTES:
            raise Violation(f"tag {tag}")
        names = [name for name, _ in attrs]
        if len(set(names)) < len(names) or not self.REQUIRED.get(tag, set()) <= set(names):
            raise Violation(f"attributes of {tag}: {names}")
        if tag == "span" and (("class", "mention") in attrs) != ("data-handle" in names):
            raise Violation(f"attributes of {tag}: {names}")
        for name, value in attrs:
            self.check_attribute(tag, name, value)
        self.check_place(tag)

    def check_attribute(self, tag: str, name: str, value: str | None) -> None:
        allowed = self.ATTRIBUTES[tag].get(name)
        if allowed is None or value is None or not re.fullmatch(allowed, value):
            raise Violation(f"{tag} {name}={value!r}")

    def check_place(self, tag: str) -> None:
        if tag in {"a", "span"} and {"a", "code"} & set(self.open_tags):
            raise Violation(f"{tag} inside {self.open_tags}")
        if tag not in self.VOID:
            self.open_tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open_tags or self.open_tags.pop() != tag:
            raise Violation(f"stray </{tag}>")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        raise Violation(f"<{tag}/>")

    def handle_data(self, data: str) -> None:
        if set("<>\0") & set(data):
            raise Violation(f"bare markup in {data!r}")

    def handle_comment(self, data: str) -> None:
        raise Violation(f"comment {data!r}")

    def handle_decl(self, decl: str) -> None:
        raise Violation(f"declaration {decl!r}")

    def unknown_decl(self, data: str) -> None:
        raise Violation(f"declaration {data!r}")

    def handle_pi(self, data: str) -> None:
        raise Violation(f"instruction {data!r}")

    def close(self) -> None:
        super().close()
        if self.open_tags:
            raise Violation(f"left open: {self.open_tags}")


class CheckerOfFragments(Checker):
    """For less than a post: a link may have lost its address, or lack a host."""

    ATTRIBUTES: ClassVar[dict[str, dict[str, str]]] = {
        **Checker.ATTRIBUTES,
        "a": {"href": r"(?i)(https?|mailto|tel):[^\x00-\x1f]*", "rel": r"ugc nofollow noopener"},
    }
    REQUIRED: ClassVar[dict[str, set[str]]] = {}


def check(html: str) -> None:
    checker = Checker()
    checker.feed(html)
    checker.close()
    html.encode()
    if SAFE.clean(html) != html:
        raise Violation(f"not stable: {html!r}")


class Reader(HTMLParser):
    """Collects what a reader sees."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def handle_data(self, data: str) -> None:
        self.text += data


def text_of(html: str) -> str:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader.text


@pytest.mark.parametrize(
    "planted",
    [
        "<script>alert(1)</script>",
        '<img src="https://evil.example">',
        "<h1>x</h1>",
        '<p onclick="x">x</p>',
        '<p class="staff">x</p>',
        '<p dir="auto" dir="auto">x</p>',
        '<p style="x">x</p>',
        '<a href="https://ok.example">x</a>',
        '<a rel="ugc nofollow noopener">x</a>',
        '<a href="javascript:alert(1)" rel="ugc nofollow noopener">x</a>',
        '<a href="/x" rel="ugc nofollow noopener">x</a>',
        '<a href="//x.example" rel="ugc nofollow noopener">x</a>',
        '<a href="https:x" rel="ugc nofollow noopener">x</a>',
        '<a href="https://ok.example" rel="opener">x</a>',
        '<p title="x" dir="auto">x</p>',
        f"<code>{linked('https://ok.example', 'x')}</code>",
        linked("https://a.example", linked("https://b.example", "x")),
        linked("https://a.example", '<span class="mention" data-handle="suzie">x</span>'),
        '<span class="mention">x</span>',
        '<span class="mention" data-handle="&quot;x">x</span>',
        '<blockquote data-post="x">x</blockquote>',
        "<br/>",
        "<!-- x -->",
        "<!DOCTYPE html>",
        "<![CDATA[x]]>",
        "<?php ?>",
        "a < b",
        "a > b",
        "<p>x",
        "x</p>",
        "<em><strong>x</em></strong>",
        "<p>x</p>",
    ],
)
def test_the_checker_catches_what_is_planted(planted: str) -> None:
    with pytest.raises(Violation):
        check(planted)


def test_the_checker_lets_pass_what_a_post_may_contain() -> None:
    check('<p dir="auto">a &lt; b<br>\n<em>c</em></p>')
    check(linked("tel:08081234567", "a help line"))


def test_the_corpus_is_large() -> None:
    assert len(hostile.BODIES) >= 500
    assert len(set(hostile.BODIES)) == len(hostile.BODIES)


def test_no_hostile_body_escapes() -> None:
    for body in hostile.BODIES:
        check(render(body))
        check(render(body, SUZIE))


@pytest.mark.parametrize("body", hostile.HEAVY, ids=lambda body: repr(body[:8]))
def test_no_heavy_body_breaks_the_page(body: str) -> None:
    check(render(body, SUZIE))


def test_the_last_step_alone_would_stop_what_the_parser_let_through() -> None:
    for smuggled in [*hostile.TAGS, *(f'<a href="{address}">x</a>' for address in hostile.ADDRESSES)]:
        checker = CheckerOfFragments()
        checker.feed(SAFE.clean(smuggled))
        checker.close()


@pytest.mark.parametrize("name", hostile.NAMES)
def test_no_hostile_name_escapes(name: str) -> None:
    html = render("> @suzie #7\n> x\n\n@suzie", Known({"suzie": name}, {SUZIE_7: saying(name=name)}))
    check(html)
    assert f"{name} (@suzie), #7" in text_of(html)


FRAGMENTS = [
    *(
        "@suzie",
        " #7",
        "> ",
        "\n",
        "\n\n",
        "- ",
        "1. ",
        "# ",
        "    ",
        "*",
        "**",
        "_",
        "~~",
        "`",
        "```",
        "---",
    ),
    *("[", "]", "](", "![", "(", ")", "<", ">", "&", "&#0;", "\\", '"', "word", "[removed: rule 10]"),
    *("https://ok.example/", "www.ok.example", "jane@ok.org", "javascript:", "tel:1", "<script>"),
    *("\u202e", "\U0001f468\u200d", "\0"),
]
any_text = st.text(st.characters(exclude_categories=["Cs"]))
any_markdown = st.lists(st.one_of(st.sampled_from(FRAGMENTS), any_text.map(lambda text: text[:4]))).map("".join)


@settings(deadline=None, database=None, max_examples=300)
@given(st.one_of(any_text, any_markdown))
def test_any_text_gives_a_safe_page(body: str) -> None:
    check(render(body))
    check(render(body, SUZIE))


@settings(deadline=None, database=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters=string.punctuation + "\0\r\n")))
def test_every_character_of_a_plain_text_survives(body: str) -> None:
    assert body.strip() in text_of(parse(body).html())


WHOLE_PARSER = make_parser(shortcuts=False)
# Mostly plain lines, with what can be more than plain words at their beginnings, at their ends and in between.
mostly_plain = st.lists(
    st.sampled_from(
        [
            "Words",
            "é ",
            "word, ",
            "7. ",
            "- ",
            "#",
            ">",
            " ",
            "\n",
            "\n\t",
            "a\n\ta",
            "a \na",
            "a\n a",
            "\n\n",
            "\r",
            "\x0c",
        ]
    )
    | st.sampled_from(
        ["*", "**a**", "_", "`", "~~", "\\", "[", "]", "![", "<", "&amp;", "@ann", "://", "www.a.example", ":"]
    )
    | any_text.map(lambda text: text[:3]),
    max_size=20,
).map("".join)


@settings(deadline=None, database=None, max_examples=300)
@given(mostly_plain)
def test_plain_words_are_what_the_whole_parser_says(body: str) -> None:
    assert MARKDOWN.parse(body) == WHOLE_PARSER.parse(body)


def test_what_an_attacker_posts_is_what_the_whole_parser_says() -> None:
    for body in hostile.BODIES:
        assert MARKDOWN.parse(body) == WHOLE_PARSER.parse(body)


def test_emoji_sequences_and_combining_marks_stay_whole() -> None:
    family, accent, hebrew = (
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "e\u0301",
        "\u05e9\u05dc\u05d5\u05dd",
    )
    assert inside_paragraph(f"{family} {accent} {hebrew}") == f"{family} {accent} {hebrew}"


def test_each_block_takes_its_own_direction() -> None:
    html = render("# a\n\nb\n\n> c\n\n- d")
    for block in ("h3", "p", "blockquote", "li"):
        assert f'<{block} dir="auto">' in html


def test_a_poem_keeps_its_line_breaks() -> None:
    assert inside_paragraph("The house is still.\nThe kettle sings.") == "The house is still.<br>\nThe kettle sings."


def test_an_indented_poem_is_verse_and_not_code() -> None:
    assert inside_paragraph("    The house is still.\n      The kettle sings.") == (
        "The house is still.<br>\nThe kettle sings."
    )


def test_a_fence_keeps_every_space() -> None:
    assert render("```\n  a\n    b\n```") == "<pre><code>  a\n    b\n</code></pre>"


def test_a_line_of_dashes_under_a_sentence_is_a_rule_and_not_a_heading() -> None:
    assert render("Thank you all\n---") == '<p dir="auto">Thank you all</p>\n<hr>'


@pytest.mark.parametrize(
    ("body", "html"),
    [
        ("*a* **b** ~~c~~ `d`", "<em>a</em> <strong>b</strong> <s>c</s> <code>d</code>"),
        ("a < b && c > d", "a &lt; b &amp;&amp; c &gt; d"),
        ("<b>bold</b>", "&lt;b&gt;bold&lt;/b&gt;"),
        ("&eacute; &lt;", "é &lt;"),
    ],
)
def test_words_can_be_marked_but_html_stays_visible(body: str, html: str) -> None:
    assert inside_paragraph(body) == html


def test_a_list_may_start_where_its_author_says() -> None:
    assert render("3. a\n4. b") == '<ol start="3">\n<li dir="auto">a</li>\n<li dir="auto">b</li>\n</ol>'


@pytest.mark.parametrize(
    ("body", "tag"), [("# a", "h3"), ("## a", "h4"), ("### a", "h5"), ("#### a", "h6"), ("###### a", "h6")]
)
def test_a_post_does_not_out_shout_the_page(body: str, tag: str) -> None:
    assert render(body) == f'<{tag} dir="auto">a</{tag}>'


def test_a_table_stays_as_it_was_typed() -> None:
    assert "<table" not in render("| a | b |\n|---|---|\n| c | d |")


@pytest.mark.parametrize("marker", ["> ", ">", "- ", "1. "])
def test_words_below_the_deepest_level_are_still_shown(marker: str) -> None:
    assert "drowned out" in text_of(render(marker * 200 + "drowned out"))


@pytest.mark.parametrize(
    ("body", "address", "words"),
    [
        ("[help](https://help.example/a?b=1)", "https://help.example/a?b=1", "help"),
        ("[call](tel:08081234567)", "tel:08081234567", "call (08081234567)"),
        ("[call 0808 123](tel:0808123)", "tel:0808123", "call 0808 123"),
        ("[(0808) 123-4](tel:0808-1234)", "tel:0808-1234", "(0808) 123-4"),
        ("[116 123](tel:0900999)", "tel:0900999", "116 123 (0900999)"),
        ("[116 123](tel:116123%3B0900)", "tel:116123%3B0900", "116 123 (116123;0900)"),
        ("[&#8203;](tel:116123)", "tel:116123", "\u200btel:116123"),
        ("<tel:116123>", "tel:116123", "tel:116123"),
        ("[write](mailto:a@help.example)", "mailto:a@help.example", "write"),
        ("[write](mailto:a@help.example?bcc=b@evil.example&body=x)", "mailto:a@help.example", "write"),
        ("https://раypal.example/a", "https://xn--ypal-43d9g.example/a", "https://xn--ypal-43d9g.example/a"),
        ("www.раypal.example", "https://www.xn--ypal-43d9g.example", "www.xn--ypal-43d9g.example"),
        ("<https://раypal.example>", "https://xn--ypal-43d9g.example", "https://xn--ypal-43d9g.example"),
        ("https://пример.испытание", "https://xn--e1afmkfd.xn--80akhbyknj4f", "https://пример.испытание"),
        ("https://help.example/_a_*b*c", "https://help.example/_a_*b*c", "https://help.example/_a_*b*c"),
        ("www.help.example/a", "https://www.help.example/a", "www.help.example/a"),
        ("jane@help.org", "mailto:jane@help.org", "jane@help.org"),
        ("<https://help.example>", "https://help.example", "https://help.example"),
        ("https://social.example/@suzie", "https://social.example/@suzie", "https://social.example/@suzie"),
        ("www.social.example/@suzie", "https://www.social.example/@suzie", "www.social.example/@suzie"),
        ("https://help.example/%C3%A9", "https://help.example/%C3%A9", "https://help.example/%C3%A9"),
        ("https://münchen.example", "https://xn--mnchen-3ya.example", "https://münchen.example"),
        ("[@suzie](https://help.example)", "https://help.example", "@suzie"),
        ("[](https://help.example)", "https://help.example", "https://help.example"),
        ('[help](https://help.example "hidden words")', "https://help.example", "help"),
    ],
)
def test_a_link_leads_where_it_says(body: str, address: str, words: str) -> None:
    assert inside_paragraph(body, SUZIE) == linked(address, words)


@pytest.mark.parametrize(
    "body",
    [
        "I need help.I really do",
        "help.org",
        "ftp://help.example",
        "//help.example",
        "www.help",
        "[the rules](/rules)",
        "[the rules](rules)",
        "[the rules](#rules)",
        "[x](//evil.example)",
        "[x](javascript:alert(1))",
        "[x](data:text/html,x)",
        "![x](data:image/png;base64,x)",
        "[x](https:evil)",
        "[bank](https://bank.example@evil.example)",
        "https://bank.example@evil.example/x",
        "https://user:word@evil.example",
        "[x](mailto:a,b)",
        "[x](mailto:%0d%0abcc:a)",
        "[x](https://ok.example:99999)",
    ],
)
def test_what_is_no_link_stays_as_it_was_typed(body: str) -> None:
    assert inside_paragraph(body) == body


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("![my *garden*](https://pictures.example/1.jpg)", "my <em>garden</em>"),
        ("![](https://pictures.example/1.jpg)", "https://pictures.example/1.jpg"),
        ("[![my garden](https://small.example/1.jpg)](https://pictures.example/1.jpg)", "my garden"),
        (
            "[![](https://small.example/1.jpg)](https://pictures.example/1.jpg)",
            "https://pictures.example/1.jpg",
        ),
    ],
)
def test_a_picture_is_a_link_and_nothing_is_fetched(body: str, words: str) -> None:
    assert inside_paragraph(body) == linked("https://pictures.example/1.jpg", words)


# Ours, and what looks like it


MARKS = ["[removed]", "[removed: rule 10]", "[removed: rules 3 and 10]"]


@pytest.mark.parametrize("mark", MARKS)
def test_our_mark_is_an_element_of_its_own_and_a_typed_one_is_text(mark: str) -> None:
    assert inside_paragraph(f"a {mark} b") == f'a <span class="removed">{mark}</span> b'
    for typed in (
        f"a {mark} b",
        f"a \\\\{mark} b",
        f"a \\{mark} b",
        f"{mark}{mark}",
        f"[{mark}](tel:1)",
        f"&#91;{mark[1:]}",
    ):
        assert "<span" not in inside_paragraph(escape_typed_marks(typed)), typed
        assert mark in text_of(render(escape_typed_marks(typed)))


def test_marks_that_were_there_stay_and_no_more() -> None:
    before = "a [removed: rule 3] b [removed]"
    assert escape_typed_marks(before, before) == before
    after = "[removed] a [removed: rule 3] b [removed: rule 3] [removed]"
    assert escape_typed_marks(after, before) == "[removed] a [removed: rule 3] b \\[removed: rule 3] \\[removed]"
    assert escape_typed_marks(escape_typed_marks(after)) == escape_typed_marks(after)


# Seen


@pytest.mark.parametrize(
    "body",
    [
        *(
            "",
            " ",
            "\u200b",
            "\u3164",
            "\u2800",
            "\u00ad",
            "\U000e0041",
            "\u0301",
            "&#8203;",
            "&nbsp;",
            "&#x202e;",
            "\x07",
        ),
        *(
            "> ",
            "> > ",
            "#",
            "###",
            "- ",
            "1. ",
            "```\n```",
            "~~~\n \n~~~",
            "---",
            "`\u200b`",
            "> \u2800\n\n- &#8203;",
            "\u200b\n",
        ),
    ],
)
def test_what_nobody_can_see_is_blank(body: str) -> None:
    assert parse(body).references.is_blank


@pytest.mark.parametrize(
    "body", ["a", ".", "😟", "> a", "- -a", "```\n.\n```", "`.`", "[](tel:1)", "![](https://a.b)", "\\", "**", "𝄞"]
)
def test_what_somebody_can_see_is_not_blank(body: str) -> None:
    assert not parse(body).references.is_blank


@pytest.mark.parametrize("control", "\u061c\u200e\u200f\u202a\u202b\u202d\u202e\u2066\u2067\u2068")
def test_what_turns_a_text_turns_nothing_around_it(control: str) -> None:
    assert inside_paragraph(f"a **b{control}c** d") == f"a <strong><bdi>b{control}c</bdi></strong> d"
    assert inside_paragraph(f"`b{control}c` d") == f"<code><bdi>b{control}c</bdi></code> d"
    assert inside_paragraph(f"[b&#{ord(control)};c](tel:1)") == linked("tel:1", f"<bdi>b{control}c</bdi> (1)")


@pytest.mark.parametrize("marker", ["[removed]", "[removed: rule 10]", "[removed: rules 3 and 10]"])
def test_what_was_removed_never_becomes_a_link(marker: str) -> None:
    assert text_of(inside_paragraph(f"a {marker} b\n\n{marker}: x")).startswith(f"a {marker} b\n{marker}: x")
    assert "<a" not in inside_paragraph(f"a {marker} b\n\n{marker}: x")
    followed = f"{marker}(tel:1) !{marker}(tel:1) {marker}[x]"
    assert "<a" not in inside_paragraph(followed)
    assert text_of(inside_paragraph(followed)) == followed


def test_a_link_cannot_be_defined_apart_from_its_words() -> None:
    assert "<a" not in render("[words] [more][words]\n\n[words]: tel:1")


@pytest.mark.parametrize("colon", ["", ":", " wrote", " wrote:", " wrote:  "])
def test_a_quote_names_its_post_and_author(colon: str) -> None:
    assert render(f"> @Suzie #7{colon}\n> the *quoted* words", SUZIE) == (
        '<blockquote data-post="7" data-author="suzie" dir="auto">\n'
        '<p class="quote-source" dir="auto">Suzie (@suzie), #7</p>\n'
        '<p dir="auto">the <em>quoted</em> words</p>\n'
        "</blockquote>"
    )


def test_a_quote_may_leave_a_line_free_below_its_source() -> None:
    quoted = "> @suzie #7\n>\n> the quoted words"
    assert render(quoted, SUZIE) == render("> @suzie #7\n> the quoted words", SUZIE)


def test_quotes_nest() -> None:
    html = render("> @suzie #7\n> > @suzie #7\n> > first\n>\n> second", SUZIE)
    assert html.count('<p class="quote-source" dir="auto">Suzie (@suzie), #7</p>') == 2
    assert html.endswith('<p dir="auto">second</p>\n</blockquote>')


def test_nobody_is_quoted_with_what_they_never_said() -> None:
    assert render("> @suzie #8 wrote:\n> words", SUZIE) == (
        '<blockquote dir="auto">\n<p dir="auto">@suzie #8 wrote:<br>\nwords</p>\n</blockquote>'
    )


LONG_SAID = (
    "I would **never** say that I am *glad*.\n\n> @bob #2 wrote:\n> I am glad\n\nShe “isn't”, they’re 15 years old. "
    "See [the helpline](https://help.example/a)."
)


@pytest.mark.parametrize(
    ("quote", "is_theirs"),
    [
        ("> @suzie #7 wrote:\n> I would **never** say that I am *glad*.", True),
        ("> @suzie #7 wrote:\n> i would   NEVER say\n> that I am glad", True),
        ("> @suzie #7 wrote:\n> I would ne\u200bver say", True),
        ("> @suzie #7 wrote:\n> I would […] say that […] glad", True),
        ("> @suzie #7 wrote:\n> I would [...] glad.", True),
        ("> @suzie #7 wrote:\n> I would [removed: rules 3 and 10] glad.", True),
        ("> @suzie #7 wrote:\n> I would never\nsay that I am glad", True),  # a lazy continuation line
        ("1. > @suzie #7 wrote:\n   > I would never", True),
        ("> - > @suzie #7 wrote:\n>   > I would never", True),
        ("> @suzie #7 wrote:\n> 'she \"isn\u2019t\", they're 15 years old.", False),
        ('> @suzie #7 wrote:\n> She "isn\u2019t", they\'re 15 years old.', True),
        ("> @suzie #7 wrote:\n> > @bob #2\n> > I am glad\n>\n> She", True),
        ("> @suzie #7 wrote:\n> See [the helpline](https://help.example/a).", True),
        ("> @suzie #7 wrote:\n> I would say that I am glad.", False),
        ("> @suzie #7 wrote:\n> I am glad. I would never", False),  # in another order
        ("> @suzie #7 wrote:\n> I would never\nlie", False),
        ("> @suzie #7 wrote:\n> I am glad\n> She", False),  # what she quoted
        ("> @suzie #7 wrote:\n> > @carl #3\n> > I am glad\n>\n> She", False),
        ("> @suzie #7 wrote:\n> > I would never", False),
        ("> @suzie #7 wrote:\n> 1.5 years old", False),
        ("> @suzie #7 wrote:\n> ever say", False),  # half a word
        ("> @suzie #7 wrote:\n> See [the helpline](https://evil.example/a).", False),
        ("> @suzie #7 wrote:\n> See the helpline (https://help.example/a).", False),
        ("> @suzie #7 wrote:\n> See \x04https://help.example/a\x04the helpline", False),
        ("> @suzie #7 wrote:\n> […]", False),
        ("> @suzie #7 wrote:", False),
        ("1. > @suzie #7 wrote:\n   > I lie", False),
        ("> > @suzie #7 wrote:\n> > I lie", False),
    ],
)
def test_a_quote_says_what_was_said(quote: str, is_theirs: bool) -> None:
    known = Known({}, {SUZIE_7: saying(LONG_SAID)})
    parsed = parse(quote)
    assert [post.post_id for post in parsed.quoted(known)] == [1] * is_theirs
    html = parsed.html(known)
    assert ('data-author="suzie"' in html, "Suzie (@suzie), #7" in html) == (is_theirs, is_theirs)
    assert html == SAFE.clean(html)


def test_each_quote_of_a_post_is_checked() -> None:
    html = render("> @suzie #7\n> the quoted words\n\nand\n\n> @suzie #7\n> the other words", SUZIE)
    assert html.count("data-post") == 1
    assert '<p dir="auto">@suzie #7<br>\nthe other words</p>' in html


def test_what_a_post_said_in_an_earlier_revision_can_stay_quoted() -> None:
    now, before = QuotedPost(1, 2, "Suzie", "<p>Changed</p>"), QuotedPost(1, 1, "Suzie", "<p>the quoted words</p>")
    parsed = parse("> @suzie #7\n> the quoted words")
    assert parsed.quoted(Known({}, {SUZIE_7: [now, before]})) == [before]


@pytest.mark.parametrize(
    ("body", "quotes"),
    [
        ("a\n> b\nc\n\nd", ["> b\nc\n"]),
        ("> b", ["> b"]),
        ("> b\r\nc\r\n\r\nd", ["> b\r\nc\r\n"]),
        ("- > e\n  f\n\ng", ["- > e\n  f\n"]),
        ("> a\n> > b\nc", ["> a\n> > b\nc"]),
        ("> a\n\n> b", ["> a\n", "> b"]),
        ("1 > 0", []),
        ("```\n> code\n```", []),
        ("", []),
    ],
)
def test_a_quote_ends_where_its_last_paragraph_does(body: str, quotes: list[str]) -> None:
    assert [body[start:end].rstrip("\r\n") for start, end in quote_spans(body)] == [
        quote.rstrip("\r\n") for quote in quotes
    ]


@given(st.text(st.sampled_from("> \n\r-1.ab`#"), max_size=80))
@settings(derandomize=True)
def test_where_a_text_quotes_is_inside_the_text_and_in_order(body: str) -> None:
    ends = [place for span in quote_spans(body) for place in span]
    assert ends == sorted(ends)
    assert all(0 <= place <= len(body) for place in ends)


@pytest.mark.parametrize(
    "body",
    [
        "@suzie #7",
        "> words\n> @suzie #7",
        "> @suzie #7 said more\n> words",
        "> @suzie #07\n> words",
        "> @suzie #٧\n> words",
        "> @suzie 7\n> words",
        "> # @suzie #7\n> words",
        "> **@suzie** #7\n> words",
        "> suzie #7\n> words",
    ],
)
def test_only_the_first_line_of_a_quote_names_its_source(body: str) -> None:
    assert parse(body).references.quotes == frozenset()


def test_a_source_line_quotes_and_does_not_mention() -> None:
    assert parse("> @Suzie #7\n> hello @Bob").references == References(frozenset({"bob"}), frozenset({SUZIE_7}))


@pytest.mark.parametrize("typed", ["@suzie", "@Suzie", "@SUZIE", "@ｓｕｚｉｅ"])
def test_a_mention_is_marked_as_it_was_typed(typed: str) -> None:
    assert inside_paragraph(f"Hello {typed}.", SUZIE) == (
        f'Hello <span class="mention" data-handle="suzie">{typed}</span>.'
    )


def test_a_mention_of_nobody_is_plain_text() -> None:
    assert inside_paragraph("Hello @nobody", SUZIE) == "Hello @nobody"


@pytest.mark.parametrize(
    ("body", "handle"),
    [
        ("(@suzie)", "suzie"),
        ("_@suzie_", "suzie"),
        ("thanks...@suzie", "suzie"),
        ("@suzie's", "suzie"),
        ("@suzie--", "suzie"),
        ("@jane_doe-the.2nd", "jane_doe-the.2nd"),
        ("@सुजीता", "सुजीता"),
        ("@Straße", "strasse"),
        ("@שושנה", "שושנה"),
        ("@" + "a" * 30, "a" * 30),
    ],
)
def test_a_handle_is_found_in_any_script(body: str, handle: str) -> None:
    assert parse(body).references.mentions == {handle}


@pytest.mark.parametrize(
    "body",
    [
        "`@suzie`",
        "```\n@suzie\n```",
        "[@suzie](https://help.example)",
        "https://help.example/@suzie",
        "jane@suzie",
        "jané@suzie",
        "@suzie@help.example",
        "\\@suzie",
        "@su",
        "@_suzie",
        "@ suzie",
        "@" + "a" * 31,
        "![@suzie](https://help.example)",
    ],
)
def test_not_every_at_sign_is_a_mention(body: str) -> None:
    assert parse(body).references.mentions == frozenset()


@pytest.mark.parametrize("handle", ["suzie", "a_b", "a-b.c", "सुजीता", "123", "a" * 30])
def test_a_handle_is_letters_digits_and_marks_joined_inside(handle: str) -> None:
    assert is_handle(handle)


@pytest.mark.parametrize("handle", ["", "ab", "a" * 31, "_ab", "ab.", "a b", "a@b", "a\u200db", "a<b", "½½½"])
def test_other_names_are_no_handles(handle: str) -> None:
    assert not is_handle(handle)


@given(any_text)
@settings(database=None)
def test_a_canonical_handle_stays_as_it_is(handle: str) -> None:
    assert folded(folded(handle)) == folded(handle)


def test_a_body_names_at_most_twenty_members() -> None:
    handles = [f"member{number}" for number in range(30)]
    parsed = parse(" ".join(f"@{handle}" for handle in [*handles, "member3"]))
    assert parsed.references.mentions == frozenset(handles[:20])
    html = parsed.html(Known(dict.fromkeys(handles, "x"), {}))
    assert html.count('class="mention"') == 21
    assert "@member20 @member21" in html


def test_a_body_quotes_at_most_twenty_posts() -> None:
    quotes = [QuoteRef("suzie", number) for number in range(1, 31)]
    parsed = parse("\n\n".join(f"> @suzie #{quote.number}\n> x" for quote in quotes))
    assert parsed.references.quotes == frozenset(quotes[:20])
    assert parsed.html(Known({}, dict.fromkeys(quotes, saying()))).count("data-post") == 20


def test_a_parsed_body_can_be_shown_more_than_once() -> None:
    parsed = parse("> @suzie #7\n> words\n\n@suzie")
    assert parsed.html(SUZIE) != parsed.html()
    assert parsed.html(SUZIE) == parsed.html(SUZIE)


# A handle that is taken out for good


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("@heron", "@·····"),
        ("@Heron, are you there?", "@·····, are you there?"),
        ("@ｈｅｒｏｎ", "@·····"),
        ("> @heron #1\n> Hm\n\nNo, @heron.", "> @····· #1\n> Hm\n\nNo, @·····."),
        ("@@heron (@heron)", "@@····· (@·····)"),
        ("`@heron`", "`@·····`"),
        ("@herons and @her.on", None),
        ("me@heron.example", None),
        ("https://site.example/@heron", None),
        ("Heron, heron", None),
        ("@", None),
        ("", None),
    ],
)
def test_a_handle_is_taken_out_where_it_is_mentioned(text: str, left: str | None) -> None:
    assert without_handle(text, "heron") == (text if left is None else left)


@settings(derandomize=True)
@given(st.text(st.sampled_from("@heron Heron.-_#1>\n/x"), max_size=60))
def test_a_text_without_a_handle_is_as_long_and_mentions_nobody_of_that_name(text: str) -> None:
    left = without_handle(text, "heron")
    assert len(left) == len(text)
    assert {was if is_ != GONE else GONE for was, is_ in zip(text, left, strict=True)} == set(left)
    named = parse(left).references
    assert "heron" not in {*named.mentions, *(quote.handle for quote in named.quotes)}
