"""What is erased of texts, and that all else stays."""

import pytest

from forum.content.markup import GONE
from forum.content.posts.erasure import without_quotes

SAID = "She said no.\n> Marcus said: ring the court first thing on Monday.\nSo I rang them, and they were kind to me."


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("> So I rang them, and they were kind to me.\n\nGood.", f"> {GONE * 40}.\n\nGood."),
        ("> they were KIND to me\n\nGood.", f"> {GONE * 20}\n\nGood."),
        ("> She said no.\n\nGood.", f"> {GONE * 11}.\n\nGood."),
        ("> Marcus said: ring the court first thing on Monday.\n\nGood.", None),
        ("So I rang them, and they were kind to me.", None),
        ("> Nothing of it", None),
        (GONE * 9, None),
    ],
    ids=["a line", "a part", "a short line", "of somebody else", "no quote", "another quote", "gone already"],
)
def test_quotes_of_what_was_erased_become_marks_of_the_same_length(text: str, left: str | None) -> None:
    unquoted = without_quotes(text, [SAID, "Something else"])
    assert unquoted == (text if left is None else left)
    assert len(unquoted) == len(text)
