"""What travels: the base of every request and answer, and the kinds of text that a request may carry."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Path, Query, Request, Response
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
from pydantic_core import CoreSchema, to_json

from forum.content.boards import SLUG
from forum.content.posts.tables import BODY_MAX, WARNING_MAX
from forum.content.threads.tables import TITLE_MAX, TITLE_MIN
from forum.passwords.hashing import LONGEST, MEMBER_MIN

# What Python or ECMA 262 takes for white space, and what ends a line: the same set in every reader of a pattern.
_SPACE = r"\s\x1c-\x1f\x85\ufeff"
_BREAK = r"\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029"
_ANY, _INLINE, _SEEN = r"[^\x00]", rf"[^\x00{_BREAK}]", rf"[^\x00{_SPACE}]"
_EDGES = re.compile(rf"^[{_SPACE}]+|[{_SPACE}]+$")
_VISIBLE = re.compile(rf"[^{_SPACE}]")
_BREAKS = re.compile(rf"[{_BREAK}]")


def storable(text: str) -> str:
    """The same text, if PostgreSQL and UTF-8 can hold it: no NUL, no half of a surrogate pair."""
    if "\x00" in text:
        raise ValueError("must not contain the character NUL")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("must not contain half of a surrogate pair") from error
    return text


def visible(text: str) -> str:
    """The same text, if there is anything to see in it."""
    if not _VISIBLE.search(text):
        raise ValueError("must not be blank")
    return text


def one_line(text: str) -> str:
    """The text without outer spaces, if it is one line."""
    if _BREAKS.search(text):
        raise ValueError("must be one line")
    return _EDGES.sub("", text)


def numeric(value: object) -> object:
    """The same value, unless Pydantic would be too kind to it: "1" and true are no numbers in JSON."""
    if isinstance(value, str | bool):
        raise ValueError("must be a number")
    return value


def textual(value: object) -> object:
    """The same value, unless it is a number, which Pydantic would read as seconds since 1970."""
    if not isinstance(value, str):
        raise ValueError("must be a date and time in RFC 3339")
    return value


@dataclass(frozen=True)
class Told:
    """A rule that a function holds, in JSON Schema's words: for clients to check before they send."""

    pattern: str
    shortest: int | None = None

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema with this rule in it."""
        shortest = {} if self.shortest is None else {"minLength": self.shortest}
        return {**handler(schema), **shortest, "pattern": self.pattern}


# Every text of a request is one of these; `tests/test_openapi.py` looks.
Text = Annotated[str, AfterValidator(storable), Told(f"^{_ANY}*$")]
Words = Annotated[str, AfterValidator(storable), AfterValidator(visible), Told(f"^{_ANY}*{_SEEN}{_ANY}*$")]
Line = Annotated[
    str,
    AfterValidator(storable),
    AfterValidator(one_line),
    AfterValidator(visible),
    Told(f"^{_INLINE}*{_SEEN}{_INLINE}*$"),
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
    Told(f"^{_INLINE}*{_SEEN}{_INLINE}{{{TITLE_MIN - 2},}}{_SEEN}{_INLINE}*$"),
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
    Told(f"^{_ANY}*$"),
    Field(examples=["four quiet herons dancing"], json_schema_extra={"format": "password"}),
]
NewPassword = Annotated[
    Password,
    Told(f"^{_ANY}*$", shortest=MEMBER_MIN),
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


class Wanted(BaseModel):
    """A request's body: what it does not know, it refuses."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False)


class Shown(BaseModel):
    """An answer's body."""

    model_config = ConfigDict(from_attributes=True)


class Author(Shown):
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


def header(description: str, example: str, *, always: bool = True) -> dict[str, Any]:
    """A header of an answer, as the document describes it."""
    required = {"required": True} if always else {}
    return {"description": description, **required, "schema": {"type": "string"}, "example": example}


# The `responses` of a route that says where the new thing is.
LOCATION = {"Location": header("Where the new thing is", "/api/v1/posts/4711")}
LOCATED: dict[int | str, dict[str, Any]] = {201: {"headers": LOCATION}}


def answer(body: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """The response that carries `body`."""
    return Response(body.model_dump_json(), status, headers, media_type="application/json")


def fresh(
    request: Request,
    body: BaseModel | Mapping[str, Any],
    *,
    shared: bool = True,
    headers: dict[str, str] | None = None,
) -> Response:
    """The response to a read: with an ETag, or 304 when the client has these very bytes (RFC 9110 §13).

    A body that is not `shared` was made for this viewer's eyes and is never kept by anybody. Long pages are given
    as plain members, written as they are: to make models of what the database keeps would take most of the time.
    """
    content = to_json(body)
    tag = f'"{hashlib.sha256(content).hexdigest()[:24]}"'  # the fastest that the processor helps with
    all_headers, has = known(request, tag, shared=shared)
    all_headers |= headers or {}
    if has:
        return Response(status_code=304, headers=all_headers)
    return Response(content, headers=all_headers, media_type="application/json")


def known(request: Request, tag: str, *, shared: bool) -> tuple[dict[str, str], bool]:
    """The headers of a read whose bytes `tag` names, and whether the client has these very bytes."""
    kept = "private, no-cache" if shared else "private, no-store"
    headers = {"ETag": tag, "Cache-Control": kept, "Vary": "Authorization, Cookie"}
    return headers, _has(request.headers.get("if-none-match"), tag)


def next_link(request: Request, cursor: str | None) -> dict[str, str]:
    """The Link header (RFC 8288) to the next page, if there is one."""
    if cursor is None:
        return {}
    others = [(name, value) for name, value in request.query_params.multi_items() if name not in {"after", "from"}]
    return {"Link": f'<{request.scope["path"]}?{urlencode([*others, ("after", cursor)])}>; rel="next"'}


def _has(if_none_match: str | None, tag: str) -> bool:
    if if_none_match is None:
        return False
    known = {candidate.strip().removeprefix("W/") for candidate in if_none_match.split(",")}
    return "*" in known or tag in known


Moment = Annotated[datetime, Field(examples=["2026-07-27T16:40:00Z"])]
Uuid = Annotated[UUID, Field(examples=["01987d2e-5a3c-7c4e-9a61-2f6f3f0f9b1d"])]
Next = Annotated[
    str | None, Field(description="Send it as `after` for the next page; null on the last", examples=["WzIwXQ"])
]


class Mailed(Wanted):
    """What a mailed link carries. It travels in the body: addresses are written down on the way."""

    token: Token
