"""No word of an old post is lost, and nothing that somebody typed becomes markup of ours."""

import re
from collections.abc import Collection
from html import escape, unescape
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forum.content import markup
from forum.content.markup import MARK, NOTHING_KNOWN, QuoteRef
from forum.core.text import carried
from forum.importers.records import TextForm
from forum.importers.texts import OF_FEW, Files, How, Loss, Moved, Quoted, split, to_markdown
from forum.importers.texts.escaping import escape_all
from forum.importers.texts.moving import NO_FILES
from forum.importers.texts.proof import letters, words_shown
from tests.support import hostile
from tests.support.old_texts import PIECES, UID, Node, as_bbcode, as_s9e, trees, words_of

POSTS = {"6": Quoted("nobody here", 1), "7": Quoted("suzie", 2, "Suzie"), "8": Quoted(name="Suzie", is_hidden=True)}
ALL_FORMS = (TextForm.S9E, TextForm.BBCODE, TextForm.HTML, TextForm.PLAIN)


class Thread:
    """The thread around a text: two of its posts are known, one of them is hidden."""

    def __init__(self, is_for_staff: bool = False) -> None:
        self.is_for_staff = is_for_staff
        self.asked: list[tuple[str | None, str | None, str]] = []

    def hides(self, posts: Collection[str]) -> bool:
        return any(POSTS.get(post, Quoted()).is_hidden for post in posts)

    def quote(self, post: str | None, name: str | None, words: str) -> Quoted:
        self.asked.append((post, name, words))
        return POSTS.get(post or "", Quoted(name=name or ""))

    def link(self, url: str) -> str:
        return re.sub(r"^(?:https?://old\.example)?/?viewtopic\.php\?t=(\d+)$", r"https://new.example/t/\1", url)


def moved(text: str, form: TextForm = TextForm.S9E, files: Files = NO_FILES) -> Moved:
    return to_markdown(text, form, uid=UID, around=Thread(), files=files)


def typed(text: str, form: TextForm) -> str:
    """Return a text as a form keeps it when somebody typed it."""
    match form:
        case TextForm.S9E:
            return "<t>" + escape(text, quote=False).replace("\n", "<br/>\n") + "</t>"
        case TextForm.PLAIN:
            return text
    return escape(text)


