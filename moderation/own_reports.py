"""The reporter's side: to report a post or a name, and to see what came of one's own reports and appeals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlmodel import col

from forum.content.posts.context import context_of_post
from forum.content.posts.draft import NO_WORDS
from forum.content.posts.queries import PostView, get_post_in_transaction
from forum.content.threads.queries import get_thread_in_transaction
from forum.core import pagination
from forum.core.errors import Conflict, NotFound
from forum.core.idempotency import Repeat
from forum.core.pagination import Page
from forum.core.work import Work
from forum.members.queries import get_member
from forum.members.tables import Member
from forum.members.viewer import Viewer
from moderation import appeals, case_deciders, name_reports, on_sight, reports, rules
from moderation.appeals import AppealState
from moderation.name_reports import NameComplaint
from moderation.permissions import ModerationAct, allow, refusal
from moderation.reports import Complaint, Report, ReportOutcome


@dataclass(frozen=True)
class OwnReport:
    """A report as its reporter sees it, with their appeal against its dismissal."""

    report: Any  # a Report, or a row of `reports.select_by_reporter`
    case_id: UUID | None  # for staff only
    appeal: AppealState | None
    deciders: str | None  # who can decide it now, as `case_deciders.who_decides` says; None once it is settled
    outside_contact: str | None

    @property
    def can_appeal(self) -> bool:
        """Whether it was dismissed, and its reporter has not asked for a second look."""
        return self.report.outcome == ReportOutcome.DISMISSED and self.appeal is None


async def report_post(
    work: Work, reporter: Viewer, post_id: int, complaint: Complaint, *, repeat: Repeat | None = None
) -> OwnReport:
    """Report a post, and return the report as the reporter sees it. A `repeat` returns the report that it made.

    Whoever may decide about the post themselves need not report it to somebody else: it is a case on sight. Raises as
    `reports.report_post` and `Repeat.earlier` do.
    """
    if repeat and (earlier := await repeat.earlier(work)):
        return await _get_own_report(work, reporter, earlier)
    return await _finish(work, reporter, await reports.report_post(work, reporter, post_id, complaint), repeat)


async def report_name(
    work: Work, reporter: Viewer, handle: str, complaint: NameComplaint, *, repeat: Repeat | None = None
) -> OwnReport:
    """Report a member's name, as `report_post` does a post. Raises as `name_reports.report_name` and `Repeat.earlier`
    do.
    """
    if repeat and (earlier := await repeat.earlier(work)):
        return await _get_own_report(work, reporter, earlier)
    return await _finish(work, reporter, await name_reports.report_name(work, reporter, handle, complaint), repeat)


@dataclass(frozen=True)
class Reportable:
    """What somebody is about to report: a post with its thread, or a member's name; and what keeps them from it.

    Who may not write may still report that somebody is in danger: `only_risk`.
    """

    post: PostView | None
    thread: Any
    member: Member | None
    rules: Sequence[Any]
    help_html: str
    only_risk: bool


async def read_post_to_report(work: Work, reporter: Viewer, post_id: int) -> Reportable:
    """Return a post to whoever may report it. Raises NotFound, Forbidden, and Conflict for one that is gone."""
    context = await context_of_post(work, reporter, post_id, NO_WORDS)
    allow(ModerationAct.REPORT_RISK, reporter, context)
    if not context.post.can_be_reported(work.now):
        sentence = "This post is no longer there: it was removed or withdrawn."
        raise Conflict(sentence, code=f"post_{context.post.visibility}")
    return Reportable(
        await get_post_in_transaction(work.session, reporter, post_id),
        await get_thread_in_transaction(work.session, reporter, context.thread.id),
        None,
        (await work.session.execute(rules.CURRENT.query)).all(),
        context.board.help_html,
        only_risk=refusal(ModerationAct.REPORT_POST, reporter, context) is not None,
    )


async def read_name_to_report(work: Work, reporter: Viewer, handle: str) -> Reportable:
    """Return a member to whoever may report their name. Raises NotFound and Forbidden."""
    member = await get_member(work.session, handle)
    subject = await name_reports.get_reported_member(work, reporter, member)
    allow(ModerationAct.REPORT_NAME_RISK, reporter, subject)
    found = (await work.session.execute(rules.CURRENT.query)).all()
    only_risk = refusal(ModerationAct.REPORT_NAME, reporter, subject) is not None
    return Reportable(None, None, member, found, "", only_risk)


async def list_own_reports(work: Work, viewer: Viewer, after: str | None, limit: int) -> Page:
    """Return a page of the viewer's own reports, newest first. Raises Invalid for a cursor of another list."""
    before = pagination.decode(after, reports.BY_ID) if after is not None else None
    rows = (await work.session.execute(reports.select_by_reporter(viewer, before, limit + 1))).all()
    page = pagination.page_of(rows, limit, lambda row: (str(row.id),))
    return Page(await _with_appeals(work, viewer, page.rows), page.next)


async def get_own_report(work: Work, viewer: Viewer, report_id: UUID) -> OwnReport:
    """Return one of the viewer's own reports. Raises NotFound for any other."""
    this = reports.select_by_reporter(viewer, None, 1).where(col(Report.id) == report_id)
    row = (await work.session.execute(this)).one_or_none()
    if row is None:
        raise NotFound("There is no such report.", code="report_not_found")
    [own] = await _with_appeals(work, viewer, [row])
    return own


async def _finish(work: Work, reporter: Viewer, report: Report, repeat: Repeat | None) -> OwnReport:
    """Make a report by somebody who may decide a case on sight, and return it as its reporter sees it."""
    if reporter.is_staff:
        await on_sight.take_up(work, reporter, report)
    if repeat:
        await repeat.keep(work, report.id)
    [own] = await _with_appeals(work, reporter, [report])
    return own


async def _get_own_report(work: Work, reporter: Viewer, report_id: str) -> OwnReport:
    [own] = await _with_appeals(work, reporter, [await work.session.get_one(Report, UUID(report_id))])
    return own


async def _with_appeals(work: Work, viewer: Viewer, rows: Sequence[Any]) -> list[OwnReport]:
    found = await appeals.get_for_reports(work.session, [row.id for row in rows])
    states = {report_id: await appeals.state_of_appeal(work, appeal) for report_id, appeal in found.items()}
    waiting = {row.case_id for row in rows if row.outcome is None}
    deciders = await case_deciders.list_deciders_of(work.session, waiting, work.now)
    outside = case_deciders.find_outside_contact
    contacts = {case_id: await outside(work, case_id) for case_id, free in deciders.items() if not free}
    return [
        OwnReport(
            row,
            row.case_id if viewer.is_staff else None,
            states.get(row.id),
            case_deciders.as_word(deciders[row.case_id]) if row.outcome is None else None,
            contacts.get(row.case_id) if row.outcome is None else None,
        )
        for row in rows
    ]
