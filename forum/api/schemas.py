"""The base classes of requests and responses."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from forum.http.fields import Token
from forum.http.problems import MOST_FAULTS
from forum.members.viewer import Viewer


class RequestBody(BaseModel):
    """The body of a request; unknown fields are refused, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False)

    @model_validator(mode="before")
    @classmethod
    def drop_surplus(cls, body: Any) -> Any:
        """Leave out all unknown fields but the first, which are refused: each of 55,000 would be a fault of its own."""
        if isinstance(body, dict) and len(body) > len(cls.model_fields) + MOST_FAULTS:
            known = {field.alias or name for name, field in cls.model_fields.items()}
            unknown = [name for name in body if name not in known][:MOST_FAULTS]
            return {name: body[name] for name in (*unknown, *(known & body.keys()))}
        return body


class ResponseBody(BaseModel):
    """The body of a response."""

    model_config = ConfigDict(from_attributes=True)

    @classmethod
    def of_row(cls, row: Any, **others: Any) -> Self:
        """Return the body: what is not among the `others` is the attribute of `row` with the name of the field."""
        return cls(**{name: getattr(row, name) for name in cls.model_fields.keys() - others.keys()}, **others)


class Author(ResponseBody):
    """The author, with the name that they chose."""

    handle: str | None = Field(description="Null for a former member", examples=["suzie"])
    name: str = Field(examples=["Suzie"])
    title: str | None = Field(examples=["Online adviser"])

    @classmethod
    def of(cls, row: Any, prefix: str) -> "Author":
        """Return the author from the columns of `row` that begin with `prefix`."""
        return cls(
            handle=getattr(row, f"{prefix}_handle"),
            name=getattr(row, f"{prefix}_name"),
            title=getattr(row, f"{prefix}_title"),
        )

    @classmethod
    def of_viewer(cls, viewer: Viewer) -> "Author":
        """Return the author of what the viewer, who is a member, has just written."""
        return cls(handle=viewer.handle, name=viewer.name or "", title=viewer.title)


Next = Annotated[
    str | None, Field(description="Send it as `after` to get the next page. Null on the last page", examples=["WzIwXQ"])
]


class Mailed(RequestBody):
    """The token of a link in a mail. It is sent in the body, because addresses are logged on the way."""

    token: Token