# What each tag becomes: the old text in the two forms of phpBB, `~` for the id in a tag, and ours.
CASES = {
    "words": ("<t>A &amp;amp; B<br/>\n<br/>\n<br/>\n  C</t>", "A &amp;amp; B\n\n\n  C", "A \\&amp; B\n\nC"),
    "bold": ("<r><B><s>[b]</s>Hi <e>[/b]</e></B>you</r>", "[b~]Hi [/b~]you", "**Hi** you"),
    "both": (
        "<r><B><s>[b]</s>a <I><s>[i]</s>b<e>[/i]</e></I><e>[/b]</e></B> c</r>",
        "[b~]a [i~]b[/i~][/b~] c",
        "**a _b_** c",
    ),
    "crossed": (
        "<r><B><s>[b]</s>a <I><s>[i]</s>b<e>[/b]</e></I></B><I> c<e>[/i]</e></I></r>",
        "[b~]a [i~]b[/b~] c[/i~]",
        "**a _b_** _c_",
    ),
    "paragraphs": ("<r><B>one<br/>\n<br/>\ntwo</B></r>", "[b~]one\n\ntwo[/b~]", "**one**\n\n**two**"),
    "inside a word": ("<r>un<I>believ</I>able</r>", "un[i~]believ[/i~]able", "un*believ*able"),
    "struck": ("<r><S>no</S></r>", "[s~]no[/s~]", "~~no~~"),
    "link": (
        '<r><URL url="http://x.org/a_(b)"><s>[url=http://x.org/a_(b)]</s>a [b] c<e>[/url]</e></URL></r>',
        "[url=http&#58;//x&#46;org/a_&#40;b&#41;~]a [b] c[/url~]",
        r"[a \[b\] c](http://x.org/a_%28b%29)",
    ),
    "bare link": (
        '<r>See <URL url="http://x.org/a_b"><LINK_TEXT text="http://x.or ... a_b">http://x.org/a_b</LINK_TEXT></URL></r>',
        'See <!-- m --><a class="postlink" href="http://x.org/a_b">http://x.or ... a_b</a><!-- m -->',
        "See http://x.org/a_b",
    ),
    "old board": (
        '<r><URL url="http://old.example/viewtopic.php?t=7"><LINK_TEXT text="viewtopic.php?t=7">'
        "http://old.example/viewtopic.php?t=7</LINK_TEXT></URL></r>",
        '<!-- l --><a class="postlink-local" href="http://old.example/viewtopic.php?t=7">viewtopic.php?t=7</a>'
        "<!-- l -->",
        "https://new.example/t/7",
    ),
    "mail": (
        '<r><EMAIL email="a@b.org"><s>[email]</s>a@b.org<e>[/email]</e></EMAIL></r>',
        "[email~]a@b&#46;org[/email~]",
        "a@b.org",
    ),
    "bad link": ('<r><URL url="javascript:x">here</URL></r>', "[url=javascript&#58;x~]here[/url~]", "here"),
    "picture": (
        '<r><IMG src="http://x.org/a.png"><s>[img]</s>http://x.org/a.png<e>[/img]</e></IMG></r>',
        "[img~]http&#58;//x&#46;org/a&#46;png[/img~]",
        "[A picture](http://x.org/a.png)",
    ),
    "attachment": (
        '<r>Look<ATTACHMENT filename="amy.jpg" index="0"><s>[attachment=0]</s>amy.jpg<e>[/attachment]</e></ATTACHMENT>'
        "</r>",
        "Look[attachment=0~]<!-- ia0 -->amy.jpg<!-- ia0 -->[/attachment~]",
        "Look\n\n[A picture was attached]",
    ),
    "smileys": (
        "<r><E>:)</E> <E>:hugs:</E></r>",
        '<!-- s:) --><img src="{SMILIES_PATH}/a.gif" alt=":)" title="Smile" /><!-- s:) --> '
        '<!-- s:hugs: --><img src="{SMILIES_PATH}/b.gif" alt=":hugs:" title="Hugs" /><!-- s:hugs: -->',
        "🙂 :hugs:",
    ),
    "list": (
        "<r><LIST><s>[list]</s><br/>\n<LI><s>[*]</s>a</LI>\n<LI><s>[*]</s>b<br/>\nc</LI><e>[/list]</e></LIST></r>",
        "[list~]\n[*~]a[/*:m~]\n[*~]b\nc[/*:m~][/list:u~]",
        "- a\n- b\n  c",
    ),
    "list without items": ("<r><LIST>a</LIST></r>", "[list~]a[/list:u~]", "- a"),
    "two lists": (
        '<r><LIST type="decimal"><LI>a</LI></LIST><LIST type="upper-roman"><LI>b</LI></LIST></r>',
        "[list=1~][*~]a[/*:m~][/list:o~][list=I~][*~]b[/*:m~][/list:o~]",
        "1. a\n\n1) b",
    ),
    "list in a list": (
        "<r><LIST><LI>a<LIST><LI>b</LI></LIST></LI></LIST></r>",
        "[list~][*~]a[list~][*~]b[/*:m~][/list:u~][/*:m~][/list:u~]",
        "- a\n\n  + b",
    ),
    "code": (
        "<r><CODE><s>[code]</s><i>\n</i>  a  [b]\n```<e>[/code]</e></CODE></r>",
        "[code~]  a  &#91;b&#93;\n```[/code~]",
        "````\n  a  [b]\n```\n````",
    ),
    "quote": (
        '<r><QUOTE author="Mum &amp; [b]Dad"><s>[quote]</s>a<br/>\n<br/>\nb<e>[/quote]</e></QUOTE>c</r>',
        "[quote=&quot;Mum &amp; [b]Dad&quot;~]a\n\nb[/quote~]c",
        "> **Mum & [b]Dad wrote:**\n>\n> a\n>\n> b\n\nc",
    ),
    "two quotes": (
        "<r><QUOTE>a</QUOTE><QUOTE><QUOTE>b</QUOTE>c</QUOTE></r>",
        "[quote~]a[/quote~][quote~][quote~]b[/quote~]c[/quote~]",
        "> a\n\n> > b\n>\n> c",
    ),
    "open": ("<r><QUOTE>a</QUOTE></r>", "[quote~]a", "> a"),
    "line": ("<r>a<HR/>b</r>", "a[hr~]b", "a\n\n___\n\nb"),
    "spoiler": ("<r>a<SPOILER><s>[spoiler]</s>b</SPOILER></r>", "a[spoiler~]b[/spoiler~]", "a\n\nb"),
    "nothing": ("<t> </t>", " ", "[no words]"),
}
LOSSES = {
    "bad link": (Loss.ADDRESS,),
    "picture": (Loss.PICTURE,),
    "attachment": (Loss.ATTACHMENT,),
    "smileys": (Loss.SMILEY,),
    "two lists": (Loss.LIST_LETTERS,),
    "spoiler": (Loss.SPOILER,),
    "nothing": (Loss.NO_WORDS,),
}


