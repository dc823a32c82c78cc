"""The page to complain about the service, and the pages on which complaints are heard."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID

from fastapi import Response
from pydantic import EmailStr, Field

from forum.core.errors import ForumError
from forum.http.current_member import address_of
from forum.http.fields import Text as FieldText
from forum.http.fields import Words
from forum.web.administration.labels import options
from forum.web.forms import FormModel
from forum.web.languages import mark
from forum.web.pages import FormPage
from forum.web.routing import page_router
from forum.web.visits import AnybodyForm, AnybodyVisit, MemberForm, MemberVisit, Visit
from moderation.service_complaints import actions, queries
from moderation.service_complaints.actions import TEXT_MAX, ServiceComplaintDraft
from moderation.service_complaints.queries import HeardComplaint, OwnComplaint
from moderation.service_complaints.tables import ComplaintAbout
from moderation.web.pages import ModerationPage
from moderation.web.public_reports import AnswerForm, SentPage, key_of, new_key
from moderation.web.words import ADVICE, COMPLAINTS_ABOUT

router = page_router()


class ServiceComplaintForm(FormModel):
    """What somebody complains of."""

    about: ComplaintAbout
    text: Annotated[Words, Field(min_length=1, max_length=TEXT_MAX)]
    email: Annotated[EmailStr, Field(max_length=254)] | None = None
    report_code: Annotated[FieldText, Field(max_length=100)] | None = None
    report_id: UUID | None = None
    key: Annotated[FieldText, Field(max_length=100)] = ""


@dataclass(frozen=True, kw_only=True)
class ServiceComplaintPage(FormPage):
    """How to complain, by when one is answered, and one's own complaints."""

    template: ClassVar[str] = "reports/complaint.html"
    has_tools: ClassVar[bool] = True
    is_own: ClassVar[bool] = True
    abouts: ClassVar[Mapping[str, str]] = COMPLAINTS_ABOUT

    about_choices: Sequence[tuple[str, str]]
    last_year: int
    own: Sequence[OwnComplaint]
    is_member: bool
    report: str  # one's own, from which one came
    key: str  # of this page: a form that is sent twice is one complaint


@dataclass(frozen=True, kw_only=True)
class ServiceComplaintsPage(ModerationPage):
    """The complaints that wait."""

    template: ClassVar[str] = "moderation/service_complaints.html"
    abouts: ClassVar[Mapping[str, str]] = COMPLAINTS_ABOUT

    complaints: Sequence[HeardComplaint]
    now: datetime


@dataclass(frozen=True, kw_only=True)
class AnsweringPage(ModerationPage):
    """One complaint, to be answered."""

    template: ClassVar[str] = "moderation/service_complaint.html"
    abouts: ClassVar[Mapping[str, str]] = COMPLAINTS_ABOUT

    heard: HeardComplaint


@router.get("/complaints")
async def show_complaint_form(visit: AnybodyVisit) -> Response:
    """Show how to complain."""
    return visit.show(await _complaint_page(visit))


@router.post("/complaints")
async def complain_of_service(visit: AnybodyForm) -> Response:
    """Keep a complaint, and show the code with which the answer can be read."""
    try:
        wanted = visit.form.parse(ServiceComplaintForm)
        draft = ServiceComplaintDraft(
            **wanted.model_dump(exclude={"key"}), address=address_of(visit.request), key=key_of(visit.form, wanted.key)
        )
        receipt = await visit.act(actions.complain, draft)
    except ForumError as error:
        return visit.show(await _complaint_page(visit.refusing(error)), 422)
    return visit.show(
        SentPage(
            title=visit.say(mark("Your complaint has arrived")),
            token=receipt.token,
            due_at=receipt.due_at,
            help=receipt.help,
            advice=visit.say(ADVICE[wanted.about]),
            appeal=wanted.about == ComplaintAbout.OWN_CONTENT,
            outside_contact=receipt.outside_contact,
        )
    )


@router.get("/moderation/complaints")
async def show_complaints(visit: MemberVisit) -> Response:
    """Show the complaints that wait."""
    found = await visit.act(queries.list_complaints)
    title = visit.say(mark("Complaints about the service"))
    return visit.show(ServiceComplaintsPage(title=title, complaints=found, now=visit.now))


@router.get("/moderation/complaints/{id}")
async def show_complaint(id: UUID, visit: MemberVisit) -> Response:
    """Show one complaint, to be answered."""
    return visit.show(await _answering_page(visit, id))


@router.post("/moderation/complaints/{id}/answer")
async def answer_complaint(id: UUID, visit: MemberForm) -> Response:
    """Answer a complaint."""
    try:
        wanted = visit.form.parse(AnswerForm)
        await visit.act(actions.answer_complaint, id, wanted.outcome, wanted.answer)
    except ForumError as error:
        return visit.show(await _answering_page(visit.refusing(error), id), 422)
    return visit.go("/moderation/complaints", done="complaint-answered")


async def _complaint_page(visit: Visit) -> ServiceComplaintPage:
    report = _id_in(visit.query("report") or visit.form.values.get("report", ""))
    return ServiceComplaintPage(
        title=visit.say(mark("Complain")),
        about_choices=options(visit, COMPLAINTS_ABOUT),
        last_year=visit.now.year - 1,
        own=await visit.act(queries.read_own),
        is_member=visit.viewer.id is not None,
        report=report,
        key=new_key(),
        form=visit.form.with_values(report_id=report) if report and not visit.form.error else visit.form,
    )


async def _answering_page(visit: Visit, complaint_id: UUID) -> AnsweringPage:
    heard = await visit.act(queries.get_complaint, complaint_id)
    return AnsweringPage(title=visit.say(mark("A complaint about the service")), heard=heard, form=visit.form)


def _id_in(typed: str) -> str:
    """Return an id that a link brought; nothing for anything else."""
    try:
        return str(UUID(typed))
    except ValueError:
        return ""
