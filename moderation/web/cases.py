"""Pages of cases: the queue, one case on one page, and working on it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, NamedTuple, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Response
from pydantic import Field

from forum.core.errors import Busy, Forbidden, ForumError
from forum.http.fields import Uuid, Words
from forum.web.forms import FormModel
from forum.web.languages import mark
from forum.web.routing import page_router
from forum.web.visits import MemberForm, MemberVisit, Visit
from moderation import case_actions, case_queue, case_screen, safeguarding
from moderation.case_priority import HEAVY, Category
from moderation.case_queue import ClaimedBy, QueueReading, QueueSearch
from moderation.case_screen import CaseScreen
from moderation.cases import CaseKind, CaseState
from moderation.findings import Passage, passages
from moderation.web import words
from moderation.web.pages import ModerationPage, repeat_of, status_of

router = page_router()

CASES_A_PAGE = 20
# Fields of the one form of a case's page: of a note, of a message; and all in which something may be written.
NOTE, MESSAGE = frozenset({"text"}), frozenset({"message", "signed", "report_id"})
WRITTEN = ("measures", "rules", "reason", "note", "law", "spans", "name", "text", "message")
DAYS = (1, 3, 7, 14, 30, 90, 365)  # for which somebody can be stopped from writing, or shut out
# What is done most stands first; the rest is folded, by what it is done to, with the fields that it needs.
OF_WORDS = frozenset({"publish", "refuse", "redact", "edit", "remove", "dismiss"})
FOLDED = (
    (
        mark("About the thread: close it, move it, another title"),
        frozenset({"retitle", "lock", "move"}),
        frozenset({"title", "board"}),
    ),
    (
        mark("About the author: warn them, or stop them from writing"),
        frozenset({"rename", "warn", "review", "silence", "suspend", "ban"}),
        frozenset({"name", "handle", "until"}),
    ),
)
Choice = TypeVar("Choice", bound=StrEnum)


class MeasureGroup(NamedTuple):
    """What can be done to one thing, and whether it is shown at once."""

    legend: str
    kinds: Sequence[str]
    is_open: bool


@dataclass(frozen=True, kw_only=True)
class QueuePage(ModerationPage):
    """The cases that somebody may have to decide: enough of each to choose one, never to decide."""

    template: ClassVar[str] = "moderation/queue.html"
    is_wide: ClassVar[bool] = True

    reading: QueueReading
    search: QueueSearch
    now: datetime
    viewer_id: UUID

    @property
    def board_choices(self) -> Sequence[tuple[str, str]]:
        """The boards to choose from."""
        return [(board.slug, board.name) for board in self.reading.boards]

    @property
    def is_filtered(self) -> bool:
        """Whether only some cases are shown, or in another order."""
        wanted = self.search
        chosen = (wanted.category, wanted.board, wanted.claimed, wanted.kind, wanted.waiting)
        return any(chosen) or wanted.state != CaseState.OPEN

    def address(self, **changes: str | None) -> str:
        """Return the address of the queue with another filter."""
        chosen = {
            "state": self.search.state if self.search.state != CaseState.OPEN else None,
            "category": self.search.category,
            "board": self.search.board,
            "claimed": self.search.claimed,
            "kind": self.search.kind,
            "waiting": "yes" if self.search.waiting else None,
        } | changes
        query = urlencode({name: value for name, value in chosen.items() if value})
        return "/moderation" + (f"?{query}" if query else "")


@dataclass(frozen=True, kw_only=True)
class CasePage(ModerationPage):
    """A case on one page."""

    template: ClassVar[str] = "moderation/case.html"

    screen: CaseScreen
    now: datetime
    days: ClassVar[Sequence[int]] = DAYS

    @property
    def case(self) -> Any:
        """The case as the queue shows it."""
        return self.screen.file.case

    @property
    def is_heavy(self) -> bool:
        """Whether its words are folded until somebody wants them."""
        return self.case.category in self.heavy

    @property
    def address(self) -> str:
        """The address of the page."""
        return f"/moderation/cases/{self.case.id}"

    @property
    def outcomes_of_appeal(self) -> Sequence[str]:
        """What can come of an appeal; nothing for other cases."""
        return ("uphold", "overturn", "change") if self.screen.file.appeal else ()

    @property
    def measures_of_words(self) -> Sequence[str]:
        """What can be done to the words, or left undone."""
        return [kind for kind in self.screen.useful if kind in OF_WORDS]

    @property
    def other_measures(self) -> Sequence[MeasureGroup]:
        """What can be done besides: shown at once where something of it was chosen, or where there are no words."""
        is_about_member, groups = self.case.post_id is None, list[MeasureGroup]()
        for legend, among, names in FOLDED:
            kinds = [kind for kind in self.screen.useful if kind in among]
            was_chosen = any(self.chose("measures", kind) for kind in kinds) or names & self.form.faults.keys()
            groups += [MeasureGroup(legend, kinds, is_about_member or bool(was_chosen))] if kinds else []
        return groups

    @property
    def named_rules(self) -> Collection[int]:
        """The numbers of the rules that stand at hand: those that somebody who reported it named."""
        return {number for report in self.screen.file.reports for number in report.rules}

    @property
    def board_choices(self) -> Sequence[tuple[str, str]]:
        """The boards to which the thread can be moved."""
        return [(board.slug, board.name) for board in self.screen.boards]

    @property
    def template_choices(self) -> Sequence[tuple[str, str]]:
        """The templates for reasons."""
        return [(template.slug, template.title) for template in self.screen.templates]

    @property
    def first_words_choices(self) -> Sequence[tuple[str, str]]:
        """The messages of the charity to begin from."""
        return [(one.slug, words.FIRST_WORDS[one.slug]) for one in self.screen.file.first_words]

    @property
    def messages(self) -> int:
        """How many messages were written about this case."""
        return sum(len(reading.messages) for reading in self.screen.talks or ())

    @property
    def has_talk(self) -> bool:
        """Whether messages are shown at once: there are some, or somebody is writing one."""
        is_writing = any(self.form.values.get(name) or name in self.form.faults for name in ("message", "report_id"))
        return bool(self.screen.talks) or is_writing

    def passages(self, text: str, part: str) -> Sequence[Passage]:
        """Return a text of the case's first post in pieces, those that screening found with what they are."""
        here = [found for found in self.screen.file.findings if found.post_id in (None, self.screen.file.case.post_id)]
        return passages(text, [found for found in here if found.part == part])