@pytest.mark.parametrize("case", CASES)
def test_both_forms_of_phpbb_become_the_same_markdown(case: str) -> None:
    xml, bbcode, expected = CASES[case]
    how = How.PLAIN if case == "nothing" else How.WORD_FOR_WORD
    both = {moved(xml), moved(bbcode.replace("~", f":{UID}"), TextForm.BBCODE)}
    assert both == {Moved(expected, how, LOSSES.get(case, ()))}


def test_what_is_lost_is_named() -> None:
    tags = {"U": Loss.UNDERLINE, "COLOR": Loss.COLOUR, "SIZE": Loss.SIZE, "CENTER": Loss.ALIGNMENT, "FUN": Loss.EFFECT}
    for tag, loss in tags.items():
        assert moved(f"<r><{tag}>words</{tag}></r>") == Moved("words", How.WORD_FOR_WORD, (loss,))
        bbcode = f"[{tag.lower()}=x:{UID}]words[/{tag.lower()}:{UID}]"
        assert moved(bbcode, TextForm.BBCODE) == Moved("words", How.WORD_FOR_WORD, (loss,))
    # Beside a letter, Markdown has no emphasis around punctuation marks.
    assert moved('<r><B>Note:</B>so<B>"what"</B></r>') == Moved('**Note**:so"**what"**', How.WORD_FOR_WORD)
    assert moved("<r>so<B>!!!</B>what</r>") == Moved("so!!!what", How.WITHOUT_EMPHASIS, (Loss.EMPHASIS,))
    about = {
        moved("<r><SPOILER spoiler='Food'>x</SPOILER></r>"),
        moved(f"[spoil=Food:{UID}]x[/spoil:{UID}]", TextForm.BBCODE),
    }
    assert about == {Moved("Food\nx", How.WORD_FOR_WORD, (Loss.SPOILER,))}
    assert about.pop().has_spoiler
    assert not moved("<r>x</r>").has_spoiler


def test_what_a_tag_of_the_board_showed_beside_its_words_is_not_lost() -> None:
    for opened, expected, loss in (
        ("<BOX box='Before you read on'>", "Before you read on: x", Loss.EFFECT),
        ("<PANEL title='My own story' width='50 px'>", "My own story: x", Loss.EFFECT),
        ("<GLOW glow='red'>", "x", Loss.EFFECT),
        ("<GLOW glow='DarkRed'>", "x", Loss.EFFECT),
        ("<ANCHOR anchor='50 60'>", "x", Loss.EFFECT),
        ("<CLIP clip='dQwAwXcQgZk'>", "x", Loss.EFFECT),
        ("<BOX box='Why?'>", "Why?: x", Loss.EFFECT),
        ("<USER user='Анна'>", "Анна: x", Loss.EFFECT),
        ("<FONT font='Comic Sans'>", "x", Loss.SIZE),
        ("<COLLAPSE title='Food'>", "Food\nx", Loss.SPOILER),
        ("<TW tw='A death'>", "A death\nx", Loss.SPOILER),
        ("<COLOR color='white'>", "x", Loss.SPOILER),
        ("<COLOR color='#FFFFFF'>", "x", Loss.SPOILER),
        ("<COLOR color='#ff0000'>", "x", Loss.COLOUR),
    ):
        name = opened.split()[0][1:]
        value = re.search(r"'(.*?)'", opened)
        assert value
        bbcode = f"[{name.lower()}={value[1]}:{UID}]x[/{name.lower()}:{UID}]"
        both = {moved(f"<r>{opened}x</{name}></r>"), moved(bbcode, TextForm.BBCODE)}
        assert both == {Moved(expected, How.WORD_FOR_WORD, (loss,))}, opened
    told = "<r><MOOD mood='sad' content='x' colour='Navy' why='It is winter' width='all of it'>x</MOOD></r>"
    assert moved(told).markdown == "sad, It is winter: x"


