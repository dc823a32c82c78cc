"""Pages of boards: all of them with help first, and one with its threads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, ClassVar

from fastapi import Response

from forum import home
from forum.content import reading
from forum.content.before_writing import BeforeWriting, read_board_now
from forum.content.board_cards import BoardCard
from forum.content.feeds import has_feed
from forum.content.resources.queries import ResourceView
from forum.http.fields import Slug
from forum.importers.old_links import read_article_link
from forum.permissions import Refusal
from forum.web.importers.old_links import follow
from forum.web.pages import Page
from forum.web.routing import page_router
from forum.web.texts import Text
from forum.web.visits import Reading

UNREAD_SHOWN = 5  # so that the boards come soon; all are among one's threads
router = page_router()


@dataclass(frozen=True, kw_only=True)
class BoardsPage(Page):
    """The first page: help first, then the boards under their headings."""

    template: ClassVar[str] = "content/boards.html"
    section: ClassVar[str] = "/"
    is_wide: ClassVar[bool] = True

    sections: Sequence[tuple[str, Sequence[BoardCard]]]
    boards_with_news: frozenset[int]
    unread: Sequence[Any]
    unread_notifications: int
    urgent_cases: int | None
    is_guest: bool
    announcements: Sequence[Any]
    front: Text
    lines: Text


@dataclass(frozen=True, kw_only=True)
class BoardPage(Page):
    """A board with a page of its threads."""

    template: ClassVar[str] = "content/board.html"
    section: ClassVar[str] = "/"
    is_wide: ClassVar[bool] = True

    announcements: Sequence[Any]
    board: Any
    threads: Sequence[Any]
    marks: Mapping[int, Any]
    next: str | None
    no_thread_because: Refusal | None
    before: BeforeWriting
    is_told: bool
    is_guest: bool
    resources: Sequence[ResourceView]
    may_attach: bool
    has_feed: bool


@router.get("/")
async def show_boards(visit: Reading) -> Response:
    """Show the boards that the reader may see. An old article's address, `/?p=12`, leads to where it is now."""
    if link := read_article_link(visit.request.query_params):
        return await follow(visit, link)
    read = await home.read_front(visit.transactions, visit.viewer, visit.services.count_urgent_cases)
    sections = [(name, list(found)) for name, found in groupby(read.boards, lambda card: str(card.board.section))]
    page = BoardsPage(
        title=visit.text("front").title,
        front=visit.text("front"),
        lines=visit.text("lines"),
        announcements=read.announcements,
        sections=sections,
        boards_with_news=read.boards_with_news,
        unread=read.unread[:UNREAD_SHOWN],
        unread_notifications=read.unread_notifications,
        urgent_cases=read.urgent_cases,
        is_guest=visit.viewer.id is None,
        indexable=True,
    )
    return visit.show(page)


@router.get("/boards/{slug}")
async def show_board(slug: Slug, visit: Reading) -> Response:
    """Show a board with a page of its threads."""
    read = await reading.read_board(visit.reader, visit.viewer, slug, visit.query("after") or None, visit.now)
    # Who is on call is asked only where it matters that somebody is not there all the time.
    has_hours = read.card.board.hours and not read.card.board.archived_at
    before = (await visit.act(read_board_now, slug)).before if has_hours else read.before
    visit.request.state.is_momentary = has_hours  # `page_cache.py` keeps nothing that says who is on call
    page = BoardPage(
        title=read.card.board.name,
        announcements=read.announcements,
        board=read.card.board,
        threads=read.page.threads,
        marks=read.marks,
        next=read.page.next,
        no_thread_because=read.no_thread_because,
        before=before,
        is_told=read.is_told,
        is_guest=visit.viewer.id is None,
        resources=read.resources,
        may_attach=read.may_attach,
        has_feed=has_feed(read.card.board),
        indexable=read.card.board.indexable,
    )
    return visit.show(page)
