"""The two ceilings: the forum's own answers as constants, from FastAPI endpoints and from bare ASGI."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import uvicorn
from fastapi import FastAPI, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from forum.core import embedded_postgres


class Ceiling(StrEnum):
    """What can answer with nothing but a constant."""

    FASTAPI = "(a) FastAPI, a constant"
    BARE = "(b) bare ASGI, a constant"


@dataclass(frozen=True)
class Answer:
    """What the forum answered."""

    status: int
    content: bytes


def serve(ceiling: Ceiling, port: int, answers: Mapping[str, Answer]) -> None:
    """Answer at each path, with the forum's own server and its settings, in a process of multiprocessing's."""
    embedded_postgres.stop_with_parent()
    app = _fastapi(answers) if ceiling == Ceiling.FASTAPI else _bare(answers)
    uvicorn.run(app, port=port, log_config=None, access_log=False, server_header=False, lifespan="off")


def _fastapi(answers: Mapping[str, Answer]) -> ASGIApp:
    # Without FastAPI's own telemetry, as the forum is: it would make the ceiling lower.
    app = FastAPI(openapi_url=None, telemetry={"tracing": False, "metrics": False, "logs": False})
    for path, answer in answers.items():
        app.add_api_route(path, _endpoint(answer), methods=["GET", "POST"])
    return app


def _endpoint(answer: Answer) -> Callable[[], Awaitable[Response]]:
    async def endpoint() -> Response:
        return Response(answer.content, answer.status, media_type="application/json")

    return endpoint


def _bare(answers: Mapping[str, Answer]) -> ASGIApp:
    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        answer = answers[scope["path"]]
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer.content))]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.content})

    return app
