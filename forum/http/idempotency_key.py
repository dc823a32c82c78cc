"""The Idempotency-Key header."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request
from pydantic import BaseModel

from forum.core.idempotency import Repeat
from forum.http.current_member import AnyMember
from forum.members.viewer import Viewer


@dataclass(frozen=True)
class RepeatKey:
    """The Idempotency-Key of a request, if it has one."""

    member: Viewer
    route: str
    key: str | None

    def of(self, body: BaseModel) -> Repeat | None:
        """Return the safe repeat for this body, or None when the request has no key."""
        if self.key is None or self.member.id is None:
            return None
        return Repeat(self.member.id, self.route, self.key, body.model_dump_json().encode())


async def _repeat_key(
    request: Request,
    member: AnyMember,
    idempotency_key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=200,
            pattern=r"^[\x21-\x7e]+$",
            description="A new key for each thing that you create. If you send the same key and body again within 24 "
            "hours, you get what the first request created, and nothing is created twice.",
            examples=["0197-7f3a-reply-1"],
        ),
    ] = None,
) -> RepeatKey:
    return RepeatKey(member, request.url.path, idempotency_key)


IdempotencyKey = Annotated[RepeatKey, Depends(_repeat_key)]