class NoteForm(FormModel):
    """What the other moderators should know."""

    text: Annotated[Words, Field(min_length=1, max_length=5000)]


class TakeOverForm(FormModel):
    """Why somebody takes over a case that another is working on."""

    takeover: Annotated[Words, Field(min_length=1, max_length=500)] | None = None


@router.get("/moderation")
async def show_queue(visit: MemberVisit) -> Response:
    """Show the cases that wait for the viewer, worst first."""
    return visit.show(await queue_page(visit))


async def queue_page(visit: Visit) -> QueuePage:
    """Return the page of the queue, with what was typed if it was refused."""
    search = QueueSearch(
        _choice(visit, "state", CaseState) or CaseState.OPEN,
        _choice(visit, "category", Category),
        visit.query("board") or None,
        _choice(visit, "claimed", ClaimedBy),
        _choice(visit, "kind", CaseKind),
        waiting=visit.query("waiting") == "yes",
    )
    reading = await visit.act(case_queue.read_queue, search, visit.query("after") or None, CASES_A_PAGE)
    return QueuePage(
        title=visit.say("What waits for a decision"),
        reading=reading,
        search=search,
        now=visit.now,
        viewer_id=visit.viewer.member_id,
        form=visit.form,
    )


@router.get("/moderation/cases/{id}")
async def show_case(id: Uuid, visit: MemberVisit) -> Response:
    """Show everything that is needed to decide a case; lead the safeguarding lead to what is known of a danger."""
    try:
        return visit.show(await case_page(visit, id))
    except Forbidden:
        if not safeguarding.sees_dangers(visit.viewer):
            raise
        await visit.act(safeguarding.require_danger, id)
        return visit.go(f"/safeguarding/cases/{id}")


@router.post("/moderation/cases/{id}/claim")
async def claim_case(id: Uuid, visit: MemberForm) -> Response:
    """Take a case, also from somebody else if one says why."""
    try:
        wanted = visit.form.parse(TakeOverForm)
        await visit.act(case_actions.claim, id, takeover_reason=wanted.takeover)
    except ForumError as error:
        visit = visit.refusing(error)
    return await go_on(visit, id, done="case-claimed", but={"takeover"})


@router.post("/moderation/cases/{id}/release")
async def release_case(id: Uuid, visit: MemberForm) -> Response:
    """Hand a case on: others are told that it waits."""
    await visit.act(case_actions.release, id)
    return visit.go("/moderation", done="case-released")


@router.post("/moderation/cases/{id}/recuse")
async def recuse_from_case(id: Uuid, visit: MemberForm) -> Response:
    """Step back from a case for good."""
    await visit.act(case_actions.recuse, id)
    return visit.go("/moderation", done="case-recused")


@router.post("/moderation/cases/{id}/notes")
async def note_case(id: Uuid, visit: MemberForm) -> Response:
    """Write a note for the other moderators."""
    done = "note-kept"
    try:
        wanted = visit.form.parse(NoteForm)
        await visit.act(case_actions.add_note, id, wanted.text, repeat=repeat_of(visit))
    except Busy:
        done = "sending"
    except ForumError as error:
        visit = visit.refusing(error)
    return await go_on(visit, id, done=done, but=NOTE, place="#notes")


async def case_page(visit: Visit, case_id: Any) -> CasePage:
    """Return the page of a case, with what was typed if it was refused."""
    screen = await case_screen.read_case(visit.transactions, visit.viewer, case_id)
    return CasePage(title=title_of(visit, screen.file.case), screen=screen, now=visit.now, form=visit.form)


async def go_on(visit: Visit, case_id: Any, *, done: str, but: Collection[str], place: str = "") -> Response:
    """Go back to a case after something was done there or refused, with what else was written on its page.

    What was in the fields `but` is done. Where nothing else was written, the page is asked for at its own address.
    """
    if visit.form.error is None:
        visit = replace(visit, form=visit.form.without(but))
        if not any(visit.form.values.get(name, "").strip() for name in WRITTEN):
            return visit.go(f"/moderation/cases/{case_id}{place}", done=done)
    page, error = await case_page(visit, case_id), visit.form.error
    return visit.show(page, status_of(error)) if error else visit.show(replace(page, done=done))


def title_of(visit: Visit, case: Any) -> str:
    """Return what a case is called: by its place, or by its member."""
    if case.post_id is None:
        return visit.say("Case about %(name)s", name=case.author_name)
    if case.kind == CaseKind.POSTS:
        return visit.say("Case about several posts of %(name)s", name=case.author_name)
    if case.category in HEAVY:  # the title of a page stands in the history of the browser, too
        category = visit.say(words.CATEGORIES[case.category])
        return visit.say(mark("Post %(number)s: %(category)s"), number=case.post_number, category=category)
    return visit.say("Post %(number)s in “%(title)s”", number=case.post_number, title=case.thread_title)


def _choice(visit: Visit, name: str, choices: type[Choice]) -> Choice | None:
    value = visit.query(name)
    return choices(value) if value in set(choices) else None
