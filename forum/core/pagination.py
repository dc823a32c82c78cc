"""Keyset pages: a cursor names the last row of a page, so that page 500 costs as much as page 1."""

import base64
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, NamedTuple, TypeVar

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, TypeAdapter, ValidationError

from forum.core import clock
from forum.core.errors import Invalid

SortKey = TypeVar("SortKey", bound=tuple[Any, ...])


def _written(value: object) -> datetime:
    """Return the moment that `encode` wrote. Pydantic would take a number for seconds since 1970."""
    if not isinstance(value, str):
        raise ValueError("not a time")
    return datetime.fromisoformat(value)


def _plausible(moment: datetime) -> datetime:
    if not clock.is_within_reach(moment):
        raise ValueError("not a time of this forum")
    return moment


# What a cursor may hold: values that fit the columns. Others would be a database error instead of a refused cursor.
Identity = Annotated[int, Field(ge=0, lt=2**63)]
Instant = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_plausible)]


def encode(*sort_key: object) -> str:
    """Return the opaque cursor of the row with this sort key."""
    plain = [value.isoformat() if isinstance(value, datetime) else value for value in sort_key]
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).rstrip(b"=").decode()


class Page(NamedTuple):
    """Some rows of a list, and the cursor of the last one when there are more."""

    rows: Sequence[Any]
    next: str | None


def page_of(rows: Sequence[Any], limit: int, key: Callable[[Any], tuple[object, ...]]) -> Page:
    """Return the first `limit` rows as a page; `rows` has one more where there is a next page."""
    shown = rows[:limit]
    return Page(shown, encode(*key(shown[-1])) if len(rows) > limit else None)


def decode(text: str, shape: TypeAdapter[SortKey]) -> SortKey:
    """Return the sort key in a cursor. Raises Invalid when this list did not give the cursor."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        return shape.validate_python(json.loads(base64.b64decode(padded, altchars=b"-_", validate=True)))
    except (ValueError, RecursionError, OverflowError, ValidationError) as error:
        sentence = "This list did not give this cursor. Start again without it."
        raise Invalid(sentence, "query/after", code="unknown_cursor") from error
