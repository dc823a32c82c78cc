"""Forms: what a page sends, as it was typed, and what is wrong with it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Literal, TypeVar, get_origin
from urllib.parse import parse_qsl

from fastapi import Request
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.exceptions import HTTPException

from forum.core.errors import ForumError, Invalid
from forum.core.text import carried
from forum.http.body_size import LARGEST, bounded
from forum.http.faults import code_of

MOST_FIELDS = 500
# What pages carry along unseen: there is no field to lead to when something is wrong with one of these.
CARRIED = frozenset(
    {
        *("after", "back", "case", "credential", "edition", "key", "message_id", "number", "reply_to"),
        *("revision", "seen", "shown", "slugs", "title_revision", "up_to", "version"),
    }
)
# What a page never sends back: it would stand in the browser's memory, on a device that others use.
SECRET = frozenset({"password", "current", "new", "code", "credential", "token"})
# What is wrong with boxes and buttons that nobody chose.
UNTICKED = frozenset({"not_chosen", "not_stated"})


class FormModel(BaseModel):
    """The fields of a form. Those that it does not know are ignored: a browser or an extension may add some."""

    model_config = ConfigDict(extra="ignore")


class InvalidForm(Invalid):
    """Fields that are not acceptable, with the code of what is wrong with each."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        name, code = next(iter(faults.items()))
        super().__init__("Some fields cannot be accepted.", f"#/{name}", code=code)
        self.faults = faults


Fields = TypeVar("Fields", bound=FormModel)


@dataclass(frozen=True)
class Form:
    """A form as it was typed. Without anything typed, it is what a new page shows."""

    values: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)  # the codes, by the name of the field
    error: ForumError | None = None
    sent: frozenset[str] = frozenset()  # the names of all fields that came, secrets too

    def parse(self, model: type[Fields]) -> Fields:
        """Return the fields as `model` has them. An empty field counts as left out. Raises InvalidForm."""
        given: dict[str, object] = {}
        for name, about in model.model_fields.items():
            if get_origin(about.annotation) in {list, tuple}:
                given[name] = self.lists.get(name, ())
            elif value := self.values.get(name, ""):
                given[name] = value
        try:
            return model.model_validate(given)
        except ValidationError as error:
            found = {str(fault["loc"][0]) if fault["loc"] else "": code_of(fault) for fault in error.errors()}
            choices = {name for name, code in found.items() if code == "required" and _is_choice(model, name)}
            raise InvalidForm(found | dict.fromkeys(choices, "not_chosen")) from None

    def with_values(self, **values: str) -> "Form":
        """Return the same form with other words in some fields."""
        return replace(self, values={**self.values, **values})

    def without(self, names: Collection[str]) -> "Form":
        """Return the same form without some fields: what was in them is done."""
        values = {name: value for name, value in self.values.items() if name not in names}
        return Form(values, {name: value for name, value in self.lists.items() if name not in names})

    def shows(self, name: str) -> bool:
        """Return whether somebody sees this field on the page.

        A browser sends each field that is there, but no box that nobody ticked: of these, the fault says it.
        """
        is_there = name in (self.sent or self.values) or self.faults.get(name) in UNTICKED
        return is_there and name not in CARRIED

    def refused(self, error: ForumError) -> "Form":
        """Return the same form with what is wrong with it, without the secrets that were typed."""
        if isinstance(error, InvalidForm):
            faults = error.faults
        else:  # a handle that is taken is a conflict, and yet about one field
            pointer = error.pointer if isinstance(error, Invalid) else error.facts.get("pointer")
            faults = {str(pointer).rpartition("/")[2]: error.code} if pointer else {}
        values = {name: value for name, value in self.values.items() if name not in SECRET}
        return replace(self, values=values, faults=faults, error=error, sent=frozenset(self.values))

    @property
    def has_secrets(self) -> bool:
        """Return whether something was typed that must not stand in a page."""
        return any(self.values.get(name) for name in SECRET)


EMPTY = Form()


def _is_choice(model: type[FormModel], name: str) -> bool:
    """Return whether a field is one of several that are shown, and not something to write."""
    kind = model.model_fields[name].annotation
    return get_origin(kind) is Literal or (isinstance(kind, type) and issubclass(kind, Enum))


async def read_form(request: Request) -> Form:
    """Return the form that a page sent, without characters that no page can show.

    Line ends become those of the forum: browsers send CR LF (HTML §4.10.22.8).

    Raises HTTPException of 413 for more than the longest form can have.
    """
    if not hasattr(request.state, "form"):  # an error page needs it again
        request.state.form = _form_of(await _body(request))
    form: Form = request.state.form
    return form


async def _body(request: Request) -> bytes:
    body = b""
    async for part in Request(request.scope, bounded(request.receive, LARGEST)).stream():
        body += part
    return body


def _form_of(body: bytes) -> Form:
    try:
        pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise HTTPException(413, "This form has too many fields.") from None
    lists: dict[str, list[str]] = {}
    for name, value in pairs:
        lists.setdefault(carried(name), []).append(carried(value))
    return Form(
        {name: found[-1] for name, found in lists.items()}, {name: tuple(found) for name, found in lists.items()}
    )