def test_tags_of_few_are_known_by_their_kind() -> None:
    for name in ("hide2", "hidepost", "hidden", "privat", "membersonly", "members_only", "mods", "logged-in", "team",
                 "onlyreg", "regonly", "usergroup", "password", "secret", "protected"):  # fmt: skip
        xml = f"<r>a <{name.upper()}>HID</{name.upper()}> b</r>"
        turned = {moved(xml), moved(f"a [{name} inline=1:{UID}]HID[/{name}:{UID}] b", TextForm.BBCODE)}
        turned |= {moved(f"<r>a <{name.upper()}>HID</{name.upper()}> b<B></r>")}  # damaged
        assert {one.markdown.replace("\\", "") for one in turned} == {f"a\n\n{OF_FEW}\n\nb"}, name
    for name in ("remember", "user", "steam", "readmore"):
        assert moved(f"a [{name}:{UID}]said[/{name}:{UID}] b", TextForm.BBCODE).markdown == "a said b"


FEW = f"[hide{UID}]".replace(UID, f":{UID}"), f"[/hide:{UID}]"


def test_words_that_only_some_could_read_are_left_out_but_where_staff_alone_read() -> None:
    for text in (
        f"a{FEW[0]}HID{FEW[1]}b",
        f"[quote:{UID}]a{FEW[0]}HID[/quote:{UID}]HID{FEW[1]}[/quote:{UID}]b",  # they go as far as their own end
        f"a{FEW[0]}HID[mod=Suzie:{UID}]HID{FEW[1]}HID[/mod:{UID}]b",
        f"a[list:{UID}][*:{UID}]b{FEW[0]}HID[/list:u:{UID}]HID",
        f"a{FEW[0]}[code:{UID}]HID[/code:{UID}][url=http&#58;//hid&#46;org:{UID}]HID",
    ):
        turned = moved(text, TextForm.BBCODE)
        assert "HID" not in turned.markdown.upper()
        assert OF_FEW in turned.markdown.replace("\\", "")
        assert Loss.OF_FEW in turned.losses
        assert "b" in turned.markdown or "[code" in text
        for_staff = to_markdown(text, TextForm.BBCODE, uid=UID, around=Thread(is_for_staff=True))
        assert "HID" in for_staff.markdown
        assert Loss.OF_FEW not in for_staff.losses
    turned = moved("<r>a <HIDE><s>[hide]</s>HID <B>HID</B><e>[/hide]</e></HIDE> b</r>")
    assert turned.markdown.replace("\\", "") == f"a\n\n{OF_FEW}\n\nb"


def test_what_was_attached_is_told_once() -> None:
    inline = "<r>a<ATTACHMENT><s>[attachment=0]</s>b.pdf<e>[/attachment]</e></ATTACHMENT></r>"
    assert moved(inline, files=Files(("file", "picture"))).markdown == (
        "a\n\n[A file was attached]\n\n[A picture was attached]"
    )
    below = Files(("picture", "file"), ("Our *garden*", "[b]Minutes[/b]"))
    assert moved("<t></t>", files=below) == Moved(
        "[A picture was attached]\n\n[A file was attached]\n\n"
        "[Below what was attached] Our \\*garden\\*\n\n[Below what was attached] [b]Minutes[/b]",
        How.WORD_FOR_WORD,
        (Loss.ATTACHMENT,),
    )
    assert "garden" not in moved("<r>a<HIDE><ATTACHMENT/></HIDE></r>", files=below).markdown


