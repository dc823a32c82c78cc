"""The Idempotency-Key header."""

import math
import string
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from pydantic import BaseModel

from forum.core.errors import Invalid
from forum.core.idempotency import GuestKey, MemberKey, Repeat
from forum.http.current_member import any_member
from forum.members.viewer import Viewer

GUEST_BITS = 128
_KINDS = (string.digits, string.ascii_lowercase, string.ascii_uppercase, string.punctuation)
_PATTERN = r"^[\x21-\x7e]+$"
_PROMISE = (
    "If you send the same key and body again within 24 hours, you get what the first request created, as it is now, "
    "and nothing is created twice."
)


@dataclass(frozen=True)
class RepeatKey:
    """The Idempotency-Key of a member's request, if it has one."""

    member: Viewer
    route: str
    key: str | None

    def of(self, body: BaseModel | None = None) -> Repeat | None:
        """Return the safe repeat for this body, or None when the request has no key."""
        if self.key is None or self.member.id is None:
            return None
        return MemberKey(self.member.id, self.route, self.key, _without_secrets(body))

    def part(self, name: object, body: BaseModel) -> Repeat | None:
        """Return the safe repeat for one of several things that a request creates, each by itself."""
        return RepeatKey(self.member, f"{self.route}#{name}", self.key).of(body)


@dataclass(frozen=True)
class GuestRepeatKey:
    """The Idempotency-Key of a guest's request, if it has one."""

    route: str
    key: str | None

    def of(self, body: BaseModel) -> Repeat | None:
        """Return the safe repeat for this body, or None when the request has no key."""
        return None if self.key is None else GuestKey(self.route, self.key, _without_secrets(body))


def _key_header(description: str, example: str) -> Any:
    return Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=_PATTERN,
        description=f"{description} {_PROMISE}",
        examples=[example],
    )


async def _repeat_key(
    request: Request,
    idempotency_key: Annotated[
        str | None, _key_header("A new key for each thing that you create.", "0197-7f3a-reply-1")
    ] = None,
) -> RepeatKey:
    return RepeatKey(await any_member(request), request.url.path, idempotency_key)


async def _guest_repeat_key(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        _key_header(
            "A new random key of at least 128 bits, such as a UUID: whoever has it can ask again what it created.",
            "7f3a0197c25b4d8e9a61f0d2b48c6e35",
        ),
    ] = None,
) -> GuestRepeatKey:
    if idempotency_key is not None and bits_of(idempotency_key) < GUEST_BITS:
        raise Invalid(
            "This key is too short. Send a random one of at least 128 bits, such as a UUID.",
            "header/Idempotency-Key",
            code="idempotency_key_too_short",
        )
    return GuestRepeatKey(request.url.path, idempotency_key)


IdempotencyKey = Annotated[RepeatKey, Depends(_repeat_key)]
GuestIdempotencyKey = Annotated[GuestRepeatKey, Depends(_guest_repeat_key)]


def bits_of(key: str) -> float:
    """Return how many bits a random key of this length and these kinds of characters has."""
    digits = key.replace("-", "")  # as in a UUID
    if set(digits) <= set(string.hexdigits) and not digits.isdecimal():
        return 4 * len(digits)
    return len(key) * math.log2(sum(len(kind) for kind in _KINDS if set(kind) & set(key)))


def _without_secrets(body: BaseModel | None) -> bytes:
    """Return what is compared of a body: all of it but for passwords, of which nothing is kept."""
    return b"" if body is None else body.model_dump_json(exclude=secret_fields(type(body))).encode()


@cache
def secret_fields(model: type[BaseModel]) -> set[str]:
    """Return the names of the fields that are passwords."""
    described = model.model_json_schema()["properties"]
    return {name for name, schema in described.items() if schema.get("format") == "password"}
