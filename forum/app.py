"""The whole: both packages composed into one application."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import ua_parser
from fastapi import APIRouter, Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.routing import APIRoute

from forum.api import (
    accounts,
    advisers,
    boards,
    documents,
    email_verifications,
    invitations,
    mailer,
    members,
    middleware,
    notifications,
    operations,
    password_resets,
    posts,
    privacy,
    problems,
    threads,
    traffic,
)
from forum.api import sessions as sessions_api
from forum.api.dependencies import House, only_known_parameters
from forum.api.second_factor import codes, passkeys
from forum.authentication.sessions import SessionCache
from forum.core import embedded_postgres, logs
from forum.core.api_quota import Traffic
from forum.core.database import Database
from forum.core.gate import Gate
from forum.core.rate_limits import Throttle
from forum.core.settings import Settings
from forum.passwords.breached_passwords import breaches_of
from moderation.api import appeals, cases, decisions, log, records, reports, rules, statements, team, templates
from moderation.gate import BoardGate

# A route is sought in this order: what is read most stands first.
FEATURES: tuple[APIRouter, ...] = (
    posts.router,
    boards.router,
    threads.router,
    members.router,
    sessions_api.router,
    codes.router,
    passkeys.router,
    email_verifications.router,
    password_resets.router,
    advisers.router,
    accounts.router,
    invitations.router,
    mailer.router,
    notifications.router,
    privacy.router,
    rules.router,
    reports.router,
    cases.router,
    decisions.router,
    statements.router,
    appeals.router,
    records.router,
    team.router,
    templates.router,
    log.router,
)
EXPOSED = ("ETag", "Location", "Link", "Retry-After", "RateLimit", "RateLimit-Policy")


def create_app(settings: Settings | None = None, gate: Gate | None = None) -> FastAPI:
    """The application over the database that `settings` (by default the environment's) name."""
    settings = settings or Settings()
    database = Database(settings.sqlalchemy_url, pool_size=settings.pool_size)
    app = FastAPI(
        title=settings.name,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        # Its logs would carry messages of exceptions, which can hold people's words.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
        dependencies=[Depends(only_known_parameters)],
    )
    house = House(
        settings,
        database,
        gate or BoardGate(settings.held_first_posts, settings.screening_region),
        SessionCache(),
        Throttle(database.reader),
        Traffic(database.reader, settings.limit("api")),
        breaches_of(settings),
    )
    app.state.house = house
    for router in FEATURES:
        app.include_router(router, prefix=documents.BASE)
    app.include_router(operations.router)
    app.include_router(documents.router)
    problems.register(app)
    documents.describe(app, settings.name)
    app.add_middleware(middleware.SizeLimit)
    app.add_middleware(middleware.Mistakes)
    app.add_middleware(traffic.ApiLimit, traffic=house.traffic, doorkeeper=house.doorkeeper)
    if settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=sorted(settings.allowed_origins),
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "If-None-Match"],
            allow_credentials=True,
            expose_headers=EXPOSED,
            max_age=600,
        )
    app.add_middleware(middleware.SafeHeaders)
    app.add_middleware(middleware.AccessLog)
    return app


def process_app() -> FastAPI:
    """The application of one server process, which ends with the process that started it."""
    settings = Settings()
    logs.configure(settings.log_level)
    embedded_postgres.stop_with_parent()
    app = create_app(settings)
    ua_parser.parse_user_agent("")  # its table is made now, and not while the first member signs in
    # What is loaded by now stays: looking through all of it for garbage would hold up requests again and again.
    gc.collect()
    gc.freeze()
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    house: House = app.state.house
    try:
        async with house.traffic.exchanging():
            yield
    finally:
        await house.database.close()


def _operation_id(route: APIRoute) -> str:
    return route.name
