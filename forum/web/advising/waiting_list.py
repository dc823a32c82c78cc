"""The threads that wait for an adviser, longest wait first, each with the post that waits."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from fastapi import Response
from markupsafe import Markup

from forum.advising import waiting_list
from forum.core import clock
from forum.web.content.threads import place_of
from forum.web.pages import Page
from forum.web.routing import page_router
from forum.web.visits import MemberVisit

THREADS_A_PAGE = 20
FIRST_WORDS = 200  # characters: enough to choose by
_QUOTE = re.compile(r"<blockquote>(?:(?!<blockquote>).)*?</blockquote>", re.DOTALL)  # an innermost one

router = page_router()


@dataclass(frozen=True)
class WaitingThread:
    """A thread with the post that waits for an adviser: its first words, or the note before it."""

    thread: Any
    path: str
    number: int
    note: str | None
    words: str
    working_days: int


@dataclass(frozen=True, kw_only=True)
class WaitingListPage(Page):
    """A page of the threads that wait."""

    template: ClassVar[str] = "advising/waiting_list.html"
    section: ClassVar[str] = "/advising"
    is_wide: ClassVar[bool] = True
    is_own: ClassVar[bool] = True

    threads: Sequence[WaitingThread]
    next: str | None


@router.get("/advising")
async def show_waiting_threads(visit: MemberVisit) -> Response:
    """Show the threads that wait for an adviser, longest wait first."""
    after = visit.query("after") or None
    page = await waiting_list.list_waiting(visit.reader, visit.viewer, after, THREADS_A_PAGE)
    threads = [_waiting(row, visit.now) for row in page.rows]
    return visit.show(WaitingListPage(title=visit.say("Threads that wait"), threads=threads, next=page.next))


def _waiting(row: Any, now: datetime) -> WaitingThread:
    number = row.waiting_number or 1
    return WaitingThread(
        thread=row,
        path=place_of(row.id, number),
        number=number,
        note=row.waiting_warning,
        words=first_words(row.waiting_html or ""),
        working_days=clock.working_days(row.waiting_since, now),
    )


def first_words(body_html: str) -> str:
    """Return how a post begins, as plain text without what it quotes."""
    before, without = "", body_html
    while before != without:  # quotes stand in quotes
        before, without = without, _QUOTE.sub(" ", without)
    words = Markup(without.replace("<", " <")).striptags()  # noqa: S704 - only its text is kept
    if len(words) <= FIRST_WORDS:
        return words
    return words[:FIRST_WORDS].rpartition(" ")[0] + " …"