def test_a_quote_is_of_whom_the_thread_says() -> None:
    quote = '<r><QUOTE author="Su" post_id="{}"><QUOTE author="Bo">deep</QUOTE>said</QUOTE>mine</r>'
    known = moved(quote.format(7))
    assert known.markdown == "> @suzie #2\n>\n> > **Bo wrote:**\n> >\n> > deep\n>\n> said\n\nmine"
    assert markup.parse(known.markdown).references.quotes == {QuoteRef("suzie", 2)}
    assert moved('<r><QUOTE author="Su" post_id="7">said<br/>\nso</QUOTE></r>').markdown == "> @suzie #2\n> said\n> so"
    assert moved(quote.format(9)).markdown.startswith("> **Su wrote:**")
    hidden = moved(quote.format(8))
    assert hidden == Moved("> **[a removed post]**\n\nmine", How.WORD_FOR_WORD, (Loss.HIDDEN_QUOTE,))
    assert escape_all("@suz-ie_2 wrote:") == "\\@suz-ie_2 wrote:"
    thread = Thread()
    to_markdown(quote.format(7), TextForm.S9E, around=thread)
    assert thread.asked == [(None, "Bo", "deep"), ("7", "Su", "said")]
    # Better no quote than one that mentions somebody.
    plain = to_markdown(
        f"{quote.format(6)[:-4]}<LIST><LI>a</LI></LIST><HR/><CODE>b</CODE></r>", TextForm.S9E, around=Thread()
    )
    assert (plain.how, plain.losses) == (How.PLAIN, (Loss.EMPHASIS, Loss.STRUCTURE))
    assert words_shown(plain.markdown).split("\n") == [
        *("@nobody here #1:", "Bo wrote:", "deep", "(End of the quote)", "said", "(End of the quote)"),
        *("mine", "a", "---", "b", ""),
    ]
    # Our markup names only so many: of the others, it is told who said it, and no post.
    many = moved("<r>" + '<QUOTE author="Su" post_id="7">said</QUOTE>' * 25 + "</r>").markdown
    assert (many.count("@suzie #2"), many.count("> **\\@suzie wrote:**")) == (20, 5)


def test_what_is_too_deep_is_told_on_one_level() -> None:
    deep = moved("<r>" + '<QUOTE author="Su">' * 30 + "words" + "</QUOTE>" * 30 + "</r>")
    assert deep.markdown.splitlines()[-1] == "> " * 8 + "words"
    assert (deep.markdown.count("Su wrote:"), deep.losses) == (30, (Loss.DEPTH,))
    lists = moved("<r>" + "<LIST><LI>a" * 30 + "</LI></LIST>" * 30 + "</r>")
    assert (lists.how, lists.losses, words_shown(lists.markdown).count("a")) == (How.WORD_FOR_WORD, (Loss.DEPTH,), 30)
    styles = moved("<r>" + "<B><I>" * 3_000 + "words" + "</I></B>" * 3_000 + "</r>")
    assert styles == Moved("**_words_**", How.WORD_FOR_WORD)


@pytest.mark.parametrize("form", ALL_FORMS)
def test_nothing_that_was_typed_becomes_markup(form: TextForm) -> None:
    blocks = [
        "# a",
        "## a ##",
        "- a",
        "+ a",
        "* a",
        "1. a",
        "2) a",
        "> a",
        "---",
        "***",
        "___",
        "```\na\n```",
        "~~~\na",
    ]
    marks = [
        "**a**",
        "_a_",
        "`a`",
        "~~a~~",
        "[a](b)",
        "![a](http://x.org)",
        "<http://x.org>",
        "&amp;",
        "\\*",
        "***a**b*",
    ]
    ours = ["@suzie", "(@suzie)", "_@suzie_", "> @suzie #7\n> said", "[removed: rule 10](http://x.org)", "[removed]"]
    for text in [*blocks, *marks, *ours, "a\n- b", "a\n1. b", "\\", "a\\\nb", *PIECES, *hostile.ADDRESSES]:
        result = moved(typed(text, form), form)
        assert result.how == How.WORD_FOR_WORD or not text.strip(), text
        parsed = markup.parse(result.markdown)
        tags = set(re.findall(r"<(\w+)", parsed.html(NOTHING_KNOWN)))
        assert tags <= {"p", "br", "a"}, (text, result.markdown)
        assert (parsed.references.mentions, parsed.references.quotes) == (frozenset(), frozenset())
        assert MARK.search(result.markdown) is None
        if text.strip():
            assert letters([words_shown(result.markdown)]) == letters([carried(text)])


