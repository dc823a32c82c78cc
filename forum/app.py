"""The HTTP application: the forum and moderation, put together."""

import gc
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import datetime

from fastapi import APIRouter, FastAPI, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from forum import features
from forum.api import health, home, openapi
from forum.api import metrics as metrics_api
from forum.api.administration import accounts, board_settings, invitations, setup, unsent_mail, webhooks
from forum.api.advising import answer_templates, claims, waiting_list
from forum.api.advising import answers as answers_api
from forum.api.authentication import email_addresses, password_resets, profiles, registration
from forum.api.authentication import sessions as sessions_api
from forum.api.authentication.second_factor import enrolment, passkeys
from forum.api.content import (
    announcements,
    boards,
    bookmarks,
    drafts,
    endorsements,
    glossary,
    ignored,
    opening_hours,
    posts,
    reactions,
    read_marks,
    resources,
    search,
    subscriptions,
    threads,
)
from forum.api.content import crisis_help as help_api
from forum.api.importers import board_exports
from forum.api.members import advisers, cards
from forum.api.notifications import inbox, letters, live_events
from forum.api.openapi import Resource
from forum.api.privacy import account_deletion, exports, legal_holds, lost_mailboxes
from forum.authentication.sessions import SessionCache
from forum.content import crisis_help
from forum.core import embedded_postgres, logs, memory, secret_key
from forum.core.api_quota import ApiQuota
from forum.core.database import Database
from forum.core.errors import Throttled
from forum.core.gate import Gate
from forum.core.metrics import Metrics
from forum.core.page_versions import PageVersions
from forum.core.rate_limits import RateLimits
from forum.core.settings import Settings
from forum.core.wake_ups import CommitBell
from forum.http import compression, middleware, page_cache, problems, quota_middleware, refused_words, session_cookie
from forum.http.services import Services
from forum.notifications.live_events.hub import LiveEvents
from forum.passwords.breached_passwords import breached_passwords_of
from forum.permissions import Act, why_not
from forum.web import branding, errors, site
from forum.web.languages import language_of, mark
from forum.web.pages import Entry, MemberLink, PostLink, SiteParts
from moderation import features as moderation_features
from moderation import live_queue
from moderation.api import (
    appeals,
    assessments,
    audit_log,
    board_moderators,
    cases,
    concerns,
    contact,
    crisis_phrases,
    decisions,
    detail_effects,
    disclosures,
    handover,
    known_details,
    member_history,
    member_notes,
    member_posts,
    on_call,
    on_sight,
    own_safety,
    public_reports,
    reason_templates,
    reports,
    rules,
    safeguarding,
    screening_notice,
    service_complaints,
    statements,
    swept_posts,
    talks,
    transparency,
    watched_terms,
)
from moderation.gate import BoardGate
from moderation.screening import screen
from moderation.urgent_cases import count_urgent_cases
from moderation.web import site as moderation_site

