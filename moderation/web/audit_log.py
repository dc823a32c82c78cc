"""The page of the log: what staff did on the boards that the viewer moderates."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlencode

from fastapi import Response

from forum.core.pagination import Page as Rows
from forum.web.routing import page_router
from forum.web.visits import MemberForm, MemberVisit, Visit
from moderation import audit_log
from moderation.audit_log import LogSearch
from moderation.web.pages import ModerationPage

router = page_router()

ENTRIES_A_PAGE = 50
LONGEST = 100  # characters of what somebody looks for


@dataclass(frozen=True, kw_only=True)
class LogPage(ModerationPage):
    """What staff did, newest first."""

    template: ClassVar[str] = "moderation/log.html"
    is_wide: ClassVar[bool] = True
    places: ClassVar[dict[str, str]] = {
        "case": "/moderation/cases/",
        "post": "/posts/",
        "thread": "/threads/",
        "rule": "/moderation/rules/",
    }

    rows: Rows
    case_ids: frozenset[str]  # that the viewer can open
    search: LogSearch
    say: Callable[[str], str]

    @property
    def act_choices(self) -> list[tuple[str, str]]:
        """What somebody can look for, in words of the page's language."""
        return [(act, self.say(what)) for act, what in self.acts.items()]

    @property
    def following(self) -> str | None:
        """The address of the next page, if there is one and it names nobody."""
        looked_for = {"act": self.search.act, "after": self.rows.next}
        return "/moderation/log?" + urlencode({k: v for k, v in looked_for.items() if v}) if self.rows.next else None

    def place_of(self, entry: Any) -> str | None:
        """Return the address of what an entry is about, if it has a page that the viewer can open."""
        base = self.places.get(entry.subject_kind)
        if entry.subject_kind == "case" and entry.subject_id not in self.case_ids:
            return None
        return base + entry.subject_id if base else None


@router.get("/moderation/log")
async def show_log(visit: MemberVisit) -> Response:
    """Show what staff did, newest first."""
    return visit.show(await _page(visit, LogSearch(_sought(visit.query("act")), None), visit.query("after")))


@router.post("/moderation/log")
async def search_log(visit: MemberForm) -> Response:
    """Show what one of the staff did. The name is sent in a form: addresses stand in the logs of servers on the way."""
    typed = visit.form.values
    search = LogSearch(_sought(typed.get("act", "")), _sought(typed.get("actor", "")))
    return visit.show(await _page(visit, search, typed.get("after", "")))


async def _page(visit: Visit, search: LogSearch, after: str) -> LogPage:
    read = await audit_log.read_log(visit.transactions, visit.viewer, search, after or None, ENTRIES_A_PAGE)
    return LogPage(
        title=visit.say("What was done"), rows=read.page, case_ids=read.case_ids, search=search, say=visit.say
    )


def _sought(text: str) -> str | None:
    """Return what somebody looks for, if anything."""
    return text.strip()[:LONGEST] or None