def test_what_nobody_needs_to_escape_stays_as_it_was_typed() -> None:
    text = "I <3 you [hugs] :-) don't, a snake_case (it's 5 > 3) & #1 - well... a@b.org see www.x.org/a_b, \"so\"!"
    for form in ALL_FORMS:
        assert moved(typed(text, form), form).markdown == text


@settings(max_examples=40, deadline=None)
@given(trees())
def test_words_quotes_and_items_are_all_there(nodes: list[Node]) -> None:
    expected = letters([words_of(nodes)])
    for form, text in ((TextForm.S9E, as_s9e(nodes)), (TextForm.BBCODE, as_bbcode(nodes))):
        result = moved(text, form)
        if Loss.NO_WORDS in result.losses:
            assert expected in {"", letters([result.markdown])}
        else:
            assert result.how != How.PLAIN
            assert letters([words_shown(result.markdown)]) == expected


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from([*PIECES, *("<p>", "</p>", "<ul><li>", "</ul>", "<a href='x'>", "<pre>")])).map("".join)
)
def test_any_html_keeps_its_words(text: str) -> None:
    result = moved(text, TextForm.HTML)
    assert result.how != How.PLAIN or result.losses[-1:] == (Loss.NO_WORDS,)


def test_an_article_keeps_its_shape() -> None:
    html = (
        "<h1>Head</h1>\n<p>One <strong>two</strong><br>three <a href='https://x.org/'>four</a></p><script>alert(1)</script>"
        "<blockquote><p>said</p></blockquote><ol><li>a</li><li><em>b</em></li></ol><pre>x\n  y</pre><!-- note -->"
        "<p onclick=x>call <code>c</code> <a href='tel:116123'>116 123</a> <a href='javascript:x'>no</a></p>"
    )
    assert moved(html, TextForm.HTML).markdown == (
        "# Head\n\nOne **two**\nthree [four](https://x.org/)\n\n> said\n\n1. a\n2. _b_\n\n```\nx\n  y\n```\n\n"
        "call `c` [116 123](tel:116123) no"
    )
    for text, expected in {
        '<img src="https://x.org/a" alt="Our garden in May">': "[A picture: Our garden in May](https://x.org/a)",
        '<img src="https://x.org/a" alt="daisy-at-school.jpg">': "[A picture](https://x.org/a)",
        '<p>a</p><p style="color: red; Display:None">HID <b>HID<br>HID</b></p>b': f"a\n\n{OF_FEW}\n\nb",
        '<span hidden>HID <span>HID</span><img src="https://hid.org"></span>b': f"{OF_FEW}\n\nb",
        "<pre>a<span hidden>HID</span></pre>": f"```\na\n```\n\n{OF_FEW}",
        '<p style="color:red">a <span style="font-weight:bold">b</span></p>': "a b",
        "<center>a</center>b <main>c</main>d": "a\n\nb\n\nc\n\nd",
        "5 <b>of</b> them & <no tag": r"5 **of** them & \<no tag",
        "a<!-- HID <b>HID": "a",
    }.items():
        assert moved(text, TextForm.HTML).markdown == expected, text
    shut = "<details><summary>A death</summary><p>How it was.</p></details>"
    assert moved(shut, TextForm.HTML) == Moved("A death\n\nHow it was.", How.WORD_FOR_WORD, (Loss.SPOILER,))
    assert moved("one\ntwo\n\nthree", TextForm.HTML).markdown == "one\ntwo\n\nthree"
    assert moved("<!-- wp:paragraph --><p>one\ntwo</p>", TextForm.HTML).markdown == "one two"
    assert moved("a <img src='https://x.org/a.png' onerror='x'>", TextForm.HTML).markdown == (
        "a [A picture](https://x.org/a.png)"
    )