# The tags of the OpenAPI document, with their routers. Routes are matched in this order: those read most come first.
RESOURCES: tuple[Resource, ...] = (
    Resource(
        "posts",
        "Posts have numbers in their thread, and their text as Markdown and as HTML that is safe to show.",
        posts.router,
    ),
    Resource(
        "boards",
        "A board has threads on one subject. A board that you may not see does not exist for you.",
        boards.router,
        opening_hours.router,
        home.router,
    ),
    Resource(
        "announcements",
        "A few words of the charity to everybody, until a time. Administrators write them.",
        announcements.router,
    ),
    Resource("glossary", "What abbreviations mean. Administrators write it.", glossary.router),
    Resource(
        "resources",
        "Who helps elsewhere: places that advisers know, which stand on boards and in threads, too.",
        resources.router,
    ),
    Resource(
        "threads",
        "Threads on a board, where you stopped reading them, and what you may do there.",
        threads.router,
        read_marks.router,
        answers_api.router,
    ),
    Resource("subscriptions", "Threads and boards that you follow. Nobody else sees them.", subscriptions.router),
    Resource(
        "reactions",
        "Thank somebody for a post, send a hug, or say that it helped or that you feel the same.",
        reactions.router,
    ),
    Resource("bookmarks", "Posts that you saved for yourself. Nobody else sees them.", bookmarks.router),
    Resource(
        "search",
        "Find posts and titles that you may read. What you look for stands in no address, and is forgotten after an "
        "hour.",
        search.router,
    ),
    Resource("drafts", "What you began to write, kept for a week. Nobody else reads it.", drafts.router),
    Resource(
        "members",
        "Members with the names that they chose, and your own profile.",
        registration.router,
        cards.router,
        ignored.router,
        profiles.router,
        email_addresses.router,
    ),
    Resource(
        "sessions",
        "Sign in with a password and, if you have set it up, a second factor, or with a passkey alone; and sign out.",
        sessions_api.router,
        enrolment.router,
        passkeys.router,
        password_resets.router,
    ),
    Resource(
        "advisers",
        "Advisers work for an organisation, and their replies stand out. Threads can wait for their answers.",
        advisers.router,
        waiting_list.router,
        claims.router,
        answer_templates.router,
        endorsements.router,
    ),
    Resource(
        "administration",
        "Boards, accounts, roles, invitations and unsent mails: for administrators.",
        setup.router,
        board_settings.router,
        accounts.router,
        invitations.router,
        unsent_mail.router,
        webhooks.router,
        board_exports.router,
        detail_effects.router,
        known_details.router,
    ),
    Resource(
        "help",
        "Who helps at once, for everybody, and with what your own post says.",
        help_api.router,
        screening_notice.router,
    ),
    Resource(
        "notifications",
        "What happened to your posts, reports, appeals and account, and which mails you get about that.",
        inbox.router,
        letters.router,
        live_events.router,
    ),
    Resource(
        "privacy",
        "Get a copy of all your data, and close your account. A legal hold can delay that.",
        exports.router,
        account_deletion.router,
        legal_holds.router,
        lost_mailboxes.router,
    ),
    Resource("rules", "The rules of this forum, in every version.", rules.router),
    Resource(
        "reports",
        "Report a post that may break a rule or the law, or that shows somebody in danger, with an account or without; "
        "tell the safeguarding leads what you worry about.",
        reports.router,
        concerns.raise_router,
        public_reports.router,
        transparency.router,
    ),
    Resource(
        "complaints",
        "Complain about how the forum deals with reports, with you, or with its duties. Somebody else answers.",
        service_complaints.router,
    ),
    Resource("statements", "What moderators decided about your posts or your account, and why.", statements.router),
    Resource(
        "talks",
        "What moderators and you write to each other about a post or a report of yours. Members have no private "
        "messages with each other.",
        talks.own_router,
    ),
    Resource("appeals", "Ask for somebody else to look at a decision again.", appeals.router),
    Resource(
        "moderation",
        "The queue of cases, decisions, board moderators and the audit log: for moderators and administrators.",
        cases.router,
        decisions.router,
        disclosures.router,
        talks.router,
        member_history.router,
        member_notes.router,
        handover.router,
        own_safety.router,
        member_posts.router,
        on_sight.router,
        swept_posts.router,
        board_moderators.router,
        contact.router,
        public_reports.staff_router,
        service_complaints.staff_router,
        assessments.router,
        reason_templates.router,
        on_call.router,
        crisis_phrases.router,
        safeguarding.router,
        watched_terms.router,
        concerns.router,
        audit_log.router,
    ),
)
OWN = frozenset({"own"})
MEMBERS = OWN | {"member", "moderator"}
SITE_PARTS = SiteParts(
    navigation=(
        Entry("/", mark("Boards")),
        Entry("/search", mark("Search")),
        Entry("/help", mark("Help now")),
        Entry("/advising", mark("Advising"), lambda viewer: not why_not(Act.SEE_WAITING_THREADS, viewer), is_work=True),
        *moderation_site.ENTRIES,
        Entry("/admin", mark("Administration"), lambda viewer: not why_not(Act.ADMINISTER, viewer), is_work=True),
        Entry("/sign-in", mark("Sign in"), lambda viewer: viewer.id is None),
        Entry("/me", mark("You"), lambda viewer: viewer.id is not None),
    ),
    post_links=(
        PostLink("/threads/{thread_id}/reply?to={number}", mark("Answer"), MEMBERS, needs="reply"),
        PostLink("/posts/{id}/endorsement", mark("This is right"), MEMBERS - OWN, needs="endorse"),
        PostLink("/posts/{id}/edit", mark("Change"), OWN, needs="edit"),
        PostLink("/posts/{id}/withdraw", mark("Take it back"), OWN),
        PostLink("/posts/{id}/versions", mark("Earlier versions"), OWN | {"moderator"}, was_changed=True),
        PostLink("/posts/{id}/report", mark("Something wrong?"), frozenset({"member"})),
        PostLink("/reports?post={id}", mark("Something wrong?"), frozenset({"guest"})),
        *moderation_site.POST_LINKS,
    ),
    member_links=(MemberLink("/members/{handle}/report", mark("Is something wrong with this name?")),),
    own=moderation_site.OWN,
    templates=(moderation_site.TEMPLATES,),
    done=moderation_site.DONE,
)
MEGABYTE = 2**20
COPIED = mark("This is a copy of %(name)s as guests could read it on %(day)s. Nobody can write here.")
# After which Python looks for garbage among new objects. Markdown alone makes a thousand for each reply: with Python's
# own 700, the search took 3 % of it.
YOUNG_OBJECTS = 10_000
OPERATIONS = Resource("operations", "For those who run the forum.", health.router)
EXPOSED = ("ETag", "Location", "Link", "Retry-After", "RateLimit", "RateLimit-Policy")


