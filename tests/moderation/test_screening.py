"""Screening: what is found in words, what is left alone, and that no words take long."""

import random
import sys
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.screening import FINDINGS_MAX, phrasebook, reading, screen
from moderation.screening.finding import FindingKind, Level
from moderation.screening.patterns import BadPattern, Patterns, expand
from tests.support import hostile


def found(text: str, region: str = "GB") -> list[tuple[str, str]]:
    """What was recognised, and the very words."""
    return [(one.recogniser, text[one.start : one.end]) for one in screen(text, region)]


# Danger


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("I want to kill myself tonight.", "suicide", "kill myself"),
        ("I WANT TO DIE", "suicide", "WANT TO DIE"),
        ("i just wanna die", "suicide", "wanna die"),
        ("I don’t want to be alive", "suicide", "don’t want to be alive"),
        ("I wnat to kil myself", "suicide", "kil myself"),
        ("He says he'll kill himself if I go", "carer", "kill himself"),
        ("My son wants to die, he says", "carer", "My son wants to die"),
        ("I've just taken an overdose", "attempt", "I've just taken an overdose"),
        ("he’s got a knife", "danger", "he’s got a knife"),
        ("We are in immediate danger", "danger", "We are in immediate danger"),
        ("My little boy is not breathing!", "child_in_danger", "My little boy is not breathing"),
        # However it is written.
        ("I want to **kill** _myself_", "suicide", "kill** _myself"),
        ("kill\u00a0 \u2003 myself", "suicide", "kill\u00a0 \u2003 myself"),
        ("ki\u00adll my\u200bself", "suicide", "ki\u00adll my\u200bself"),
        ("kíll mysélf", "suicide", "kíll mysélf"),
        ("kill mysel\u0301f", "suicide", "kill mysel\u0301f"),
        ("ｋｉｌｌ ｍｙｓｅｌｆ", "suicide", "ｋｉｌｌ ｍｙｓｅｌｆ"),
        ("😟👨‍👩‍👧 end my life", "suicide", "end my life"),
        ("ﷺ end my life ﷺ", "suicide", "end my life"),
        ("I w a n t to d.i.e", "suicide", "w a n t to d.i.e"),
        ("just want to k1ll myse1f", "suicide", "k1ll myse1f"),
        ("i want to dieeee", "suicide", "want to dieeee"),
        ("I want to dіe", "suicide", "want to dіe"),  # with an "i" of the Cyrillic script
        ("commiting sewer slide tonight", "suicide", "commiting sewer slide"),
        ("i wont to die", "suicide", "wont to die"),
        ("i won't too die", "suicide", "won't too die"),
        ("I am want too die", "suicide", "want too die"),
        ("going to k!ll myself", "suicide", "k!ll myself"),
        ("I want\nto die", "suicide", "want\nto die"),
        ("😟 I want\r\nto kill\nmyself", "suicide", "kill\nmyself"),
        ("they said no\ni want to die\nnobody answers", "suicide", "want to die"),
        ("I try, but I can't\nI want to die", "suicide", "want to die"),
        # What stands before is no past, and talks to nobody of anybody else.
        ("Once the kids are asleep I am going to kill myself", "suicide", "kill myself"),
        ("He will come back when it is dark and he will kill us", "danger", "he will kill us"),
        ("Please don't hate me, I want to die", "suicide", "want to die"),
    ],
)
def test_words_of_danger(text: str, kind: str, words: str) -> None:
    assert found(text) == [(kind, words)]
    assert [one.level for one in screen(text, "GB")] == [Level.ACUTE]


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("I want to die", "acute"),
        ("I don't want to die, I want my children home", "worry"),
        ("I don't want to be here any more", "acute"),  # its "not" is the danger
        ("I can't stop thinking about killing myself", "acute"),
        ("I tried to kill myself in 2015", "worry"),
        ("I tried to kill myself in 2015 and tonight I want to again", "acute"),
        ("I no longer want to die", "worry"),
        ("The report says that I want to kill myself", None),
        ("They say that I shook my baby", None),
        ("If you want to die, ring Samaritans", None),
        ("Are you suicidal?", None),
        ("> I want to die\n\nI hear you.", None),
        ("> He hit me\n\nI want to die", "acute"),
        ("He never threatened to kill me", None),
        ("Nobody would miss me", "worry"),
        # A line that is not over by itself, and lines that a machine broke.
        ("I don't\nwant to die, I want my children home", "worry"),
        (
            "I know that the report of a health visitor\n"
            "from last winter says to the court that\nyesterday I wanted to die.",
            None,
        ),
        ("the social worker wrote it in her report\ni want to die\nnobody here answers me", "acute"),
        ("I want\n\nto die", None),
        ("On the list:\n- want\n- to die for: cake", None),
    ],
)
def test_what_stands_around_the_words_decides_how_near_the_danger_is(text: str, level: str | None) -> None:
    assert [one.level for one in screen(text, "GB")] == ([level] if level else [])


