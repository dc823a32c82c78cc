"""What is wrong with a request is said in our words, whatever finds it."""

import json
from datetime import datetime
from typing import Annotated, Any, Literal, get_args

import pytest
from pydantic import AwareDatetime, BeforeValidator, Field, ValidationError
from pydantic_core.core_schema import ErrorType

from forum.api.schemas import RequestBody
from forum.http.faults import OUR_CODES, code_of, sentence_of
from forum.http.fields import Line, Number, SentMoment, Text, Uuid, numeric

LIMITS = ("min_length", "max_length", "gt", "ge", "le", "lt", "expected", "discriminator", "expected_tags")


def test_no_words_of_the_library_are_shown() -> None:
    for kind in set(get_args(ErrorType)) - set(OUR_CODES):
        fault = {"type": kind, "loc": ("body", 7), "msg": "Input should be Python", "ctx": dict.fromkeys(LIMITS, "7")}
        assert "Python" not in sentence_of(fault), kind
        assert "{" not in sentence_of(fault), kind
        assert code_of(fault), kind


class Round(RequestBody):
    """One member of a union."""

    kind: Literal["round"]


class Flat(RequestBody):
    """Another."""

    kind: Literal["flat"]


class Everything(RequestBody):
    """A body with a member of each type that requests have."""

    text: Text = ""
    name: Annotated[Line, Field(min_length=2, max_length=3)] = "Ada"
    slug: Annotated[str, Field(pattern="^[a-z]+$")] = "a"
    number: Number = 1
    plain: int = 1
    yes: bool = True
    texts: Annotated[list[str], Field(min_length=1, max_length=2)] = Field(default=["a"])
    one: Uuid | None = None
    at: datetime | None = None
    zoned: AwareDatetime | None = None
    sent: SentMoment | None = None
    shape: Annotated[Round | Flat, Field(discriminator="kind")] | None = None
    colour: Literal["red", "blue"] = "red"
    inner: Round | None = None
    must: Annotated[int, BeforeValidator(numeric)]


SAID = [
    ({"text": 7}, "wrong_type", "must be text"),
    ({"name": "a"}, "too_short", "must have at least 2 characters"),
    ({"name": "abcd"}, "too_long", "must have at most 3 characters"),
    ({"name": "a\nb"}, "several_lines", "must be one line"),
    ({"slug": "A"}, "wrong_format", "is not written in the right way"),
    ({"number": "1"}, "not_a_number", "must be a number"),
    ({"number": 0}, "too_small", "must be at least 1"),
    ({"number": 1.5}, "invalid", "must be a whole number"),
    ({"number": 2**31}, "too_large", "must be less than 2147483648"),
    ({"plain": None}, "wrong_type", "must be a whole number"),
    ({"yes": "perhaps"}, "invalid", "must be true or false"),
    ({"texts": "a"}, "wrong_type", "must be a list"),
    ({"texts": []}, "too_few", "must have at least 1 item"),
    ({"texts": ["a", "b", "c"]}, "too_many", "must have at most 2 items"),
    ({"one": "1"}, "invalid", "must be a UUID"),
    ({"at": "today"}, "invalid", "must be a date and time in RFC 3339, such as 2026-07-27T16:40:00Z"),
    (
        {"zoned": "2026-07-27T16:40:00"},
        "time_without_zone",
        "must be a time with its zone, such as 2026-07-27T16:40:00Z",
    ),
    # In UTC, or in the zone of whoever reads it, these have no date.
    ({"sent": "9999-12-31T23:59:59-14:00"}, "year_out_of_reach", "must be between the years 1900 and 2999"),
    ({"sent": "0001-01-01T00:00:00+14:00"}, "year_out_of_reach", "must be between the years 1900 and 2999"),
    ({"shape": {"kind": "odd"}}, "unknown_value", "'kind' must be one of 'round', 'flat'"),
    ({"shape": {}}, "required", "'kind' is required"),
    ({"shape": 7}, "wrong_type", "must be an object"),
    ({"inner": []}, "wrong_type", "must be an object"),
    ({"colour": "green"}, "unknown_value", "must be 'red' or 'blue'"),
    ({"more": 1}, "unknown_field", "is not known here"),
    ({"must": None}, "wrong_type", "must be a whole number"),
]


@pytest.mark.parametrize(("body", "code", "sentence"), SAID, ids=[json.dumps(body) for body, _, _ in SAID])
def test_what_is_wrong_is_said_in_words_of_ours(body: dict[str, Any], code: str, sentence: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Everything.model_validate({"must": 1, **body})
    [fault] = refused.value.errors()
    assert (code_of(fault), sentence_of(fault)) == (code, sentence)
