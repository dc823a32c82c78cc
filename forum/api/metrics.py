"""Metrics for those who run the forum: only with a token, or from the same machine."""

import asyncio
from hmac import compare_digest
from ipaddress import ip_address

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from forum.core.figures import Figure, read_figures
from forum.core.metrics import Metrics
from forum.core.settings import Settings
from forum.http.query_parameters import only_known_parameters
from forum.http.services import AppServices

# What a proxy adds. Asked for through one, the address of this machine is the proxy's own.
OF_PROXIES = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


def make_router(metrics: Metrics, figures: tuple[Figure, ...]) -> APIRouter:
    """Return the route of the metrics; a forum that is not told to show them has none."""
    router = APIRouter(dependencies=[Depends(only_known_parameters)])

    @router.get("/metrics", include_in_schema=False)
    async def read_metrics(request: Request, services: AppServices) -> Response:
        """Return the metrics in Prometheus' text format. To everybody else, there is nothing here."""
        if not _may_read(request, services.settings):
            raise HTTPException(404)
        try:
            found = await read_figures(services.database.reader, figures)
        except (DBAPIError, PoolTimeoutError):
            found = None  # what this process counted is still worth knowing, then more than ever
        told = await asyncio.to_thread(metrics.render, found)  # it reads files
        return Response(told, media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return router


def _may_read(request: Request, settings: Settings) -> bool:
    if (token := settings.metrics_token) is not None:
        kind, _, given = request.headers.get("Authorization", "").partition(" ")
        expected = token.get_secret_value().encode()
        if kind.lower() == "bearer" and compare_digest(given.strip().encode(), expected):
            return True
    return settings.metrics == "loopback" and _is_of_this_machine(request)


def _is_of_this_machine(request: Request) -> bool:
    if request.client is None or any(name in request.headers for name in OF_PROXIES):
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False
