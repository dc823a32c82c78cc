"""Several cases on one page, read one after the other, and left as they are with one reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID

from fastapi import Response
from pydantic import Field

from forum.core.errors import ForumError
from forum.http.fields import Text, Words
from forum.web.forms import FormModel
from forum.web.routing import page_router
from forum.web.visits import MemberForm, MemberVisit, Visit
from forum.web.words import words_of
from moderation import case_actions, case_screen
from moderation.case_actions import CaseInput
from moderation.case_screen import CaseInShort
from moderation.decisions import DecisionInput
from moderation.measures.tables import MeasureInput, MeasureKind
from moderation.web.pages import ModerationPage, status_of

router = page_router()

MOST = 20  # as many as a page of the queue has
# A case with its version, the revision of its post and of its title, as they were on the screen.
_ID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
CaseOnScreen = Annotated[str, Field(pattern=rf"^{_ID}/[0-9]{{1,9}}/[0-9]{{0,9}}/[0-9]{{0,9}}$")]


class TogetherForm(FormModel):
    """The cases that shall be left as they are, and why."""

    cases: Annotated[tuple[CaseOnScreen, ...], Field(min_length=1, max_length=MOST)]
    reason: Annotated[Words, Field(min_length=1, max_length=5000)]
    note: Annotated[Text, Field(max_length=5000)] | None = None

    @property
    def inputs(self) -> list[CaseInput]:
        """Each case with its decision."""
        return [self._input(case) for case in self.cases]

    def _input(self, case: str) -> CaseInput:
        case_id, version, revision, title_revision = case.split("/")
        dismissal = DecisionInput(
            version=int(version),
            revision=int(revision) if revision else None,
            title_revision=int(title_revision) if title_revision else None,
            measures=(MeasureInput(MeasureKind.DISMISS),),
            reason=self.reason,
            note=self.note,
        )
        return CaseInput(UUID(case_id), dismissal)


@dataclass(frozen=True, kw_only=True)
class TogetherPage(ModerationPage):
    """Several cases with all that was written, one after the other."""

    template: ClassVar[str] = "moderation/together.html"

    cases: Sequence[CaseInShort]
    now: datetime
    refused: Sequence[str] = ()  # why some of them were not decided, in words


@router.get("/moderation/together")
async def show_together(visit: MemberVisit) -> Response:
    """Show several cases on one page."""
    return visit.show(await _page(visit, visit.request.query_params.getlist("case")))


@router.post("/moderation/together")
async def dismiss_together(visit: MemberForm) -> Response:
    """Leave several cases as they are. Each is decided or refused by itself."""
    shown = [case.partition("/")[0] for case in visit.form.lists.get("shown", ())]
    status, refused = 409, list[str]()
    try:
        inputs = visit.form.parse(TogetherForm).inputs
        results = await case_actions.decide_each(visit.transactions, visit.viewer, inputs)
        refused = [words_of(error, visit.language, visit.now) for error in results if isinstance(error, ForumError)]
        if not refused:
            return visit.go("/moderation", done="cases-dismissed")
    except ForumError as error:
        visit, status = visit.refusing(error), status_of(error)
    return visit.show(await _page(visit, shown, refused), status)


async def _page(visit: Visit, case_ids: Sequence[str], refused: Sequence[str] = ()) -> TogetherPage:
    cases = await visit.act(case_screen.read_together, _ids(case_ids))
    title = visit.say("Several cases, one after the other")
    return TogetherPage(title=title, cases=cases, now=visit.now, form=visit.form, refused=refused)


def _ids(texts: Sequence[str]) -> set[UUID]:
    """Return the ids among these texts; what is none is left out."""
    found = set[UUID]()
    for text in texts[:MOST]:
        try:
            found.add(UUID(text))
        except ValueError:
            continue
    return found
