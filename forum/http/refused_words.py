"""Help for words that no action read: their request is refused for its shape, or because nobody is signed in.

Everything else that refuses somebody's words does so in an action, which answers with help itself.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError

from forum.content.crisis_help import find_help_anywhere
from forum.content.posts.lengths import BODY_MAX
from forum.core import clock
from forum.core.errors import ForumError, NotSignedIn
from forum.core.gate import ACUTE, RefusedText
from forum.core.text import carried
from forum.http import problems
from forum.http.csrf import SAFE_METHODS
from forum.http.current_member import viewer_of
from forum.http.services import services_of

# Where words are for others to read, and what they were to be.
WRITTEN: Mapping[str, str] = {
    "answer_in_talk": "answer",
    "create_post": "reply",
    "edit_post": "edit",
    "open_thread": "thread",
    "retitle_thread": "title",
    "write_to_charity": "message",
}
SECRET = frozenset({"password", "current", "new", "code", "credential", "token"})


def register(app: FastAPI) -> None:
    """Have these two answers of `app` say who helps, where words sound like danger."""
    app.add_exception_handler(NotSignedIn, _not_signed_in)
    app.add_exception_handler(RequestValidationError, _invalid)


async def _not_signed_in(request: Request, error: Exception) -> Response:
    assert isinstance(error, NotSignedIn)  # noqa: S101 - registered for it alone
    if request.method not in SAFE_METHODS:
        with suppress(ValueError, RecursionError):  # a body that is no JSON, or nested too deep
            body = json.loads(getattr(request.state, "body", b""))
            error.facts.update(await _help_for(request, body, error.code))
    return problems.answer_to(error, request.scope)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it alone
    return problems.invalid(error, **await _help_for(request, error.body, "invalid"))


async def _help_for(request: Request, body: Any, code: str) -> dict[str, Any]:
    """Return help for what a body says, as a member of the problem. What fails here keeps no answer from anybody."""
    words = ""
    with suppress(RecursionError):
        words = _as_stored("\n\n".join(_texts(body))[:BODY_MAX])
    if not words:
        return {}
    transactions = services_of(request).transactions(clock.now())
    with suppress(ForumError, SQLAlchemyError, OSError):
        found = await find_help_anywhere(transactions, [words])
        if found is None:
            return {}
        with suppress(ForumError, SQLAlchemyError, OSError):
            if found.level == ACUTE:
                await _have_read(request, words, code)
        return {"help": found.as_json()}
    return {}


async def _have_read(request: Request, words: str, code: str) -> None:
    """Have somebody read these words, if they were for others to read and it is known whose they are."""
    viewer, kind = await viewer_of(request), WRITTEN.get(getattr(request.scope.get("route"), "name", ""))
    if viewer.id and kind:
        transactions = services_of(request).transactions(clock.now())
        async with transactions.begin() as work:
            refused = RefusedText(viewer.member_id, kind, code, words)
            await work.gate.record_refused(work.session, refused, work.now)


def _as_stored(words: str) -> str:
    """Return words as they can be screened and stored: nobody has checked what a refused body has in it."""
    return carried(words.encode(errors="replace").decode()).replace("\0", "")


def _texts(body: Any, name: str = "") -> Iterator[str]:
    if name in SECRET:
        return
    if isinstance(body, str):
        yield body
    elif isinstance(body, dict):
        for key, value in body.items():
            yield from _texts(value, str(key))
    elif isinstance(body, list):
        for value in body:
            yield from _texts(value, name)
