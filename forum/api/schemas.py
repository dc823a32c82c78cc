"""The types of requests and responses: their base classes and the kinds of text."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Query
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from forum.content.boards import SLUG
from forum.content.posts.tables import BODY_MAX, WARNING_MAX
from forum.content.threads.tables import TITLE_MAX, TITLE_MIN
from forum.core.text import ANY, INLINE, SEEN, one_line, storable, visible
from forum.passwords.policy import LONGEST, MEMBER_MIN


def numeric(value: object) -> object:
    """The same value, unless Pydantic would be too kind to it: "1" and true are no numbers in JSON."""
    if isinstance(value, str | bool):
        raise PydanticCustomError("not_a_number", "must be a number")
    return value


def textual(value: object) -> object:
    """The same value, unless it is a number, which Pydantic would read as seconds since 1970."""
    if not isinstance(value, str):
        raise PydanticCustomError("not_a_time", "must be a date and time in RFC 3339")
    return value


@dataclass(frozen=True)
class SchemaPattern:
    """A rule that a function holds, in JSON Schema's words: for clients to check before they send."""

    pattern: str
    shortest: int | None = None

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema with this rule in it."""
        shortest = {} if self.shortest is None else {"minLength": self.shortest}
        return {**handler(schema), **shortest, "pattern": self.pattern}


# Every text of a request is one of these; `tests/architecture/test_openapi.py` looks.
Text = Annotated[str, AfterValidator(storable), SchemaPattern(f"^{ANY}*$")]
Words = Annotated[str, AfterValidator(storable), AfterValidator(visible), SchemaPattern(f"^{ANY}*{SEEN}{ANY}*$")]
Line = Annotated[
    str,
    AfterValidator(storable),
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
    AfterValidator(one_line),
    StringConstraints(min_length=TITLE_MIN),  # of what is left
    SchemaPattern(f"^{INLINE}*{SEEN}{INLINE}{{{TITLE_MIN - 2},}}{SEEN}{INLINE}*$"),
    Field(description="One line; outer spaces are left out", examples=["What happens at a first conference?"]),
]
Warning_ = Annotated[
    Line,
    StringConstraints(min_length=1, max_length=WARNING_MAX),
    Field(description="What a reader should know first, in one line", examples=["about loss"]),
]
Password = Annotated[
    str,
    StringConstraints(max_length=LONGEST),
    AfterValidator(storable),
    SchemaPattern(f"^{ANY}*$"),
    Field(examples=["four quiet herons dancing"], json_schema_extra={"format": "password"}),
]
NewPassword = Annotated[
    Password,
    SchemaPattern(f"^{ANY}*$", shortest=MEMBER_MIN),
    Field(description=f"{MEMBER_MIN} to {LONGEST} of any characters, and not easily guessed"),
]
Token = Annotated[
    Text,
    StringConstraints(min_length=1, max_length=100),
    Field(
        description="What follows the `#` in the link that was mailed",
        examples=["pS7yQ4nB1uC6vD8xE0zF2gH5jK9lM3oR7tW1aY4iUeI"],
    ),
]


# Bytes, as browsers write them in JSON (RFC 4648 §5, without `=`).
Base64Url = Annotated[str, StringConstraints(min_length=2, pattern="^[A-Za-z0-9_-]+$")]


# A number that counts posts, revisions or versions.
Number = Annotated[int, Field(ge=1, lt=2**31), BeforeValidator(numeric)]
Identity = Annotated[int, Field(json_schema_extra={"format": "int64"})]
SentIdentity = Annotated[Identity, Field(ge=1, lt=2**63), BeforeValidator(numeric)]


# Path and query parameters.
Id = Annotated[Identity, Path(ge=1, lt=2**63, examples=[1])]
BoardSlug = Annotated[
    str, StringConstraints(pattern=SLUG.pattern, max_length=50), Field(description="Of a board", examples=["court"])
]
Slug = Annotated[str, Path(pattern=SLUG.pattern, max_length=50, examples=["new-here"])]
SoughtHandle = Annotated[
    Text, StringConstraints(min_length=1, max_length=60)
]  # as it was typed: longer than its normal form at times
Handle = Annotated[SoughtHandle, Path(examples=["suzie"])]
Limit = Annotated[int, Query(ge=1, le=100, description="How many at most", examples=[20])]
After = Annotated[
    Annotated[str, StringConstraints(min_length=1, max_length=400)] | None,
    Query(description="The `next` of the page before: begin without it"),
]


class RequestBody(BaseModel):
    """A request's body: what it does not know, it refuses."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False)


class ResponseBody(BaseModel):
    """An answer's body."""

    model_config = ConfigDict(from_attributes=True)


class Author(ResponseBody):
    """Who wrote something, under their pseudonym."""

    handle: str | None = Field(description="Null: a former member, of whom nobody knows any more", examples=["suzie"])
    name: str = Field(examples=["Suzie"])
    title: str | None = Field(examples=["Online adviser"])

    @classmethod
    def of(cls, row: Any, prefix: str) -> "Author":
        """The author whose columns in `row` begin with `prefix`."""
        return cls(
            handle=getattr(row, f"{prefix}_handle"),
            name=getattr(row, f"{prefix}_name"),
            title=getattr(row, f"{prefix}_title"),
        )


Moment = Annotated[datetime, Field(examples=["2026-07-27T16:40:00Z"])]
Uuid = Annotated[UUID, Field(examples=["01987d2e-5a3c-7c4e-9a61-2f6f3f0f9b1d"])]
Next = Annotated[
    str | None, Field(description="Send it as `after` for the next page; null on the last", examples=["WzIwXQ"])
]


class Mailed(RequestBody):
    """What a mailed link carries. It travels in the body: addresses are written down on the way."""

    token: Token