def test_our_own_text_is_left_as_it_is() -> None:
    text = "> @suzie #7\n> said\n\n**mine** [removed: rule 10]"
    assert moved(text, TextForm.MARKDOWN) == Moved(text, How.WORD_FOR_WORD)


def test_traps() -> None:
    # Only the row's own id is one.
    time = moved(f"[quote:{UID}]at 12:30pmtue] [b:abcdefgh]x[/b:abcdefgh][/quote:{UID}]", TextForm.BBCODE)
    assert time.markdown == "> at 12:30pmtue] \\[b:abcdefgh]x\\[/b:abcdefgh]"
    named = f"[quote=&quot;[url=x:{UID}]Jo[/url:{UID}] [i:{UID}]B[/i:{UID}]&quot;:{UID}]a[/quote:{UID}]"
    assert moved(named, TextForm.BBCODE).markdown == "> **Jo B wrote:**\n>\n> a"
    half = f"[quote=&quot;a] [b:{UID}]b[/b:{UID}] [quote=&quot;Jo&quot;:{UID}]c[/quote:{UID}]"
    assert moved(half, TextForm.BBCODE).markdown == '\\[quote="a] **b**\n\n> **Jo wrote:**\n>\n> c'
    table = "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>"
    for form, rows in ((TextForm.HTML, table), (TextForm.S9E, f"<r>{table.upper()}</r>")):
        assert moved(rows, form).markdown.lower() == "a b\nc"
    # A board that was upgraded holds both forms.
    assert moved(f"[b:{UID}]old[/b:{UID}]", TextForm.S9E).markdown == "**old**"
    assert to_markdown("[b]typed[/b]", TextForm.BBCODE, around=Thread()).markdown == "[b]typed[/b]"
    # Entities are resolved once, and what nobody sees goes.
    assert moved("&amp;lt;b&amp;gt; &lt;b&gt;", TextForm.BBCODE).markdown == r"\&lt;b\&gt; \<b>"
    assert moved("<r><EMOJI seq='1f642'>:)</EMOJI><EMOJI seq='d83d'>:x:</EMOJI></r>").markdown == "🙂:x:"
    assert moved("<t>a\x00\x01\ufffe\uffff\x0bb&#128512;</t>").markdown == "a\nb😀"
    assert moved('<r>Look!!<URL url="http://x.org">here</URL></r>').markdown == "Look!\\![here](http://x.org)"
    # Code that phpBB 3.0 coloured.
    php = f'[code=php:{UID}]<span class="syntaxdefault">a&nbsp;&#91;0&#93;<br />b</span>[/code:{UID}]'
    assert moved(php, TextForm.BBCODE).markdown == "```\na\u00a0[0]\nb\n```"
    assert unescape(markup.parse("```\na\u00a0[0]\nb\n```").html()).count("[0]") == 1


