"""What in a text may show who somebody is, over HTTP: in the answer to what was posted, and in previews."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from forum.api.schemas import ResponseBody
from forum.core.gate import CONFIRM_MAX, Detail
from forum.http.fields import Text

Confirm = Annotated[
    Text,
    Field(
        max_length=CONFIRM_MAX,
        description="The `confirm` of a problem `personal-information`: post the words as they are",
        examples=["eyJt…"],
    ),
]


class PersonalDetail(ResponseBody):
    """Something in a text that may show who somebody is."""

    field: Literal["title", "body_markdown", "content_warning"] = Field(examples=["body_markdown"])
    start: int = Field(description="In code points, from 0", examples=[17])
    end: int = Field(description="The first code point after it", examples=[29])
    words: str = Field(examples=["07700 900123"])
    kind: str = Field(examples=["telephone"])
    why: str = Field(examples=["This looks like a telephone number. Anybody who reads it can ring it."])
    suggestion: str = Field(examples=["Leave it out, and ask a moderator to pass it on."])
    pieces: list[str] = Field(
        description="Where several things together show it, also in earlier posts of the thread: what they are",
        examples=[["a name", "a town or a council"]],
    )
    effect: Literal["tell", "ask", "ask_and_case", "ask_and_hold"] = Field(
        description="What this board does: `tell` points it out; the others ask, and then post it, have a moderator "
        "look at it, or let it wait for a moderator",
        examples=["ask"],
    )


def details_response(found: Sequence[Detail]) -> list[PersonalDetail]:
    """Return what may show who somebody is, as the API shows it."""
    return [PersonalDetail.model_validate(one.as_json()) for one in found]
