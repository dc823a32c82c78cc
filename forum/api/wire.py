"""What travels: the base of every request and answer, and the kinds of text that a request may carry."""

import hashlib
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Path, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from forum.boards import SLUG
from forum.posts import BODY_MAX, WARNING_MAX
from forum.threads import TITLE_MAX, TITLE_MIN


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
    if not text.strip():
        raise ValueError("must not be blank")
    return text


def one_line(text: str) -> str:
    """The text without outer spaces, if it is one line."""
    if any(character in text for character in "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"):
        raise ValueError("must be one line")
    return text.strip()


# Every text of a request is one of these; `tests/test_architecture.py` looks.
Text = Annotated[str, AfterValidator(storable)]
Line = Annotated[Text, AfterValidator(one_line)]
Body = Annotated[
    Text,
    AfterValidator(visible),
    Field(
        min_length=1,
        max_length=BODY_MAX,
        description="Markdown, 1 to 20,000 characters",
        examples=["Hello all,\nI am new here."],
    ),
]
Title = Annotated[
    Line, Field(min_length=TITLE_MIN, max_length=TITLE_MAX, examples=["What happens at a first conference?"])
]
Warning_ = Annotated[
    Line,
    AfterValidator(visible),
    Field(
        min_length=1,
        max_length=WARNING_MAX,
        description="What a reader should know first",
        examples=["about loss"],
    ),
]
Password = Annotated[
    Text,
    Field(max_length=256, examples=["four quiet herons dancing"], json_schema_extra={"format": "password"}),
]

# Path and query parameters.
Id = Annotated[int, Path(ge=1, lt=2**63)]
Slug = Annotated[str, Path(pattern=SLUG.pattern, max_length=50, examples=["new-here"])]
Handle = Annotated[Text, Path(max_length=30, examples=["suzie"])]
Limit = Annotated[int, Query(ge=1, le=100, description="How many at most")]
After = Annotated[str | None, Query(max_length=400, description="The `next` of the page before")]


class Wanted(BaseModel):
    """A request's body: what it does not know, it refuses."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False)


class Shown(BaseModel):
    """An answer's body."""

    model_config = ConfigDict(from_attributes=True)


class Author(Shown):
    """Who wrote something, under their pseudonym."""

    handle: str = Field(examples=["suzie"])
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


def answer(body: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """The response that carries `body`."""
    return Response(body.model_dump_json(), status, headers, media_type="application/json")


def fresh(request: Request, body: BaseModel, *, shared: bool = True, headers: dict[str, str] | None = None) -> Response:
    """The response to a read: with an ETag, or 304 when the client has these very bytes (RFC 9110 §13).

    A body that is not `shared` was made for this viewer's eyes and is never kept by anybody.
    """
    content = body.model_dump_json().encode()
    tag = f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'
    kept = "private, no-cache" if shared else "private, no-store"
    all_headers = {"ETag": tag, "Cache-Control": kept, "Vary": "Authorization, Cookie", **(headers or {})}
    if _has(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=all_headers)
    return Response(content, headers=all_headers, media_type="application/json")


def next_link(request: Request, cursor: str | None) -> dict[str, str]:
    """The Link header (RFC 8288) to the next page, if there is one."""
    if cursor is None:
        return {}
    others = [(name, value) for name, value in request.query_params.multi_items() if name not in {"after", "from"}]
    return {"Link": f'<{request.url.path}?{urlencode([*others, ("after", cursor)])}>; rel="next"'}


def _has(if_none_match: str | None, tag: str) -> bool:
    if if_none_match is None:
        return False
    known = {candidate.strip().removeprefix("W/") for candidate in if_none_match.split(",")}
    return "*" in known or tag in known


Moment = Annotated[datetime, Field(examples=["2026-07-27T16:40:00Z"])]
