"""Pages for people without an account: to report, to follow what was sent; and for moderators, to find the post."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Annotated, ClassVar
from uuid import UUID

from fastapi import Response
from pydantic import EmailStr, Field

from forum.content.crisis_help import Help
from forum.core.errors import ForumError, NotFound
from forum.http.current_member import address_of
from forum.http.fields import Line, Words
from forum.http.fields import Text as FieldText
from forum.web.administration.labels import options
from forum.web.forms import EMPTY, Form, FormModel
from forum.web.languages import mark
from forum.web.pages import FormPage, Page
from forum.web.routing import page_router
from forum.web.texts import Text
from forum.web.visits import AnybodyForm, AnybodyVisit, MemberForm, MemberVisit, Visit
from moderation.public_reports import actions, queries
from moderation.public_reports.actions import ANSWER_MAX, TEXT_MAX, PublicReportDraft
from moderation.public_reports.post_links import LINK_MAX
from moderation.public_reports.queries import Progress, UnplacedReport
from moderation.public_reports.tables import PublicCategory
from moderation.reports import Capacity, IllegalKind, ReportOutcome
from moderation.service_complaints import queries as service_complaints
from moderation.web.pages import ModerationPage
from moderation.web.words import CAME_OF_IT, CAPACITIES, ILLEGAL_KINDS, PUBLIC_CATEGORIES

router = page_router()

KEY_LENGTH = 22  # 128 bits in base64url


class PublicReportForm(FormModel):
    """What is wrong with a post, said without an account."""

    post: Annotated[Line, Field(min_length=1, max_length=LINK_MAX)]
    category: PublicCategory
    illegal_kind: IllegalKind | None = None
    capacity: Capacity
    text: Annotated[Words, Field(min_length=1, max_length=TEXT_MAX)]
    email: Annotated[EmailStr, Field(max_length=254)] | None = None
    key: Annotated[FieldText, Field(max_length=100)] = ""


class ProgressForm(FormModel):
    """The code of what was sent."""

    token: Annotated[FieldText, Field(min_length=1, max_length=100)]


class AnswerForm(FormModel):
    """What whoever reported or complained reads."""

    outcome: ReportOutcome
    answer: Annotated[Words, Field(min_length=1, max_length=ANSWER_MAX)]


class MeantPostForm(FormModel):
    """Which post is meant."""

    post_id: Annotated[int, Field(ge=1, lt=2**63)]


@dataclass(frozen=True, kw_only=True)
class PublicReportPage(FormPage):
    """The form to report a post without an account."""

    template: ClassVar[str] = "reports/public.html"
    has_tools: ClassVar[bool] = True

    capacities: Sequence[tuple[str, str]]
    categories: Sequence[tuple[str, str]]
    illegal_kinds: Sequence[tuple[str, str]]
    lines: Text
    post: str  # the number of the post below which the link stood
    key: str  # of this page: a form that is sent twice is one report


@dataclass(frozen=True, kw_only=True)
class SentPage(Page):
    """That something has arrived, with the code to follow it: shown once."""

    template: ClassVar[str] = "reports/sent.html"
    is_own: ClassVar[bool] = True
    has_tools: ClassVar[bool] = True

    token: str
    due_at: datetime
    help: Help | None
    advice: str | None = None
    appeal: bool = False  # about a decision: one can also ask for a second look
    outside_contact: str | None = None  # where nobody here may answer

    @property
    def has_secret(self) -> bool:  # noqa: D102
        return True


@dataclass(frozen=True, kw_only=True)
class ProgressPage(FormPage):
    """What came of something, for whoever has its code."""

    template: ClassVar[str] = "reports/progress.html"
    is_own: ClassVar[bool] = True
    has_tools: ClassVar[bool] = True
    came_of_it: ClassVar[Mapping[str, str]] = CAME_OF_IT

    found: Progress | None


@dataclass(frozen=True, kw_only=True)
class WaitingReportsPage(ModerationPage):
    """The reports of which nobody knows the post."""

    template: ClassVar[str] = "moderation/public_reports.html"
    public_categories: ClassVar[Mapping[str, str]] = PUBLIC_CATEGORIES

    reports: Sequence[UnplacedReport]
    now: datetime


@dataclass(frozen=True, kw_only=True)
class WaitingReportPage(ModerationPage):
    """One of them: say which post is meant, or answer."""

    template: ClassVar[str] = "moderation/public_report.html"
    public_categories: ClassVar[Mapping[str, str]] = PUBLIC_CATEGORIES

    waiting: UnplacedReport


@router.get("/reports")
async def show_public_report(visit: AnybodyVisit) -> Response:
    """Show the form to report a post without an account."""
    return visit.show(_report_page(visit))


@router.post("/reports")
async def file_public_report(visit: AnybodyForm) -> Response:
    """Keep a report, and show the code to follow it."""
    try:
        wanted = visit.form.parse(PublicReportForm)
        draft = PublicReportDraft(
            **wanted.model_dump(exclude={"key"}), address=address_of(visit.request), key=key_of(visit.form, wanted.key)
        )
        receipt = await visit.act(actions.file_report, draft)
    except ForumError as error:
        return visit.show(_report_page(visit.refusing(error)), 422)
    title = visit.say(mark("Your report has arrived"))
    return visit.show(
        SentPage(
            title=title,
            token=receipt.token,
            due_at=receipt.due_at,
            help=receipt.help,
            outside_contact=receipt.outside_contact,
        )
    )


@router.get("/progress")
async def show_progress_form(visit: AnybodyVisit) -> Response:
    """Ask for the code of a report or a complaint."""
    return visit.show(_progress_page(visit, None))


@router.post("/progress")
async def show_progress(visit: AnybodyForm) -> Response:
    """Show what came of a report or a complaint. The code is in no address."""
    try:
        wanted = visit.form.parse(ProgressForm)
        found = await visit.act(service_complaints.follow, wanted.token.strip(), address_of(visit.request))
    except ForumError as error:
        return visit.show(_progress_page(visit.refusing(error, NotFound), None), 422)
    return visit.show(_progress_page(replace(visit, form=EMPTY), found))  # the code is not on the page again


@router.get("/moderation/reports")
async def show_waiting_reports(visit: MemberVisit) -> Response:
    """Show the reports of which nobody knows the post."""
    found = await visit.act(queries.list_waiting)
    title = visit.say(mark("Reports without a post"))
    return visit.show(WaitingReportsPage(title=title, reports=found, now=visit.now))


@router.get("/moderation/reports/{id}")
async def show_waiting_report(id: UUID, visit: MemberVisit) -> Response:
    """Show one of them."""
    return visit.show(await _waiting_page(visit, id))


@router.post("/moderation/reports/{id}/answer")
async def answer_public_report(id: UUID, visit: MemberForm) -> Response:
    """Answer a report of which nobody knows the post."""
    try:
        wanted = visit.form.parse(AnswerForm)
        await visit.act(actions.answer_report, id, wanted.outcome, wanted.answer)
    except ForumError as error:
        return visit.show(await _waiting_page(visit.refusing(error), id), 422)
    return visit.go("/moderation/reports", done="report-answered")


@router.post("/moderation/reports/{id}/post")
async def assign_post_of_report(id: UUID, visit: MemberForm) -> Response:
    """Say which post a report means."""
    try:
        wanted = visit.form.parse(MeantPostForm)
        await visit.act(actions.assign_post, id, wanted.post_id)
    except ForumError as error:
        return visit.show(await _waiting_page(visit.refusing(error), id), 422)
    return visit.go("/moderation/reports", done="report-assigned")


def key_of(form: Form, key: str) -> str | None:
    """Return the key of what was sent. Other words on a page that Back brought are something else."""
    said = repr(sorted(form.values.items()))
    return sha256(said.encode()).hexdigest() if len(key) >= KEY_LENGTH else None


def new_key() -> str:
    """Return the key of a page."""
    return secrets.token_urlsafe(24)


def _report_page(visit: Visit) -> PublicReportPage:
    asked = visit.query("post")
    return PublicReportPage(
        title=visit.say(mark("Report a post")),
        capacities=options(visit, CAPACITIES),
        categories=options(visit, PUBLIC_CATEGORIES),
        illegal_kinds=[("", ""), *options(visit, ILLEGAL_KINDS)],
        lines=visit.text("lines"),
        post=asked if asked.isdecimal() and len(asked) <= 18 else "",
        key=new_key(),
        form=visit.form,
    )


def _progress_page(visit: Visit, found: Progress | None) -> ProgressPage:
    return ProgressPage(title=visit.say(mark("What came of it")), found=found, form=visit.form)


async def _waiting_page(visit: Visit, report_id: UUID) -> WaitingReportPage:
    waiting = await visit.act(queries.get_waiting, report_id)
    return WaitingReportPage(title=visit.say(mark("A report without a post")), waiting=waiting, form=visit.form)
