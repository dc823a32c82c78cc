"""A route answers alike, whether what its endpoint takes is worked out beforehand or by FastAPI for each request."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field

from forum.api.content import posts
from forum.core.errors import NotSignedIn
from forum.http import arguments, problems
from forum.http.arguments import endpoint_of
from forum.http.fields import Id
from forum.http.services import Route


class Words(BaseModel):
    """A body."""

    model_config = ConfigDict(extra="forbid")

    said: str = Field(min_length=2)
    times: int = 1


async def _who(request: Request, x_name: Annotated[str | None, Header(max_length=5)] = None) -> str:
    if x_name == "ghost":
        raise NotSignedIn("Sign in first.")
    return f"{x_name} {request.method}"


async def _block(request: Request) -> AsyncIterator[list[str]]:
    steps = request.app.state.steps
    steps.append("begun")
    try:
        yield steps
    finally:
        steps.append("ended")


async def _refused() -> None:
    raise NotSignedIn("Sign in first.")


def _app(route_class: type[APIRoute]) -> FastAPI:
    router = APIRouter(route_class=route_class)

    @router.post("/things/{number}")
    async def say(
        number: Id,
        words: Words,
        who: Annotated[str, Depends(_who)],
        steps: Annotated[list[str], Depends(_block, scope="function")],
        loud: Annotated[bool, Query()] = False,
    ) -> Response:
        said = (words.said.upper() if loud else words.said) * words.times
        return Response(f"{number} {who} {said} {steps}")

    app = FastAPI()
    app.state.steps = []
    problems.register(app)
    app.include_router(router)
    app.include_router(router, prefix="/closed", dependencies=[Depends(_refused)])
    return app


HELLO: dict[str, Any] = {"json": {"said": "hello"}}
TWO_TYPES = [("Content-Type", "text/plain"), ("Content-Type", "application/json")]
REQUESTS: list[tuple[str, dict[str, Any]]] = [
    ("/things/7", HELLO),
    ("/things/7", {"json": {"said": "hello", "times": "2"}}),
    ("/things/7?loud=true", HELLO),
    ("/things/7", HELLO | {"headers": {"X-Name": "Suzie"}}),
    ("/things/7", HELLO | {"headers": {"X-Name": "ghost"}}),
    ("/things/7", HELLO | {"headers": {"X-Name": "a long name"}}),
    ("/things/7?loud=maybe", HELLO),
    ("/things/7", {"content": "[" * 1_500, "headers": {"Content-Type": "application/json"}}),
    ("/things/0", HELLO),
    ("/things/seven", HELLO),
    ("/things/7", {"json": {"said": "h"}}),
    ("/things/7", {"json": {"said": "hello", "more": 1}}),
    ("/things/7", {"json": ["hello"]}),
    ("/things/7", {"json": {"said": "h"}, "headers": {"X-Name": "ghost"}}),
    ("/things/7", {"content": b'{"said": "hello"}'}),
    ("/things/7", {"content": b'{"said": "hello"}', "headers": {"Content-Type": "application/json; charset=utf-8"}}),
    ("/things/7", {"content": b'{"said": "hello"}', "headers": {"Content-Type": "text/plain"}}),
    ("/things/7", {"content": b'{"said": "hello"}', "headers": TWO_TYPES}),
    ("/things/7", {"content": b'{"said": ', "headers": {"Content-Type": "application/json"}}),
    ("/things/7", {"content": b'{"said": "\xff"}', "headers": {"Content-Type": "application/json"}}),
    ("/things/7", {}),
    ("/closed/things/7", HELLO),
]


async def test_what_is_worked_out_beforehand_is_answered_as_fastapi_answers_it(monkeypatch: pytest.MonkeyPatch) -> None:
    straight = _app(Route)
    with monkeypatch.context() as patch:
        patch.setattr("forum.http.services.endpoint_of", lambda _handler: None)
        usual = _app(Route)
    answers = []
    for app in (straight, usual):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://forum.test") as client:
            sent = [await client.post(path, **given) for path, given in REQUESTS]
        answers.append([(answer.status_code, answer.text) for answer in sent])
        assert app.state.steps.count("begun") == app.state.steps.count("ended")
    assert answers[0] == answers[1]
    assert answers[0][0] == (200, "7 None POST hello ['begun']")
    assert {status for status, _ in answers[0]} == {200, 401, 422}
    assert answers[0][-1][0] == 401


def test_a_reply_is_worked_out_beforehand_and_what_is_not_plain_is_left_to_fastapi() -> None:
    plain = {route.name: endpoint_of(APIRoute.get_route_handler(route)) for route in posts.router.routes}  # type: ignore[arg-type]
    assert [name for name, endpoint in plain.items() if endpoint is None] == []

    async def nested(who: Annotated[str, Depends(_who)]) -> str:
        return who

    async def answers_itself(told: Annotated[str, Depends(nested)]) -> Response:
        return Response(told)

    async def is_rendered(who: Annotated[str, Depends(_who)]) -> dict[str, str]:
        return {"who": who}

    for endpoint in (answers_itself, is_rendered):
        assert endpoint_of(APIRoute("/", endpoint).get_route_handler()) is None
    assert arguments.endpoint_of(_no_handler) is None


async def _no_handler(_request: Request) -> Response:
    return Response()
