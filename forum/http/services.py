"""What routes depend on: the services of this process, a transaction, a reader, the time."""

from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from sqlalchemy.exc import DBAPIError

from forum.authentication.sessions import SessionCache
from forum.core import clock
from forum.core.api_quota import ApiQuota
from forum.core.database import Database, Reader, is_passing
from forum.core.errors import Invalid
from forum.core.gate import Gate
from forum.core.page_versions import PageVersions
from forum.core.rate_limits import RateLimits
from forum.core.settings import Settings
from forum.core.work import Transactions, Work
from forum.home import CountUrgent
from forum.http.arguments import Unusual, endpoint_of
from forum.http.body_size import ORDINARY, bounded, largest_body, most_parts, refuse_crowded
from forum.http.csrf import SAFE_METHODS
from forum.http.query_parameters import refuse_unknown_parameters
from forum.passwords.breached_passwords import BreachedPasswords

# What clients send where they have nothing to say.
NO_BODY = (b"{}", b"null")


@dataclass(frozen=True)
class Services:
    """The objects that all requests of one process share; `app.py` creates them."""

    settings: Settings
    database: Database
    gate: Gate
    session_cache: SessionCache
    rate_limits: RateLimits
    api_quota: ApiQuota
    page_versions: PageVersions
    count_urgent_cases: CountUrgent
    breached_passwords: BreachedPasswords | None = None

    def transactions(self, now: datetime) -> Transactions:
        """Return what begins transactions at this time. After a commit, the session cache drops the changed members."""
        changed = self.session_cache.invalidate
        return Transactions(self.database, now, self.settings, self.rate_limits, self.gate, changed)


def services_of(request: Request) -> Services:
    """Return the services of this process.

    Not a dependency where many routes need it: a dependency of a dependency costs more than most of what a route does.
    """
    services: Services = request.app.state.services
    return services


async def _services(request: Request) -> Services:
    return services_of(request)


AppServices = Annotated[Services, Depends(_services)]


async def _now() -> datetime:
    return clock.now()


Now = Annotated[datetime, Depends(_now)]


# These ask the request for the services themselves, for the reason that `services_of` gives.


async def _transactions(request: Request) -> Transactions:
    return services_of(request).transactions(clock.now())


CurrentTransactions = Annotated[Transactions, Depends(_transactions)]


async def _work(request: Request) -> AsyncIterator[Work]:
    async with services_of(request).transactions(clock.now()).begin() as work:
        yield work


# "function" ends before the response is sent: what a client was told is stored, and a failed commit is an error.
CurrentWork = Annotated[Work, Depends(_work, scope="function")]


async def _reading(request: Request) -> Reader:
    return services_of(request).database.reader


Reading = Annotated[Reader, Depends(_reading)]


class Route(APIRoute):
    """A route that reads no more of a body than it needs, and none where it takes none; it knows its parameters.

    It runs a read once more when the database could not answer for a passing reason: a migration in another process
    makes every prepared statement fail exactly once. A write is not run again: the answer is 503, and the client
    decides.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the function that answers a request."""
        answer_any = super().get_route_handler()
        endpoint = endpoint_of(answer_any)
        model: Any = self.body_field and self.body_field.field_info.annotation
        required = bool(self.body_field and self.body_field.field_info.is_required())

        async def answer(request: Request) -> Response:
            if endpoint is None:
                return await answer_any(request)
            try:
                taken = endpoint.take(request, request.state.body if model else b"")
            except Unusual:
                return await answer_any(request)
            return await endpoint.answer(request, taken)

        async def answer_reads_again(request: Request) -> Response:
            refuse_unknown_parameters(request)  # no dependency: that would cost ten times as much
            request = Request(request.scope, bounded(request.receive, largest_body(model) if model else ORDINARY))
            if not model and request.method not in SAFE_METHODS:
                await _refuse_body(request)
            if model:
                request.state.body = await request.body()  # for who answers a refusal: it can be read once only
                refuse_crowded(request.state.body, most_parts(model))
            if model and not required and (await request.body()).strip() == b"null":
                raise Invalid("must be an object, or left out", "#", code="wrong_type")
            try:
                return await answer(request)
            except DBAPIError as error:
                if request.method not in SAFE_METHODS or not is_passing(error):
                    raise
            return await answer(request)

        return answer_reads_again


async def _refuse_body(request: Request) -> None:
    """Raise Invalid for a body where none is taken: whoever sent it believes that it means something."""
    body = b""
    async for part in request.stream():
        body += part
        if not any(nothing.startswith(body) for nothing in NO_BODY):
            raise Invalid("This request takes no body.", "#", code="body_not_taken")
