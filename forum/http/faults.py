"""What is wrong with a request, as a code for programs and in words for people.

Pydantic finds most of it. Its own words name Python's types, and they change with its versions: they are never shown.
"""

from collections.abc import Mapping
from typing import Any

# Pydantic's error types that a client can act on, as codes that stay the same when the library changes.
CODES: Mapping[str, str] = {
    "missing": "required",
    "extra": "unknown_parameter",
    "extra_forbidden": "unknown_field",
    "string_too_short": "too_short",
    "too_short": "too_few",
    "string_too_long": "too_long",
    "too_long": "too_many",
    "greater_than_equal": "too_small",
    "less_than_equal": "too_large",
    "less_than": "too_large",
    "string_pattern_mismatch": "wrong_format",
    "json_invalid": "not_json",
    "enum": "unknown_value",
    "literal_error": "unknown_value",
    "union_tag_invalid": "unknown_value",
    "union_tag_not_found": "required",
    "timezone_aware": "time_without_zone",
}
# The types of the errors that `core/text.py` and `api/schemas.py` raise: they are codes, and have words of ours.
OUR_CODES = {
    "character_not_allowed",
    "blank",
    "several_lines",
    "not_a_number",
    "not_a_time",
    "unreadable_day",
    "year_out_of_reach",
}
# Words for Pydantic's error types, with what Pydantic says of the limit in `{}`.
SENTENCES: Mapping[str, str] = {
    "missing": "is required",
    "extra": "There is no such parameter here.",
    "extra_forbidden": "is not known here",
    "string_too_short": "must have at least {min_length} characters",
    "too_short": "must have at least {min_length} items",
    "string_too_long": "must have at most {max_length} characters",
    "too_long": "must have at most {max_length} items",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "string_pattern_mismatch": "is not written in the right way",
    "int_parsing_size": "is too large a number",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
    "union_tag_invalid": "{discriminator} must be one of {expected_tags}",
    "union_tag_not_found": "{discriminator} is required",
    "timezone_aware": "must be a time with its zone, such as 2026-07-27T16:40:00Z",
}
# For the other types of errors: what it must be, by the first word of the type (`int_parsing`, `int_from_float`, …).
WANTED: Mapping[str, str] = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
    "dict": "an object",
    "model": "an object",
    "uuid": "a UUID",
    "date": "a date in RFC 3339, such as 2026-07-27",
    "datetime": "a date and time in RFC 3339, such as 2026-07-27T16:40:00Z",
}


def code_of(fault: Mapping[str, Any]) -> str:
    """Return what is wrong, for programs."""
    kind = _kind(fault)
    if kind in OUR_CODES:
        return kind
    return CODES.get(kind, "wrong_type" if kind.endswith("_type") else "invalid")


def sentence_of(fault: Mapping[str, Any]) -> str:
    """Return what is wrong, for people."""
    kind = _kind(fault)
    if fault["loc"] == ("body",) and kind in {"model_attributes_type", "missing"}:
        return "The body must be a JSON object, sent with Content-Type: application/json"
    if kind == "json_invalid":
        return f"The body is not JSON from character {fault['loc'][1]} on"
    if kind in OUR_CODES:
        return str(fault["msg"])
    if kind in SENTENCES:
        sentence = SENTENCES[kind].format_map(fault.get("ctx", {}))
        return sentence.replace(" 1 characters", " 1 character").replace(" 1 items", " 1 item")
    wanted = WANTED.get(kind.partition("_")[0])
    return f"must be {wanted}" if wanted else "cannot be accepted"


def _kind(fault: Mapping[str, Any]) -> str:
    kind = str(fault["type"])
    # Behind a validating function, Pydantic counts a text as if it were a list.
    return f"string_{kind}" if kind in {"too_short", "too_long"} and isinstance(fault.get("input"), str) else kind
