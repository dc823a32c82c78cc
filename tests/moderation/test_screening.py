"""Screening: what is found in words, what is left alone, and that no words take long."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.screening import MOST, screen
from moderation.screening.finding import FindingKind


def found(text: str, region: str = "GB") -> list[tuple[str, str]]:
    """What was recognised, and the very words."""
    return [(one.recogniser, text[one.start : one.end]) for one in screen(text, region)]


# Danger


@pytest.mark.parametrize(
    ("text", "recogniser", "words"),
    [
        ("I want to kill myself tonight.", "suicide", "kill myself"),
        ("I WANT TO DIE", "suicide", "WANT TO DIE"),
        ("i just wanna die", "suicide", "wanna die"),
        ("I don't want to be here anymore", "suicide", "don't want to be here anymore"),
        ("I don’t want to be alive", "suicide", "don’t want to be alive"),
        ("I do not want to live any more.", "suicide", "do not want to live any more"),
        ("They'd all be better off without me", "suicide", "better off without me"),
        ("I can’t go on anymore", "suicide", "can’t go on anymore"),
        ("I have been feeling suicidal since Monday", "suicide", "feeling suicidal"),
        ("I've just taken an overdose", "suicide", "I've just taken an overdose"),
        ("He says he'll kill himself if I go", "suicide", "kill himself"),
        ("I started cutting myself again", "self_harm", "cutting myself"),
        ("my daughter is self-harming", "self_harm", "is self-harming"),
        ("He threatened to kill us", "threat", "threatened to kill us"),
        ("he’s got a knife", "threat", "he’s got a knife"),
        ("I am scared I am going to hurt my baby", "child_in_danger", "going to hurt my baby"),
        ("My son wants to die, he says", "child_in_danger", "My son wants to die"),
        ("My husband wants to die, he says", "suicide", "wants to die"),
        ("My little boy is not breathing!", "child_in_danger", "My little boy is not breathing"),
        ("We are in immediate danger", "emergency", "We are in immediate danger"),
        # However it is written.
        ("I want to k\u0131ll mysel\ufb00", None, ""),
        ("I want to **kill** _myself_", "suicide", "kill** _myself"),
        ("kill\u00a0 \n myself", "suicide", "kill\u00a0 \n myself"),
        ("ki\u00adll my\u200bself", "suicide", "ki\u00adll my\u200bself"),
        ("kíll mysélf", "suicide", "kíll mysélf"),
        ("kill mysel\u0301f", "suicide", "kill mysel\u0301f"),
        ("ｋｉｌｌ ｍｙｓｅｌｆ", "suicide", "ｋｉｌｌ ｍｙｓｅｌｆ"),
        ("😟👨‍👩‍👧 end my life", "suicide", "end my life"),
        ("ﷺ end my life ﷺ", "suicide", "end my life"),
    ],
)
def test_words_of_danger(text: str, recogniser: str | None, words: str) -> None:
    assert found(text) == ([(recogniser, words)] if recogniser else [])


@pytest.mark.parametrize(
    "text",
    [
        "I could have died of embarrassment, I wanted to die of shame.",
        "I nearly killed myself laughing: kill myself laughing!",
        "My brother died by suicide in 2011. I miss him.",
        "He committed suicide before the hearing.",
        "The Samaritans listen, about suicide or anything else.",
        "I cut myself shaving, and I am cutting myself some slack.",
        "She is not in immediate danger, they said.",
        "I am not suicidal.",
        "They accuse me of hitting my son.",
        "The report says there is a risk of harm to the children.",
        "My mum is going to kill me.",
        "That deadline is killing me.",
        "skill myselfish",
        "I don't want to live here",
        "We don't want to wake up early on Monday.",
        "I can't go on Monday.",
        "He is beating me at chess.",
        "Take all your medication with you.",
        "We are going to take an hour for it.",
        "The battery died. Die Kinder schlafen.",
        "Wear gloves to harm nobody; in self defence.",
        "Please eat something today, even if it is only toast.",
    ],
)
def test_what_only_sounds_like_it_is_left_alone(text: str) -> None:
    assert found(text) == []


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
        # Not these.
        ("The Samaritans: 116 123. Childline: 0800 1111. NSPCC: 0808 800 5000. Or 0300 123 6600, or 999.", []),
        ("on 27/07/2018 at 10:30, case ZC19C00123, 2018-07-27 10:30", []),
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
    text = "a@b.example.org wants to end my life at SW1A 1AA"
    assert [one for one, _ in found(text)] == ["email", "suicide", "postcode"]
    assert len(screen("a@b.example.org " * 1000, "GB")) == MOST


# No text takes long


HOSTILE = (
    "i want to ",
    "kill myself ",
    "do not want to ",
    "going to hurt my aaaaaaaaaaaa ",
    "1 ",
    "1",
    "(1",
    "+1",
    "020 7946 0958, ",
    "a@",
    "a@a.",
    "a" * 64 + "@",
    "x" * 63 + "@" + "a" * 63 + ".",
    "sw1a 1a",
    " ",
    "-",
    "*",
    "e\u0301",
    "\ufdfa",
)


@pytest.mark.parametrize("piece", HOSTILE, ids=lambda piece: ascii(piece[:12]))
def test_twice_the_text_takes_about_twice_the_time(piece: str) -> None:
    def seconds(length: int) -> float:
        text = (piece * length)[:length]
        best = 10.0
        for _ in range(3):
            begun = time.process_time()
            screen(text, "GB")
            best = min(best, time.process_time() - begun)
        return best

    half, whole = seconds(10_000), seconds(20_000)
    assert whole < max(4 * half, 0.05)
    assert whole < 1.5


@given(st.text())
def test_every_span_lies_in_the_text(text: str) -> None:
    for one in screen(f"{text} kill myself {text}", "GB"):
        assert 0 <= one.start < one.end <= 2 * len(text) + 13
        assert one.kind in set(FindingKind)


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_words_of_danger_are_found_behind_any_others(text: str) -> None:
    said = f"{text}. end my life"
    assert (len(said) - 11, len(said)) in [(one.start, one.end) for one in screen(said, "GB")]
