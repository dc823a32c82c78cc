"""The types of texts, numbers and times in requests: what the database can store, how long, on how many lines."""

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Path, Query
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    StrictBool,
    StringConstraints,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from forum.content.boards import SLUG
from forum.content.posts.lengths import BODY_MAX, WARNING_MAX
from forum.content.threads.tables import TITLE_MAX, TITLE_MIN
from forum.core import clock
from forum.core.text import ANY, INLINE, SEEN, carried, one_line, storable, visible
from forum.http.body_size import BASE64URL
from forum.passwords.policy import LONGEST, MEMBER_MIN


def numeric(value: object) -> object:
    """Return the value. Raises for "1" and true, which Pydantic would take for numbers."""
    if isinstance(value, str | bool):
        raise PydanticCustomError("not_a_number", "must be a number")
    return value


def textual(value: object) -> object:
    """Return the value. Raises for a number, which Pydantic would take for seconds since 1970."""
    if not isinstance(value, str):
        raise PydanticCustomError("not_a_time", "must be a date and time in RFC 3339")
    return value


def within_reach(moment: datetime) -> datetime:
    """Return the moment. Raises for a year near the first or the last one: in other zones it has no date."""
    if not clock.is_within_reach(moment):
        within = f"must be between the years {clock.FIRST_YEAR} and {clock.LAST_YEAR}"
        raise PydanticCustomError("year_out_of_reach", within)
    return moment


def day_of(value: object) -> object:
    """Return the day that is written. Raises for another form, of which Pydantic takes some for seconds since 1970."""
    if isinstance(value, str) and re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        with suppress(ValueError):
            return date.fromisoformat(value)
    raise PydanticCustomError("unreadable_day", "must be a day, such as 2026-12-24")


@dataclass(frozen=True)
class SchemaPattern:
    """A rule of a validating function as a JSON Schema pattern, for clients to check before they send."""

    pattern: str
    shortest: int | None = None

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the schema with this pattern in it."""
        shortest = {} if self.shortest is None else {"minLength": self.shortest}
        return {**handler(schema), **shortest, "pattern": self.pattern}


# Every text of a request has one of these types: `tests/architecture/test_openapi.py` checks it.
Text = Annotated[str, AfterValidator(storable), AfterValidator(carried), SchemaPattern(f"^{ANY}*$")]
Words = Annotated[
    str,
    AfterValidator(storable),
    AfterValidator(carried),
    AfterValidator(visible),
    SchemaPattern(f"^{ANY}*{SEEN}{ANY}*$"),
]
Line = Annotated[
    str,
    AfterValidator(storable),
    AfterValidator(carried),
    AfterValidator(one_line),
    AfterValidator(visible),
    SchemaPattern(f"^{INLINE}*{SEEN}{INLINE}*$"),
]
Body = Annotated[
    Words,
    StringConstraints(min_length=1, max_length=BODY_MAX),
    Field(description="Markdown, 1 to 20,000 characters", examples=["Hello all,\nI am new here."]),
]
Title = Annotated[
    str,
    StringConstraints(max_length=TITLE_MAX),  # as it was sent
    AfterValidator(storable),
    AfterValidator(carried),
    AfterValidator(one_line),
    AfterValidator(visible),
    StringConstraints(min_length=TITLE_MIN),  # without outer spaces
    SchemaPattern(f"^{INLINE}*{SEEN}{INLINE}{{{TITLE_MIN - 2},}}{SEEN}{INLINE}*$"),
    Field(
        description="One line. Spaces at the beginning and the end are removed",
        examples=["What happens at a first conference?"],
    ),
]
Warning_ = Annotated[
    Line,
    StringConstraints(min_length=1, max_length=WARNING_MAX),
    Field(description="What readers should know before they read the post, in one line", examples=["about loss"]),
]
Password = Annotated[
    str,
    StringConstraints(max_length=LONGEST),
    AfterValidator(storable),
    SchemaPattern(f"^{ANY}*$"),
    Field(examples=["four quiet herons dancing"], json_schema_extra={"format": "password"}),
]
Asks = Annotated[
    StrictBool | None,
    Field(
        description="Whether the author says that it asks something, so that the thread waits for an adviser where "
        "advisers answer. Without it, the words decide",
        examples=[True],
    ),
]
NewPassword = Annotated[
    Password,
    SchemaPattern(f"^{ANY}*$", shortest=MEMBER_MIN),
    Field(description=f"{MEMBER_MIN} to {LONGEST} characters of any kind, and not easy to guess"),
]
Token = Annotated[
    Text,
    StringConstraints(min_length=1, max_length=100),
    Field(
        description="The part after the `#` in the link in the mail",
        examples=["pS7yQ4nB1uC6vD8xE0zF2gH5jK9lM3oR7tW1aY4iUeI"],
    ),
]


# Bytes, as browsers write them in JSON for passkeys (RFC 4648 §5, without `=`).
Base64Url = Annotated[str, StringConstraints(min_length=2, pattern=BASE64URL)]


# A number that counts posts, revisions or versions.
Number = Annotated[int, Field(ge=1, lt=2**31), BeforeValidator(numeric)]
Identity = Annotated[int, Field(json_schema_extra={"format": "int64"})]
SentIdentity = Annotated[Identity, Field(ge=1, lt=2**63), BeforeValidator(numeric)]


# Path and query parameters.
Id = Annotated[Identity, Path(ge=1, lt=2**63, examples=[1])]
SoughtId = Annotated[Identity, Field(ge=1, lt=2**63)]  # one of several in a query
RevisionNumber = Annotated[int, Path(ge=1, lt=2**31, examples=[1])]
BoardSlug = Annotated[
    str,
    StringConstraints(pattern=SLUG.pattern, max_length=50),
    Field(description="The short name of a board, as in its address", examples=["court"]),
]
Slug = Annotated[str, Path(pattern=SLUG.pattern, max_length=50, examples=["new-here"])]
SoughtHandle = Annotated[
    Text, StringConstraints(min_length=1, max_length=60)
]  # as it was typed, which can be longer than its normal form
Handle = Annotated[SoughtHandle, Path(examples=["suzie"])]
Limit = Annotated[int, Query(ge=1, le=100, description="How many items a page has at most", examples=[20])]
After = Annotated[
    Annotated[str, StringConstraints(min_length=1, max_length=400)] | None,
    Query(description="The `next` of the page before. Leave it out for the first page"),
]


def in_utc(moment: datetime) -> datetime:
    """Return the same moment in UTC: every answer is, also where somebody sent it with another offset."""
    return moment.astimezone(UTC)


Moment = Annotated[datetime, AfterValidator(in_utc), Field(examples=["2026-07-27T16:40:00Z"])]
SentMoment = Annotated[AwareDatetime, BeforeValidator(textual), AfterValidator(within_reach), AfterValidator(in_utc)]
Day = Annotated[date, Field(examples=["2026-12-01"])]
SentDay = Annotated[Day, BeforeValidator(day_of)]
HourOfDay = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$"), Field(examples=["22:00"])]
Uuid = Annotated[UUID, Field(examples=["01987d2e-5a3c-7c4e-9a61-2f6f3f0f9b1d"])]