def test_a_slip_is_read_as_the_same_word_by_each_process() -> None:
    either = [reading.Dictionary({}, sought) for sought in (["want", "what"], ["what", "want"])]
    assert [dictionary.read("wnat") for dictionary in either] == ["want", "want"]


def test_several_words_that_alone_mean_little_are_a_worry_together() -> None:
    assert found("It is hopeless.") == []
    [together] = screen("It is hopeless. I feel so numb.", "GB")
    assert (together.recogniser, together.level) == ("suicide", "worry")


@pytest.mark.parametrize("phrase", ["a+", "(a|b)*", "(?:a{2,}){2,}", "{unknown}", "a {12i}b", "(", "x" * 20_001])
def test_a_phrase_that_could_take_long_or_means_nothing_is_refused(phrase: str) -> None:
    with pytest.raises(BadPattern):
        Patterns([expand(phrase, {})])


# Personal information


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ring me on 020 7946 0958.", [("telephone", "020 7946 0958")]),
        ("Ring me on 07911 123456 or 07911-123-457", [("telephone", "07911 123456"), ("telephone", "07911-123-457")]),
        ("from abroad: +44 (0)20 7946 0958", [("telephone", "+44 (0)20 7946 0958")]),
        ("+49 30 901820", [("telephone", "+49 30 901820")]),
        ("😟 0207 946 0958", [("telephone", "0207 946 0958")]),
        ("Write to jane.doe+x@mail.example.org, please", [("email", "jane.doe+x@mail.example.org")]),
        ("I live at SW1A 1AA.", [("postcode", "SW1A 1AA")]),
        ("near m1 1ae or EC1A1BB", [("postcode", "m1 1ae"), ("postcode", "EC1A1BB")]),
        ("case ZC19C00123", [("court_number", "ZC19C00123")]),
        # Not these.
        ("The Samaritans: 116 123. Childline: 0800 1111. NSPCC: 0808 800 5000. Or 0300 123 6600, or 999.", []),
        ("on 27/07/2018 at 10:30, 2018-07-27 10:30", []),
        ("1234567 and 12345678901234567890", []),
        ("a@b, @suzie, suzie@", []),
        ("on E3 2nd floor, F1 2AB, ASW1A 1AAB", []),
        ("the M25 at 7am", []),
    ],
)
def test_personal_information(text: str, expected: list[tuple[str, str]]) -> None:
    assert found(text) == expected


@pytest.mark.parametrize(
    ("region", "expected"),
    [("GB", []), ("DE", [("telephone", "030 901820")])],
)
def test_a_number_is_read_as_it_is_dialled_where_the_charity_is(region: str, expected: list[tuple[str, str]]) -> None:
    assert found("Bitte 030 901820 anrufen", region) == expected


def test_postcodes_are_british() -> None:
    assert found("SW1A 1AA", "DE") == []


def test_findings_come_in_the_order_of_the_words_and_not_without_end() -> None:
    text = "a@b.example.org: end my life, SW1A 1AA"
    assert [one for one, _ in found(text)] == ["email", "suicide", "postcode"]
    assert len(screen("a@b.example.org " * 1000, "GB")) == FINDINGS_MAX


