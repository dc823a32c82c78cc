"""A body of far more parts than its route takes is refused before it is parsed; any other is not."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forum.api.administration.board_settings import BoardOrder
from forum.api.content.posts import Reply
from forum.core.errors import Invalid
from forum.http.body_size import MOST_PARTS, SURPLUS, most_parts, refuse_crowded
from moderation.api.decisions import DecisionRequest

# Texts in which quotes, commas and brackets mean nothing, and backslashes much.
TEXTS = st.text(st.sampled_from('"\\,[{}]:a\n\u201c\u5c22\U0001f600'), max_size=8)
DOCUMENTS: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inside: st.lists(inside, max_size=5) | st.dictionaries(TEXTS, inside, max_size=5),
    max_leaves=40,
)
WRITERS: list[Callable[[Any], str]] = [
    json.dumps,
    lambda document: json.dumps(document, ensure_ascii=False, separators=(",", ":")),
    lambda document: json.dumps(document, indent=2),
]


def parts(document: Any) -> int:
    """The strings, lists, objects and commas of a document."""
    if isinstance(document, dict):
        inside = [parts(name) + parts(value) for name, value in document.items()]
    elif isinstance(document, list):
        inside = [parts(item) for item in document]
    else:
        return int(isinstance(document, str))
    return 1 + max(0, len(inside) - 1) + sum(inside)


@given(DOCUMENTS, st.sampled_from(WRITERS))
def test_the_parts_of_a_body_are_counted_without_parsing_it(document: Any, write: Callable[[Any], str]) -> None:
    body, count = write(document).encode(), parts(document)
    refuse_crowded(body, count)
    if len(body) > count > 0:
        with pytest.raises(Invalid) as refused:
            refuse_crowded(body, count - 1)
        assert (refused.value.code, refused.value.pointer) == ("too_many", "#")


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({f"k{number}": 1 for number in range(20_000)}),
        json.dumps({f"k{number}\\": 1 for number in range(20_000)}),
        json.dumps({'"' * 100: [1] * 100_000}),
        json.dumps([[]] * 100_000),
        '"' * 200_000,
        "[" * 200_000,
        '{"a":' * 100_000,
        ",".join("1" * 100_000),
    ],
    ids=lambda body: body[:12],
)
def test_what_no_route_takes_is_refused(body: str) -> None:
    with pytest.raises(Invalid) as refused:
        refuse_crowded(body.encode(), MOST_PARTS)
    assert refused.value.code == "too_many"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_json_in_which_nothing_can_be_counted_is_none(encoding: str) -> None:
    """Bytes of other letters look like quotes and backslashes there."""
    with pytest.raises(Invalid) as refused:
        refuse_crowded(json.dumps(["\u5c5c", *range(1_000)], ensure_ascii=False).encode(encoding), 500)
    assert refused.value.code == "not_json"


@pytest.mark.parametrize(
    ("body", "most"),
    [
        ({"body_markdown": '[\\"],{' * 2_000}, most_parts(Reply)),
        ({"slugs": ["a-board"] * 1_000}, most_parts(BoardOrder)),
        ({"measures": [{"kind": "redact", "spans": [[0, 4]] * 100}] * 12, "reason": "x"}, most_parts(DecisionRequest)),
    ],
)
def test_a_route_takes_what_its_fields_can_be_and_some_more(body: dict[str, Any], most: int) -> None:
    refuse_crowded(json.dumps(body | {f"k{number}": 1 for number in range(SURPLUS // 4)}).encode(), most)
