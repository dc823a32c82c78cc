"""Where the words of the glossary are explained in a post, and where not."""

import pytest

from forum.content.explained_terms import Finder, Term, explain

CIN = Term("CIN", "Child in need", None)
SW = Term("SW", "Social worker", None)
SECTION = Term("Section 20", 'A child in care "by agreement" & no order', None)
WELSH = Term("GŴY", "Gofal", None)
FINDER = Finder([CIN, SECTION, SW, WELSH])
SHOWN = '<abbr title="Child in need">CIN</abbr>'


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        ("<p>A CIN plan, and another CIN.</p>", f"<p>A {SHOWN} plan, and another CIN.</p>"),
        ("<p>(CIN), CIN-plan, CIN's</p>", f"<p>({SHOWN}), CIN-plan, CIN's</p>"),
        ("<p>cin Cin CINs aCIN CIN_</p>", None),
        ("<p><code>CIN</code> <a href=\"https://x.example/CIN\" rel='ugc'>the <em>CIN</em> page</a></p>", None),
        ("<pre><code>CIN\n</code></pre>", None),
        ('<blockquote data-author="CIN"><p class="quote-source" dir="auto">CIN wrote</p></blockquote>', None),
        (
            '<p class="quote-source">CIN <a href="/x">wrote</a></p><p><a href="/?a>b">x</a> CIN</p>',
            f'<p class="quote-source">CIN <a href="/x">wrote</a></p><p><a href="/?a>b">x</a> {SHOWN}</p>',
        ),
        (
            "<p>Under Section 20, not Section 200.</p>",
            '<p>Under <abbr title="A child in care &quot;by agreement&quot; &amp; no order">Section 20</abbr>, '
            "not Section 200.</p>",
        ),
        ("<p>éCIN CINé</p>", None),
        ("<p>GŴY</p>", '<p><abbr title="Gofal">GŴY</abbr></p>'),
        ("", None),
    ],
)
def test_a_word_is_explained_where_it_first_stands_by_itself(html: str, shown: str | None) -> None:
    assert explain(html, FINDER.find([html])) == (shown or html)


def test_what_stands_in_several_posts_is_found_once_in_the_order_of_the_alphabet() -> None:
    assert FINDER.find(["<p>SW CIN</p>", "<p>CIN, <code>Section 20</code></p>"]) == (CIN, SW)
    assert FINDER.find(["<p>CI</p>", "<p>N</p>"]) == ()
    assert Finder([Term("amp", "Amplifier", None)]).find(["<p>Tom &amp; I</p>"]) == ()
    assert Finder([]).find(["<p>CIN</p>"]) == ()