def _routes_of_api() -> list[BaseRoute]:
    """Return all routes of the API. FastAPI finds out about them once, however many applications have them."""
    api = APIRouter(generate_unique_id_function=_operation_id)
    for resource in RESOURCES:
        for router in resource.routers:
            api.include_router(router, prefix=openapi.BASE)
    api.include_router(health.router)
    api.include_router(openapi.router)
    return api.routes


def _operation_id(route: APIRoute) -> str:
    return route.name


API = _routes_of_api()
PAGES = site.routes_with(moderation_site.ROUTERS)


def create_app(settings: Settings | None = None, gate: Gate | None = None) -> FastAPI:
    """Return the application with these settings; without any, with those of the environment."""
    settings = settings or Settings()
    database = Database(
        settings.sqlalchemy_url,
        pool_size=settings.pool_size,
        folder=settings.data,
        direct_url=settings.direct_database_url,
    )
    app = FastAPI(
        title=settings.name,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        # FastAPI's telemetry would have messages of exceptions in it, and those can have people's words in them.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        redirect_slashes=False,
        routes=API,
    )
    services = Services(
        settings,
        database,
        gate or BoardGate(settings.held_first_posts, settings.screening_region, database.reader),
        SessionCache(),
        RateLimits(database.reader),
        ApiQuota(database.reader, settings.limit("api")),
        PageVersions(database.reader),
        count_urgent_cases,
        breached_passwords_of(settings),
    )
    app.state.services = services
    app.state.live_events = LiveEvents(
        settings, services.session_cache, services.transactions, live_queue.find_told_cases
    )
    app.state.commit_bell = CommitBell(database.reader)
    database.on_commit = app.state.commit_bell.ring
    app.state.metrics = Metrics() if settings.has_metrics else None
    if app.state.metrics:
        figures = features.figures_of((*features.FEATURES, *moderation_features.FEATURES))
        app.include_router(metrics_api.make_router(app.state.metrics, figures))
    problems.register(app)
    refused_words.register(app)
    openapi.describe(app, settings.name, [*RESOURCES, OPERATIONS])
    if settings.pages:
        _add_pages(app, services)
    _add_middleware(app, services)
    return app


