"""Pages for the safeguarding lead: who may be in danger, what was found, who was told, and what was done."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from fastapi import Response

from forum.core.errors import Busy, ForumError
from forum.core.pagination import Page as Rows
from forum.http.fields import Uuid
from forum.web.routing import page_router
from forum.web.visits import MemberForm, MemberVisit, Visit
from moderation import safeguarding
from moderation.cases import CaseState
from moderation.findings import Passage, passages
from moderation.safeguarding import DangerFile
from moderation.web.cases import NoteForm, title_of
from moderation.web.pages import ModerationPage, repeat_of, status_of

router = page_router()

SECTION = "/safeguarding"
CASES_A_PAGE = 20


@dataclass(frozen=True, kw_only=True)
class DangersPage(ModerationPage):
    """The cases of somebody in danger: those that are due first come first."""

    template: ClassVar[str] = "moderation/dangers.html"
    section: ClassVar[str] = SECTION

    rows: Rows
    state: CaseState
    now: datetime


@dataclass(frozen=True, kw_only=True)
class DangerPage(ModerationPage):
    """What is known of somebody in danger."""

    template: ClassVar[str] = "moderation/danger.html"
    section: ClassVar[str] = SECTION

    file: DangerFile
    now: datetime

    def passages(self, text: str, part: str) -> Sequence[Passage]:
        """Return a text of the first post in pieces, those that screening found with what they are."""
        here = [found for found in self.file.findings if found.post_id in (None, self.file.case.post_id)]
        return passages(text, [found for found in here if found.part == part])


@router.get("/safeguarding")
async def show_dangers(visit: MemberVisit) -> Response:
    """Show the cases of somebody in danger."""
    state = CaseState.DECIDED if visit.query("state") == CaseState.DECIDED else CaseState.OPEN
    rows = await visit.act(safeguarding.list_dangers, state, visit.query("after") or None, CASES_A_PAGE)
    title = visit.say("Who may be in danger")
    return visit.show(DangersPage(title=title, rows=rows, state=state, now=visit.now))


@router.get("/safeguarding/cases/{id}")
async def show_danger(id: Uuid, visit: MemberVisit) -> Response:
    """Show what is known of somebody in danger."""
    return visit.show(await _page(visit, id))


@router.post("/safeguarding/cases/{id}/notes")
async def note_danger(id: Uuid, visit: MemberForm) -> Response:
    """Note what was done."""
    try:
        await visit.act(safeguarding.add_note, id, visit.form.parse(NoteForm).text, repeat=repeat_of(visit))
    except Busy:
        return visit.go(f"/safeguarding/cases/{id}#notes", done="sending")
    except ForumError as error:
        return visit.show(await _page(visit.refusing(error), id), status_of(error))
    return visit.go(f"/safeguarding/cases/{id}#notes", done="note-kept")


async def _page(visit: Visit, case_id: Any) -> DangerPage:
    file = await visit.act(safeguarding.get_danger, case_id)
    return DangerPage(title=title_of(visit, file.case), file=file, now=visit.now, form=visit.form)
