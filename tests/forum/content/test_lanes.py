"""Which posts wait for an adviser, as pure functions over words and over the threads of the demonstration."""

from collections.abc import Iterator
from typing import Any

from forum import demo
from forum.content.lanes import Lane, PostPlace, asks_something, is_news, lane_of

OPENER, PEER = PostPlace(by_opener=True), PostPlace()
TO_ADVISER, FIRST_HERE = PostPlace(to_adviser=True), PostPlace(is_newcomer_here=True)
QUESTION, THANKS = "But can they do that?", "Thank you so much x"
LONG = "The visit was today and she looked at the rooms and the fridge and wrote it all down. " * 2

ASK = [
    "Is that normal?",
    "what do i do",
    "Ok. So can they just come in",
    "They wrote again, and do I have to answer",
    "هل هذا طبيعي؟",
    "what do i do??",
    "Really. Is it normal?!",
    "I don’t know what to do",
    "does anyone know a good solicitor",
    "Beth ddylwn i ei wneud",
    "Oes rhaid i mi fynd",
    "Diolch. Ydyn nhw'n cael gwneud hynny",
    "> what did he say?\n\nAnd can we see the file",
]
TELL = [
    THANKS,
    "she was actually quite nice??",
    "> But can they do that?\n\nHe said no.",
    "They looked in fridge. Why always the fridge.",
    "see https://example.org/?page=2",
    "The man can they say be angry",
    "I asked what exactly and how often",
    "Diolch yn fawr",
    "",
]


def test_whether_words_ask_something() -> None:
    assert [words for words in ASK if not asks_something(words)] == []
    assert [words for words in TELL if asks_something(words)] == []


def test_news_is_long_and_no_thanks() -> None:
    assert is_news(LONG)
    others = ("", THANKS, LONG[:60], LONG + "Thanks all", LONG + "Diolch", f"> {LONG}", LONG + "No need to reply.")
    assert [words for words in others if is_news(words)] == []


def test_the_lane_of_a_post() -> None:
    first = PostPlace(is_first=True)
    rows = [
        (THANKS, first, None, Lane.ASKED),
        (QUESTION, first, False, None),
        (QUESTION, OPENER, None, Lane.ASKED),
        (QUESTION, OPENER, False, None),
        (THANKS, OPENER, None, None),
        (THANKS, OPENER, True, Lane.ASKED),
        (LONG, OPENER, None, Lane.NEWS),
        (LONG, OPENER, False, None),
        (QUESTION, PEER, None, None),
        (QUESTION, PEER, True, Lane.ASKED),
        (QUESTION, TO_ADVISER, None, Lane.ASKED),
        (QUESTION, FIRST_HERE, None, Lane.ASKED),
        (LONG, PEER, None, None),
        (LONG, FIRST_HERE, None, None),
    ]
    assert [row for row in rows if lane_of(row[0], row[1], row[2]) != row[3]] == []


# The seven posts of the demonstration that ask something after an adviser answered, by thread and number.
ASKING = {
    ("Partner arrested", 6),
    ("Partner arrested", 18),
    ("Plan says I can't", 5),
    ("Teenager keeps", 8),
    ("I've got PR", 9),
    ("Kinship words", 5),
    ("Handover: leave", 4),
}


def test_in_the_demonstration_what_asks_waits_and_thanks_do_not() -> None:
    found = {lane: set[tuple[str, int]]() for lane in (*Lane, None)}
    thanks = list[str]()
    for title, number, body, place in _after_an_answer():
        lane = lane_of(body, place, None)
        found[lane].add((next((begin for begin, _ in ASKING if title.startswith(begin)), title), number))
        if lane and "thank you" in body.casefold():
            thanks.append(body)
    assert sum(map(len, found.values())) == 101
    assert found[Lane.ASKED] >= ASKING
    assert len(found[Lane.ASKED] - ASKING) <= 2
    assert thanks == []


def _after_an_answer() -> Iterator[tuple[str, int, str, PostPlace]]:
    """Yield the posts of others that come after one of an adviser, with their places."""
    people: list[dict[str, Any]] = demo._people()
    advisers = {person["handle"] for person in people if "adviser" in person.get("roles", ())}
    for _, thread in demo._threads():
        authors = list[str]()
        for number, post in enumerate(thread["post"], 1):
            by, answered = post["by"], post.get("reply_to")
            names = any(f"@{handle}" in post["body"] for handle in advisers)
            place = PostPlace(
                is_first=number == 1,
                by_opener=bool(authors) and by == authors[0],
                to_adviser=names or bool(answered and authors[answered - 1] in advisers),
                is_newcomer_here=by not in authors,
            )
            if by not in advisers and advisers & {*authors}:
                yield thread["title"], number, post["body"], place
            authors.append(by)
