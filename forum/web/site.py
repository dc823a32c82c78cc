"""The pages as an application of their own, which answers what the API does not."""

from collections.abc import Sequence

from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute
from starlette.types import Scope

from forum.http.middleware import UnexpectedErrors
from forum.http.services import Services
from forum.web import assets, errors
from forum.web.administration import (
    accounts,
    board_settings,
    invitations,
    opening_hours,
    own_invitations,
    setup,
    unsent_mail,
    webhooks,
)
from forum.web.advising import answer_templates, answers, claims, waiting_list
from forum.web.around import leave, look, text_pages
from forum.web.authentication import email_addresses, password_resets, profiles, registration, sessions, sign_in
from forum.web.authentication.second_factor import enrolment, passkeys
from forum.web.branding import branding_of
from forum.web.content import (
    announcements,
    boards,
    bookmarks,
    crisis_help,
    drafts,
    endorsements,
    feeds,
    glossary,
    ignored,
    new_threads,
    posts,
    reactions,
    read_marks,
    resources,
    search,
    subscriptions,
    thread_changes,
    threads,
)
from forum.web.importers import board_exports, old_links
from forum.web.members import advisers, cards
from forum.web.notifications import inbox, letters
from forum.web.pages import SiteParts
from forum.web.privacy import account_deletion, exports, legal_holds, lost_mailboxes, own_account, own_mailbox
from forum.web.visits import made_pages

ROUTERS: tuple[APIRouter, ...] = (
    threads.router,  # routes are matched in this order: those read most come first
    boards.router,
    assets.router,
    posts.router,
    reactions.router,
    bookmarks.router,
    search.router,
    read_marks.router,
    crisis_help.router,
    subscriptions.router,
    new_threads.router,
    thread_changes.router,
    drafts.router,
    cards.router,
    ignored.router,
    advisers.router,
    announcements.router,
    feeds.router,
    glossary.router,
    resources.router,
    sign_in.router,
    registration.router,
    email_addresses.router,
    password_resets.router,
    own_account.router,
    profiles.router,
    sessions.router,
    enrolment.router,
    passkeys.router,
    inbox.router,
    letters.router,
    letters.open_router,
    exports.router,
    own_invitations.router,
    account_deletion.router,
    own_mailbox.router,
    text_pages.router,
    look.router,
    leave.router,
    waiting_list.router,
    answer_templates.router,
    answers.router,
    claims.router,
    endorsements.router,
    setup.router,
    board_settings.router,
    opening_hours.router,
    accounts.router,
    lost_mailboxes.router,
    legal_holds.router,
    invitations.router,
    unsent_mail.router,
    webhooks.router,
    board_exports.router,
    old_links.router,
)


def routes_with(routers: Sequence[APIRouter]) -> list[BaseRoute]:
    """Return the routes of the forum's own pages and of `routers`: FastAPI finds out about them once, however many
    applications have them."""
    pages = APIRouter()
    for router in (*ROUTERS, *routers, old_links.last_router):
        pages.include_router(router)
    return pages.routes


def create_site(services: Services, parts: SiteParts, routes: list[BaseRoute]) -> FastAPI:
    """Return the application of the pages, whose `routes` are those of `routes_with`."""
    site = FastAPI(
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
        routes=routes,
    )
    site.state.services = services
    site.state.parts = parts
    site.state.made_pages = made_pages()
    site.state.branding = branding_of(services.settings)
    errors.register(site)
    site.add_middleware(UnexpectedErrors, answer=errors.unexpected)
    return site


def is_page(scope: Scope) -> bool:
    """Return whether a request is for a page and not for the API."""
    path: str = scope["path"]
    return not path.startswith("/api/") and path not in {"/api", "/healthz", "/readyz", "/metrics"}
