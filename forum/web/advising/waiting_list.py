"""The threads that wait for an adviser, longest wait first, each with the post that waits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from fastapi import Response

from forum.advising import answer_templates, waiting_list
from forum.advising.waiting_list import WaitingFilter, WaitingLane
from forum.members import advisers
from forum.web.content.threads import place_of
from forum.web.languages import mark
from forum.web.pages import Page
from forum.web.routing import page_router
from forum.web.visits import MemberVisit

THREADS_A_PAGE = 20
LANES: Mapping[WaitingLane, str] = {
    WaitingLane.ASKED: mark("They ask something"),
    WaitingLane.NEWS: mark("They tell something"),
    WaitingLane.MINE: mark("You will answer"),
    WaitingLane.CLAIMED: mark("Somebody will answer"),
}

router = page_router()


@dataclass(frozen=True)
class HeldClaim:
    """Who keeps a thread, and until when."""

    name: str
    until: datetime


@dataclass(frozen=True)
class ListedWait:
    """A thread that waits, and the address of the post that does."""

    wait: Any
    path: str
    claim: HeldClaim | None


@dataclass(frozen=True, kw_only=True)
class WaitingListPage(Page):
    """A page of the threads that wait."""

    template: ClassVar[str] = "advising/waiting_list.html"
    section: ClassVar[str] = "/advising"
    is_wide: ClassVar[bool] = True
    is_own: ClassVar[bool] = True
    has_tools: ClassVar[bool] = True

    threads: Sequence[ListedWait]
    lanes: Sequence[tuple[str, str, bool]]  # address, words, whether it is shown
    wanted: WaitingFilter
    organisations: Sequence[str]  # to choose from: those of the advisers of today, and the one that is asked for
    target: int
    hours: int
    has_templates: bool
    more: str | None


@router.get("/advising")
async def show_waiting_threads(visit: MemberVisit) -> Response:
    """Show the threads that wait for an adviser, longest wait first."""
    asked, after = visit.query("lane"), visit.query("after") or None
    wanted = WaitingFilter(
        WaitingLane(asked) if asked in set(WaitingLane) else WaitingLane.ASKED,
        visit.query("board") or None,
        visit.query("organisation") or None,
        visit.query("late") == "yes",
    )
    page = await waiting_list.list_waiting(
        visit.reader, visit.viewer, wanted, (after, THREADS_A_PAGE), now=visit.now, settings=visit.settings
    )
    organisations = {adviser.organisation for adviser in await advisers.list_advisers(visit.reader)}
    if wanted.organisation:
        organisations.add(wanted.organisation)
    return visit.show(
        WaitingListPage(
            title=visit.say("Threads that wait"),
            threads=list(map(_listed, page.rows)),
            lanes=[
                (_address(wanted, lane=lane), visit.say(words), lane == wanted.lane) for lane, words in LANES.items()
            ],
            wanted=wanted,
            organisations=sorted(organisations, key=str.casefold),
            target=visit.settings.answer_days,
            hours=visit.settings.claim_hours,
            has_templates=answer_templates.why_no_templates(visit.viewer) is None,
            more=_address(wanted, after=page.next) if page.next else None,
        )
    )


def _listed(wait: Any) -> ListedWait:
    row = wait.row
    claim = HeldClaim(row.holder_name, row.kept_until) if row.kept_until else None
    return ListedWait(wait, place_of(row.id, wait.number), claim)


def _address(wanted: WaitingFilter, **changes: str | None) -> str:
    """Return the address of the list with this filter, but for some changes."""
    asked = {
        "lane": wanted.lane,
        "board": wanted.board,
        "organisation": wanted.organisation,
        "late": "yes" if wanted.late else None,
    }
    return "/advising?" + urlencode({name: value for name, value in (asked | changes).items() if value})