def test_what_is_broken_is_shown_as_text_and_runs_nothing(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret")
    bombs = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    broken = {
        "<r>cut <B><s>[b]</s>off &amp; on": "cut off & on",
        "<r>a<B>b</r>": "ab",
        "<r>&undeclared; a</r>": "\\&undeclared; a",
    }
    for text, expected in broken.items():
        assert moved(text) == Moved(expected, How.PLAIN, (Loss.DAMAGE,)), text
    # Of a quote that nobody may read, and of words for few, nothing is shown.
    for text, expected in {
        '<r>a <QUOTE post_id="8"><s>[quote]</s>HID <B>': "a\n\n[a removed post]",
        '<r>a <QUOTE post_id="8">HID</QUOTE> b<B></r>': "a\n\n[a removed post]\n\nb",
        '<r>a <QUOTE post_id="7">said</QUOTE> b<B></r>': "a said b",
        "<r>a <HIDE><s>[hide]</s>HID<e>[/hide]</e></HIDE> b<HIDE>HID": f"a\n\n{OF_FEW}",
        "<r>a <span style='display: none'>HID</span> b<B>": f"a\n\n{OF_FEW}",
    }.items():
        assert moved(text).markdown.replace("\\", "") == expected
    for head in (f"<!DOCTYPE r [<!ENTITY e0 'x'>{bombs}]>", f"<!DOCTYPE r [<!ENTITY e11 SYSTEM '{secret}'>]>"):
        for text in (f"{head}<r>&e11;</r>", f"<r>{head}&e11;</r>"):
            shown = moved(text).markdown
            assert "s3cret" not in shown
            assert len(shown) < 2 * len(text)


FRAGMENTS = [
    *(
        "<B>",
        "</B>",
        "<s>",
        "</s>",
        "<LIST>",
        "<LI>",
        "</LI>",
        "</LIST>",
        "<QUOTE author='a'>",
        "</QUOTE>",
        "<E>:)</E>",
    ),
    *(
        "<CODE>",
        "</CODE>",
        "<URL url='http://x.org'>",
        "</URL>",
        "<IMG/>",
        "<br/>\n",
        "<r>",
        "</r>",
        "<!-- x -->",
        "<pre>",
    ),
    *(
        f"[{tag}:{UID}]"
        for tag in ("b", "/b", "list", "*", "/*:m", "/list:u", "quote", "/quote", "code", "/code", "url")
    ),
    *(
        f"[{tag}:{UID}]"
        for tag in ("quote=&quot;a&quot;", "img", "/img", "url=x", "/url", "attachment=0", "?", "=", "")
    ),
    *("<!-- s:) --><img alt=':)' /><!-- s:) -->", "<!-- m --><a href='x'>x</a><!-- m -->", "<!-- s", "<!-- m --><a "),
]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from([*FRAGMENTS, *PIECES, *["word"] * 30]), max_size=20).map("".join))
def test_nothing_is_so_broken_that_it_cannot_be_shown(text: str) -> None:
    for form in ALL_FORMS:
        assert moved(text, form).markdown.strip()
    for xml in (f"<r>{text}</r>", f"<t>{text}</t>"):
        assert letters([words_shown(moved(xml).markdown)]) != "" or not text


def test_long_texts_of_marks_take_no_longer_than_their_length() -> None:
    """A reader that went back over the text for each mark would take minutes here."""
    marks = ["<a", "<!-- s", "<!-- m --><a ", "[quote=&quot;a", f"[quote=&quot;a:{UID}]", f":{UID}]", "<s>", "<b>x<p>"]
    for mark in [*marks, "www.(", "http://x.org/*", f"[b:{UID}]a[i:{UID}]b[/b:{UID}]c[/i:{UID}]"]:
        text = mark * (20_000 // len(mark))
        assert moved(text, TextForm.BBCODE).markdown
        assert moved(text, TextForm.HTML).markdown
        assert moved(f"<r>{text}").markdown


def test_a_text_that_is_too_long_becomes_several_posts() -> None:
    many = "one *two*\n\n" * 100
    parts = split(many, 300)
    assert [len(part) <= 300 for part in parts] == [True] * 4
    assert "\n\n".join(parts) == many.strip()
    assert split("short") == ["short"]
    long = [
        "> " + "**word** " * 200,
        "**" + "word " * 300 + "x**",
        "x" * 1_000,
        "```\n" + "a\n\n" * 300 + "```",
        "- item\n" * 100,
        "> @suzie #7\n" + "> line\n" * 100,
        "> > " + "deep - # 1. " * 99,
        "1. a\n\n   b\n\n" * 50,
        "\\*" * 500,
        "words\n\n> " + "quote `code` " * 80 + "\n\nend",
    ]
    for text in long:
        parts = split(text, 300)
        assert all(part.strip() and len(part) <= 300 for part in parts), text
        assert letters(map(words_shown, parts)) == letters([words_shown(text)]), text
        assert all(part.startswith(">") for part in parts) == text.startswith(">"), text
