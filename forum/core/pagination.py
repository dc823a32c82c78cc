"""Keyset pages: a cursor says after which row to go on, so that page 500 costs what page 1 costs."""

import base64
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, NamedTuple, TypeVar

from pydantic import AfterValidator, AwareDatetime, Field, TypeAdapter, ValidationError

from forum.core.errors import Invalid

Place = TypeVar("Place", bound=tuple[Any, ...])


def _of_our_times(moment: datetime) -> datetime:
    if not 1990 <= moment.year <= 2200:
        raise ValueError("not a time of this forum")
    return moment


# What a cursor may hold: values that the database can compare with its own.
Identity = Annotated[int, Field(ge=0, lt=2**63)]
Instant = Annotated[AwareDatetime, AfterValidator(_of_our_times)]


def encode(*place: object) -> str:
    """The opaque cursor of the row whose sort key is `place`."""
    plain = [value.isoformat() if isinstance(value, datetime) else value for value in place]
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).rstrip(b"=").decode()


class Page(NamedTuple):
    """Some rows of a list, and the cursor of the last one when there are more."""

    rows: Sequence[Any]
    next: str | None


def page_of(rows: Sequence[Any], limit: int, key: Callable[[Any], tuple[object, ...]]) -> Page:
    """Return the first `limit` rows as a page; `rows` has one more where there is a next page."""
    shown = rows[:limit]
    return Page(shown, encode(*key(shown[-1])) if len(rows) > limit else None)


def decode(text: str, shape: TypeAdapter[Place]) -> Place:
    """The sort key that the cursor `text` stands for; Invalid when it is not one of ours."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        return shape.validate_python(json.loads(base64.b64decode(padded, altchars=b"-_", validate=True)))
    except (ValueError, RecursionError, OverflowError, ValidationError) as error:
        raise Invalid("This cursor is not one that this list gave. Start again without it.", "query/after") from error