def check_pages(settings: Settings) -> None:
    """Raise UnusableSetting for texts or a mark of the charity that cannot be used: before anything has started."""
    if settings.pages:
        branding.branding_of(settings)
        crisis_help.lines_of(settings.help_lines)


def note_of_copy(settings: Settings, now: datetime) -> str:
    """Return what stands above each page of a copy of the pages, in their first language."""
    language = language_of(settings.languages[0], settings.time_zone)
    return language.say(COPIED, name=settings.name, day=language.day(now))


class PagesBesideApi:
    """Has the pages answer what lies outside of the API's own addresses, before the API's routes are tried."""

    def __init__(self, app: ASGIApp, pages: ASGIApp) -> None:
        self._api, self._pages = app, pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on to one of them."""
        is_page = scope["type"] == "http" and site.is_page(scope)
        await (self._pages if is_page else self._api)(scope, receive, send)


def _add_pages(app: FastAPI, services: Services) -> None:
    pages = site.create_site(services, SITE_PARTS, PAGES)
    app.state.site = pages
    # For the page that a layer around all routes answers with.
    app.state.parts, app.state.branding = pages.state.parts, pages.state.branding
    app.add_middleware(PagesBesideApi, pages=pages)


def _throttled(error: Throttled, scope: Scope) -> Response:
    """Return the answer to somebody who asks too often: a page where they asked for one."""
    has_pages = scope["app"].state.services.settings.pages
    return (errors.throttled if has_pages and site.is_page(scope) else problems.answer_to)(error, scope)


def _add_middleware(app: FastAPI, services: Services) -> None:
    """Add the layers that every request passes, the innermost first."""
    settings = services.settings
    app.add_middleware(compression.Compression)
    if settings.page_cache:
        app.add_middleware(page_cache.PageCache, services=services, most_bytes=settings.page_cache * MEGABYTE)
    app.add_middleware(middleware.HeadersAlone)
    app.add_middleware(middleware.UnexpectedErrors)
    app.add_middleware(
        quota_middleware.ApiLimit,
        traffic=services.api_quota,
        session_cache=services.session_cache,
        at_once=settings.requests_at_once,
        answer=_throttled,
    )
    if settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=sorted(settings.allowed_origins),
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Last-Event-ID"],
            allow_credentials=True,
            expose_headers=EXPOSED,
            max_age=600,
        )
    app.add_middleware(middleware.SafeHeaders)
    metrics: Metrics | None = app.state.metrics
    app.add_middleware(middleware.AccessLog, count=metrics.count_request if metrics else None)


def process_app() -> FastAPI:
    """Return the application of one server process; the process ends with the one that started it."""
    embedded_postgres.stop_with_parent()
    return application_of(Settings())


def application_of(settings: Settings) -> FastAPI:
    """Return the application with these settings, ready to answer: nothing is left to be loaded or compiled."""
    logs.configure(settings.log_level)
    secret_key.secret_key(settings)  # ends here and not at a request when it can neither be read nor made
    app = create_app(settings)
    session_cookie.kind_of_client("")  # builds its tables now, and not while the first member signs in
    screen("", settings.screening_region)  # compiles for half a second, which no first post should wait for
    # Objects that exist by now stay: to search all of them for garbage again and again would delay requests.
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)
    memory.give_back()
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    services: Services = app.state.services
    try:
        async with services.api_quota.exchanging(), _watching(app):
            yield
    finally:
        await app.state.live_events.close()
        await app.state.commit_bell.stop()
        await services.database.close()


def _watching(app: FastAPI) -> AbstractAsyncContextManager[None]:
    """Return a block in which metrics are gathered, where they are wanted."""
    metrics: Metrics | None = app.state.metrics
    database: Database = app.state.services.database
    return metrics.watching(database, app.state.live_events.count_open) if metrics else nullcontext()