@pytest.mark.parametrize(
    ("before", "hidden", "recogniser", "level"),
    [
        ("Mrs Aa was here. ", "My son Tom goes there.", "child", None),
        ("a@b.example.org, ", "My son Tom goes there.", "child", None),
        ("my son is called Will, ", "Ring me on 07700 900123.", "telephone", None),
        ("I want to die. ", "I have taken the tablets.", "attempt", "acute"),
        ("I do not want to die. ", "I want to die.", "suicide", "worry"),
    ],
)
def test_nothing_is_hidden_behind_hundreds_of_others(
    before: str, hidden: str, recogniser: str, level: str | None
) -> None:
    text = before * 400 + hidden
    assert (recogniser, level) in {(one.recogniser, one.level) for one in screen(text, "GB")}


# No text takes long


def steps(text: str) -> int:
    """How often a function is called or left while a text is screened."""
    taken = count()
    sys.setprofile(lambda *_: next(taken))
    try:
        screen(text, "GB")
    finally:
        sys.setprofile(None)
    return next(taken)


@pytest.mark.parametrize("piece", hostile.HARD_TO_SCREEN, ids=lambda piece: ascii(piece[:12]))
def test_twice_the_text_takes_about_twice_the_steps(piece: str) -> None:
    """How long each step takes is for `tests/load` to tell: seconds depend on what else the machine does."""
    half, whole = ((piece * size)[:size] for size in (10_000, 20_000))
    for text in (half, whole):  # what is only made when it is first needed is made now
        screen(text, "GB")
    assert steps(whole) < 2.1 * steps(half) + 100


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x" * 20_000,
        "😟" * 2_000,
        "مرحبا " * 3_000,
        "Z\u0351\u036f\u0321" * 5_000,
        "\x00a\ud800b",
        ">" * 50 + " I want to die",
    ],
    ids=("empty", "one word", "emoji", "right to left", "Zalgo", "what no text can hold", "quoted 50 times"),
)
def test_nothing_is_found_in_what_says_nothing(text: str) -> None:
    assert screen(text, "GB") == []


@given(st.text())
def test_every_span_lies_in_the_text(text: str) -> None:
    for one in screen(f"{text} kill myself {text}", "GB"):
        assert 0 <= one.start < one.end <= 2 * len(text) + 13
        assert one.kind in set(FindingKind)


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_words_of_danger_are_found_behind_any_others(text: str) -> None:
    said = f"{text}\nend my life"
    assert (len(said) - 11, len(said)) in [(one.start, one.end) for one in screen(said, "GB")]


def test_a_text_of_ascii_alone_is_read_as_any_other_is() -> None:
    dice, dictionary = random.Random(7), phrasebook.english().dictionary
    pieces = ["don't", "'tis", "i m", "cant", "Rang", "x", "*b*", "_", "~", "-", "/", "'", "''", ".", "?!", ";", ":"]
    pieces += ["\n", "> said", "\t", "\x1c", "\0", "7", "help", "breathin", "my", "and\n"]
    for _ in range(300):
        text = "".join(dice.choice(pieces) + dice.choice(["", " "]) for _ in range(dice.randint(0, 12)))
        plain, dressed = (reading.read(one, dictionary) for one in (text, f"{text}\u200b"))
        assert (plain.words, plain.folded.rstrip()) == (dressed.words, dressed.folded.rstrip())
        assert plain._places == dressed._places
        emoji, foreign = (reading.read(f"{first}\n{text}", dictionary).words for first in ("🍞", "日"))
        assert (emoji, foreign) == (f" . .{plain.words[2:]}", f" . 日 .{plain.words[2:]}")


def test_lines_that_go_on_are_missed_by_no_quick_look() -> None:
    dice = random.Random(11)
    pieces = ["the", "didn't", "to", "want", "x", "1.", "12)", "i", "I'm", "é", ",", "'", ".", " ", "\n", "\n\n"]
    for _ in range(500):
        text = "".join(dice.choice(pieces) + dice.choice(["", " ", "\n"]) for _ in range(8))
        assert reading._UNFINISHED_SOON.search(text) or not reading._UNFINISHED.search(text)
        assert reading._WRAPPED_SOON.search(text) or not reading._WRAPPED.search(text)
