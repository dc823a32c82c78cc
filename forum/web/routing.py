"""Routes of pages."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from sqlalchemy.exc import DBAPIError

from forum.core.database import is_passing
from forum.http.csrf import SAFE_METHODS, refuse_forgery
from forum.http.services import services_of


class PageRoute(APIRoute):
    """A route of a page. A read is run once more when the database could not answer for a passing reason.

    It refuses a form that a page of another site made the browser send, also without a session. Signing in is a form
    too: who is signed in as a stranger without noticing writes under the stranger's name. A layer of the route, and no
    dependency: those are solved for each read as well.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the function that answers a request."""
        answer = super().get_route_handler()

        async def answer_reads_again(request: Request) -> Response:
            if request.method not in SAFE_METHODS:
                refuse_forgery(request, services_of(request).settings)
            try:
                return await answer(request)
            except DBAPIError as error:
                if request.method not in SAFE_METHODS or not is_passing(error):
                    raise
            return await answer(request)

        return answer_reads_again


def page_router() -> APIRouter:
    """Return a router for pages: they are no part of the OpenAPI document."""
    return APIRouter(route_class=PageRoute, include_in_schema=False)
