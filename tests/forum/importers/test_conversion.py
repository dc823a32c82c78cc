"""A quote says nothing that a hidden post of its thread said, however it names whom it quotes."""

import pytest

from forum.importers import said_before
from forum.importers.conversion import Conversion, OldPost, OldThread, convert
from forum.importers.records import PollRecord, PostRecord, Shown, TextForm

SECRET = "My daughter goes to Alder school in Ludlow every day"
LONG = "Long words stand here for a while. " * 1_000


def post(old: int, name: str, text: str, *, is_visible: bool = True) -> OldPost:
    shown = Shown.VISIBLE if is_visible else Shown.REMOVED
    record = PostRecord(old=str(old), thread="1", form=TextForm.BBCODE, text=text, uid="u1", shown=shown)
    return OldPost(record, name, name.lower(), name, name, is_visible)


def quoting(words: str, name: str = "") -> OldPost:
    head = f"=&quot;{name}&quot;" if name else ""
    return post(9, "Nia", f"[quote{head}:u1]{words}[/quote:u1]\nI know that school.")


@pytest.mark.parametrize(
    "hidden", [SECRET, f"[list:u1][*:u1]{SECRET}[/*:m:u1][/list:u:u1]", f"{LONG}\n\n{LONG}\n\n{SECRET}", "Alder school"]
)
@pytest.mark.parametrize("is_left_out", [False, True])
def test_hidden_words_stay_hidden_in_quotes(hidden: str, is_left_out: bool) -> None:
    said = post(2, "Sunny", hidden, is_visible=False)
    for quote in (
        quoting(SECRET, "Sunny"),
        quoting(SECRET),
        quoting("My daughter goes to Alder school (snip)", "Sunny"),
        quoting(SECRET, "Sunny of old"),
        quoting(SECRET, "Suzie"),
        quoting(f"[list:u1][*:u1]{SECRET}[/*:m:u1][/list:u:u1]"),
    ):
        posts = (post(1, "Suzie", "Where do yours go?"), *([] if is_left_out else [said]), quote)
        [turned] = convert([OldThread(posts, left_out=[said.record] if is_left_out else ())])
        assert "Alder" not in turned[-1].markdown, quote
        assert "removed post" in turned[-1].markdown
        assert "I know that school" in turned[-1].markdown


def test_words_are_sought_in_what_was_said_lately_and_hidden_ones_are_hidden_from_anywhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(said_before, "LOOKED_BACK", 2)
    for is_visible, says in ((True, "Alder school"), (False, "removed post")):
        for later, is_found in ((1, True), (2, False)):
            said = post(1, "Sunny", SECRET, is_visible=is_visible)
            since = [post(2 + more, "Sunny", f"Another matter, number {more}.") for more in range(later)]
            [turned] = convert([OldThread((said, *since, quoting(SECRET, "Sunny")))])
            assert says in turned[-1].markdown
            assert ("@sunny #1" in turned[-1].markdown) is (is_visible and is_found)


def test_what_everybody_read_stays_in_quotes() -> None:
    said, hidden = post(1, "Suzie", SECRET), post(2, "Sunny", f"{SECRET}, you toad", is_visible=False)
    for quote in (
        quoting(SECRET, "Suzie"),
        quoting(f"{SECRET} (snip)", "Suzie"),
        quoting(SECRET),
        quoting("Other words"),
    ):
        [turned] = convert([OldThread((said, hidden, quote))])
        assert "removed post" not in turned[-1].markdown


def test_a_title_that_was_cut_and_a_poll_stand_with_the_first_post() -> None:
    title, poll = "Long *title* " * 15, PollRecord(question="Tea?", options=(("Yes", 2),))
    [turned] = convert([OldThread((post(1, "Suzie", "First"), post(2, "Nia", "Then")), poll, whole_title=title)])
    assert turned[0].markdown.startswith("**Long \\*title\\* Long")
    assert "Poll: Tea" in turned[0].markdown
    assert turned[1].markdown == "Then"


def test_a_thread_in_pieces_becomes_what_it_would_as_a_whole() -> None:
    hidden = post(4, "Sunny", SECRET, is_visible=False)
    posts = [post(1, "Suzie", "Where do yours go?"), post(2, "Nia", f"To school.\n\n{LONG}"), hidden]
    posts += [
        post(old, "Suzie", f"[quote=&quot;{name}&quot;:u1]{said}[/quote:u1]\nYes.")
        for old, name, said in ((5, "Suzie", "Where do yours go?"), (6, "Sunny", SECRET), (7, "Nia", "To school."))
    ]
    poll = PollRecord(question="Tea?", options=(("Yes", 2),))
    [whole] = convert([OldThread(posts, poll)])
    with Conversion(OldThread((), poll)) as conversion:
        conversion.hide([hidden.record])
        assert [turned for one in posts for turned in conversion.turn([one])] == whole
    assert [one.quoted for one in whole[-3:]] == [[1], [], [2]]
