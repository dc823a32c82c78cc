"""The whole: both packages composed into one application."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import ua_parser
from fastapi import APIRouter, Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.routing import APIRoute

from forum.api import health, openapi
from forum.api.administration import accounts, invitations, unsent_mail
from forum.api.advising import waiting_list
from forum.api.authentication import email_addresses, password_resets, profiles, registration
from forum.api.authentication import sessions as sessions_api
from forum.api.authentication.second_factor import enrolment, passkeys
from forum.api.content import boards, posts, threads
from forum.api.members import advisers, cards
from forum.api.notifications import inbox
from forum.api.privacy import account_deletion, exports, legal_holds
from forum.authentication.sessions import SessionCache
from forum.core import embedded_postgres, logs
from forum.core.api_quota import ApiQuota
from forum.core.database import Database
from forum.core.gate import Gate
from forum.core.rate_limits import RateLimits
from forum.core.settings import Settings
from forum.http import middleware, problems, quota_middleware
from forum.http.query_parameters import only_known_parameters
from forum.http.services import Services
from forum.passwords.breached_passwords import breached_passwords_of
from moderation.api import (
    appeals,
    audit_log,
    board_moderators,
    cases,
    decisions,
    member_history,
    reason_templates,
    reports,
    rules,
    statements,
)
from moderation.gate import BoardGate

# A route is sought in this order: what is read most stands first.
FEATURES: tuple[APIRouter, ...] = (
    posts.router,
    boards.router,
    threads.router,
    registration.router,
    cards.router,
    profiles.router,
    sessions_api.router,
    enrolment.router,
    passkeys.router,
    email_addresses.router,
    password_resets.router,
    advisers.router,
    waiting_list.router,
    accounts.router,
    invitations.router,
    unsent_mail.router,
    inbox.router,
    exports.router,
    account_deletion.router,
    legal_holds.router,
    rules.router,
    reports.router,
    cases.router,
    decisions.router,
    statements.router,
    appeals.router,
    member_history.router,
    board_moderators.router,
    reason_templates.router,
    audit_log.router,
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
    services = Services(
        settings,
        database,
        gate or BoardGate(settings.held_first_posts, settings.screening_region),
        SessionCache(),
        RateLimits(database.reader),
        ApiQuota(database.reader, settings.limit("api")),
        breached_passwords_of(settings),
    )
    app.state.services = services
    for router in FEATURES:
        app.include_router(router, prefix=openapi.BASE)
    app.include_router(health.router)
    app.include_router(openapi.router)
    problems.register(app)
    openapi.describe(app, settings.name)
    app.add_middleware(middleware.SizeLimit)
    app.add_middleware(middleware.UnexpectedErrors)
    app.add_middleware(quota_middleware.ApiLimit, traffic=services.api_quota, session_cache=services.session_cache)
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
    services: Services = app.state.services
    try:
        async with services.api_quota.exchanging():
            yield
    finally:
        await services.database.close()


def _operation_id(route: APIRoute) -> str:
    return route.name
