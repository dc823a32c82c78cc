"""Pages to report a post or a name: what it is, then what we should know; where somebody is in danger, help first."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from fastapi import Response
from pydantic import Field

from forum.core.errors import ForumError
from forum.http.fields import Handle, Id, Text
from forum.web.forms import FormModel
from forum.web.languages import mark
from forum.web.pages import FormPage
from forum.web.routing import page_router
from forum.web.texts import Text as LongText
from forum.web.visits import MemberForm, MemberVisit, Visit, own_path
from moderation import own_reports
from moderation.case_priority import Category
from moderation.name_reports import NameComplaint
from moderation.own_reports import Reportable
from moderation.reports import NOTE_MAX, Complaint
from moderation.web.pages import repeat_of, status_of

router = page_router()

Reason = Literal["rule", "personal_information", "risk", "illegal", "intimate_image", "spam", "other"]
# As somebody says it who reports; the same order on every page, danger first.
REASONS: Mapping[str, str] = {
    "risk": mark("Somebody may be in danger"),
    "rule": mark("It breaks a rule of this forum"),
    "personal_information": mark("It gives away who somebody is, or where they live"),
    "illegal": mark("It may be against the law"),
    "intimate_image": mark("It has an intimate picture of somebody, or leads to one"),
    "spam": mark("It is advertising"),
    "other": mark("Something else"),
}


class ReportForm(FormModel):
    """What is wrong."""

    category: Reason
    rules: list[Annotated[int, Field(ge=1, lt=1000)]] = Field(default_factory=list, max_length=20)
    note: Text = Field("", max_length=NOTE_MAX)


class PostReportForm(ReportForm):
    """What is wrong with a post, as it was on the screen."""

    revision: Annotated[int, Field(ge=1, lt=2**31)]
    title_revision: Annotated[int, Field(ge=1, lt=2**31)] | None = None


@dataclass(frozen=True, kw_only=True)
class ReportPage(FormPage):
    """The form to report something: first what it is; with that chosen, what we should know."""

    template: ClassVar[str] = "reports/report.html"
    section: ClassVar[str] = "/"

    read: Reportable
    reason: str  # empty: not chosen yet
    path: str
    back: str
    lines: LongText

    @property
    def ignoring(self) -> str | None:
        """The handle of whoever could be ignored instead: not of an adviser, nor of a former member."""
        if self.read.post:
            return None if self.read.post.adviser_name else self.read.post.author_handle
        return self.read.member.handle if self.read.member else None

    @property
    def reasons(self) -> Mapping[str, str]:
        """What can be chosen; who may not write can say only that somebody is in danger."""
        return {"risk": REASONS["risk"]} if self.read.only_risk else REASONS

    def chose(self, name: str, value: object) -> bool:
        """Return whether a choice was ticked before the form was shown again."""
        return str(value) in self.form.lists.get(name, ())


@router.get("/posts/{id}/report")
async def show_post_report(id: Id, visit: MemberVisit) -> Response:
    """Show the form to report a post."""
    return visit.show(await _post_page(visit, id))


@router.post("/posts/{id}/report")
async def report_post(id: Id, visit: MemberForm) -> Response:
    """Report a post, and go back to it."""
    try:
        wanted = visit.form.parse(PostReportForm)
        complaint = Complaint(
            Category(wanted.category), wanted.revision, tuple(wanted.rules), wanted.note, wanted.title_revision
        )
        await visit.act(own_reports.report_post, id, complaint, repeat=repeat_of(visit))
    except ForumError as error:
        return visit.show(await _post_page(visit.refusing(error), id), status_of(error))
    return _thank(visit, wanted.category)


@router.get("/members/{handle}/report")
async def show_name_report(handle: Handle, visit: MemberVisit) -> Response:
    """Show the form to report a name."""
    return visit.show(await _name_page(visit, handle))


@router.post("/members/{handle}/report")
async def report_name(handle: Handle, visit: MemberForm) -> Response:
    """Report a name, and go back to its member."""
    try:
        wanted = visit.form.parse(ReportForm)
        complaint = NameComplaint(Category(wanted.category), tuple(wanted.rules), wanted.note)
        await visit.act(own_reports.report_name, handle, complaint, repeat=repeat_of(visit))
    except ForumError as error:
        return visit.show(await _name_page(visit.refusing(error), handle), status_of(error))
    return _thank(visit, wanted.category)


def _thank(visit: Visit, category: str) -> Response:
    done = "reported-danger" if category == Category.RISK else "reported"
    return visit.go(own_path(visit.form.values.get("back", "/")), done=done)


async def _post_page(visit: Visit, post_id: int) -> ReportPage:
    read = await visit.act(own_reports.read_post_to_report, post_id)
    number = read.post.number if read.post else 1
    back = f"/threads/{read.thread.id}?start={number}#post-{number}"
    return _page(visit, read, f"/posts/{post_id}/report", back)


async def _name_page(visit: Visit, handle: str) -> ReportPage:
    read = await visit.act(own_reports.read_name_to_report, handle)
    return _page(visit, read, f"/members/{handle}/report", f"/members/{handle}")


def _page(visit: Visit, read: Reportable, path: str, back: str) -> ReportPage:
    chosen = visit.form.values.get("category") or visit.query("category")
    return ReportPage(
        title=visit.say(mark("Something wrong?")),
        read=read,
        reason=chosen if chosen in REASONS else "",
        path=path,
        back=back,
        lines=visit.text("lines"),
        form=visit.form,
    )
