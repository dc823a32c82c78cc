"""What an endpoint is given, worked out once for each route and not anew for each request.

FastAPI looks at each parameter of each dependency again for each request, which costs a reply more than its statements.
Where a route has nothing but plain parts, they are put together here, in the same order. A request in which something
is missing, wrong or unusual is left to FastAPI before anything was done: it says what is wrong.
"""

import inspect
import json
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, NamedTuple

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_params_to_args

_JSON = b"application/json"
# What a dependency can take that is not worked out here.
_UNUSUAL = (
    "websocket_param_name",
    "http_connection_param_name",
    "response_param_name",
    "background_tasks_param_name",
    "security_scopes_param_name",
    "own_oauth_scopes",
    "parent_oauth_scopes",
    "cookie_params",
    "concurrency",
)
_STACK = "fastapi_function_astack"  # in the scope: what it holds ends before the answer is sent

Arguments = dict[str, Any]


class Unusual(Exception):
    """A request, or a route, that FastAPI has to look at itself."""


class _Taking:
    """What an endpoint or a dependency takes from a request by itself."""

    def __init__(self, dependant: Dependant) -> None:
        """Look at it. Raises Unusual for what only FastAPI works out."""
        if any(getattr(dependant, name) for name in _UNUSUAL):
            raise Unusual
        self._path, self._query, self._headers = dependant.path_params, dependant.query_params, dependant.header_params
        self._body = dependant.body_params
        self._request = dependant.request_param_name
        aliases = [field.alias.lower().encode("latin-1") for field in self._headers]
        self._names = {*aliases, *(alias.replace(b"_", b"-") for alias in aliases)}
        self._unsaid = [_unsaid(fields) for fields in (self._query, self._headers)]

    def take(self, request: Request, body: Any) -> Arguments:
        """Return what it takes from a request. Raises Unusual where that is not what its fields say."""
        scope = request.scope
        taken: Arguments = _valid(self._path, request.path_params) if self._path else {}
        if self._query:
            taken |= _valid(self._query, request.query_params) if scope["query_string"] else self._unsaid[0]()
        if self._headers:
            is_said = any(name in self._names for name, _ in scope["headers"])
            taken |= _valid(self._headers, request.headers) if is_said else self._unsaid[1]()
        for field in self._body:
            taken[field.name], errors = field.validate(body)
            if errors:
                raise Unusual
        if self._request:
            taken[self._request] = request
        return taken


class _Dependency(NamedTuple):
    name: str
    part: _Taking
    call: Callable[..., Coroutine[Any, Any, Any]] | None  # or else:
    block: Callable[..., AbstractAsyncContextManager[Any]] | None

    async def solve(self, arguments: Arguments, stack: AsyncExitStack) -> Any:
        if self.call:
            return await self.call(**arguments)
        assert self.block  # noqa: S101 - one of the two is there
        return await stack.enter_async_context(self.block(**arguments))


class Endpoint:
    """An endpoint with the parts that it takes."""

    def __init__(self, dependant: Dependant, *, embeds: bool) -> None:
        """Look at what an endpoint takes. Raises Unusual for one that has more than plain parts."""
        call = dependant.call
        calls = [one.call for one in dependant.dependencies]
        if not inspect.iscoroutinefunction(call) or inspect.signature(call).return_annotation is not Response:
            raise Unusual
        if embeds or len(dependant.body_params) > 1 or len({*calls}) < len(calls):
            raise Unusual
        self._call: Callable[..., Coroutine[Any, Any, Response]] = call
        self._own = _Taking(dependant)
        self._dependencies = [_dependency(one) for one in dependant.dependencies]
        self._takes_body = bool(dependant.body_params)

    def take(self, request: Request, body: bytes) -> list[Arguments]:
        """Return what each of the parts takes from a request. Raises Unusual."""
        said = _parsed(request, body) if self._takes_body else None
        return [one.part.take(request, None) for one in self._dependencies] + [self._own.take(request, said)]

    async def answer(self, request: Request, taken: Sequence[Arguments]) -> Response:
        """Call the dependencies, and the endpoint with what they return."""
        *others, own = taken
        stack: AsyncExitStack = request.scope[_STACK]
        for dependency, arguments in zip(self._dependencies, others, strict=True):
            own[dependency.name] = await dependency.solve(arguments, stack)
        return await self._call(**own)


def endpoint_of(answer: Callable[[Request], Coroutine[Any, Any, Response]]) -> Endpoint | None:
    """Return the endpoint that a handler of FastAPI's calls, with what it takes; None where only FastAPI can call it.

    The handler is asked and not the route: it also knows what a router that includes the route depends on.
    """
    known = inspect.getclosurevars(answer).nonlocals
    try:
        return Endpoint(known["dependant"], embeds=known["embed_body_fields"])
    except (Unusual, KeyError):
        return None


def _dependency(dependant: Dependant) -> _Dependency:
    call = dependant.call
    if dependant.dependencies or dependant.body_params or dependant.name is None:
        raise Unusual
    if inspect.iscoroutinefunction(call):
        return _Dependency(dependant.name, _Taking(dependant), call, None)
    if inspect.isasyncgenfunction(call) and dependant.scope == "function":
        return _Dependency(dependant.name, _Taking(dependant), None, asynccontextmanager(call))
    raise Unusual


def _valid(fields: Sequence[Any], said: Any) -> Arguments:
    values, errors = request_params_to_args(fields, said)
    if errors:
        raise Unusual
    return values


def _unsaid(fields: Sequence[Any]) -> Callable[[], Arguments]:
    """Return what gives the values of fields of which a request says nothing."""
    values, errors = request_params_to_args(fields, {})
    if errors or not all(value is None or isinstance(value, str | int | float) for value in values.values()):
        return lambda: _valid(fields, {})
    return lambda: values


def _parsed(request: Request, body: bytes) -> Any:
    if [value for name, value in request.scope["headers"] if name == b"content-type"] != [_JSON] or not body:
        raise Unusual
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:  # a thousand brackets within each other are JSON, too
        raise Unusual from error
