"""Reads: what came of a report that needs no account, and which of them wait for somebody to find the post."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.core.database import Record, query
from forum.core.errors import NotFound
from forum.core.rate_limits import network
from forum.core.work import Work
from forum.members.viewer import Viewer
from forum.permissions import Refusal
from moderation import case_deciders
from moderation.permissions import ModerationAct, allow, refusal
from moderation.public_reports.actions import digest, find_outside_contact
from moderation.public_reports.tables import PublicReport
from moderation.reports import Report, ReportOutcome

MOST_LISTED = 100
# What whoever reported reads in the end: whether something was done, but not what, nor to whom.
OUTCOME_WORDS: Mapping[ReportOutcome, str] = {
    ReportOutcome.UPHELD: "Somebody looked at it, agreed with you, and did something about it.",
    ReportOutcome.DISMISSED: "Somebody looked at it, and found that it can stay as it is.",
}
HOW_TO_COMPLAIN = (
    "If you do not agree, or hear nothing in time, you can complain. Somebody else looks at it then. Keep your code: "
    "with it, they find your report."
)


@dataclass(frozen=True)
class Progress:
    """What came of something that somebody sent: by when somebody looks, or what they found, in plain words."""

    sent_at: datetime
    due_at: datetime
    outcome: ReportOutcome | None
    answer: str | None  # in the words of whoever answered without a case
    settled_at: datetime | None
    outside_contact: str | None = None  # whom else to turn to, while it waits and nobody here may decide it

    @property
    def words(self) -> str | None:
        """What came of it, in plain words."""
        return self.answer or (OUTCOME_WORDS[self.outcome] if self.outcome else None)


async def follow_report(work: Work, _viewer: Viewer, token: str, address: str) -> Progress:
    """Return what came of a report. Raises Throttled over the limit per network, and NotFound for an unknown code."""
    await count_question(work, address)
    found = await find_progress(work, token)
    if found is None:
        raise unknown_code()
    return found


async def count_question(work: Work, address: str) -> None:
    """Count a question with a code. Raises Throttled over the limit per network."""
    await work.count_try("progress", "progress", network(address))


async def find_progress(work: Work, token: str) -> Progress | None:
    """Return what came of the report with this code, if there is one."""
    found = (
        query(
            col(PublicReport.filed_at),
            col(PublicReport.due_at),
            col(PublicReport.report_id),
            col(PublicReport.outcome),
            col(PublicReport.answer),
            col(PublicReport.settled_at),
            col(PublicReport.filed_by),
            col(Report.outcome).label("present"),
            col(Report.case_id),
        )
        .outerjoin(Report, col(Report.id) == col(PublicReport.report_id))
        .where(col(PublicReport.token_digest) == digest(token))
    )
    row = (await work.session.execute(found)).one_or_none()
    if row is None:
        return None
    # Somebody who heard an appeal may have found otherwise since, or looks at it again.
    outcome = row.present if row.report_id else row.outcome
    if outcome is None:
        outside = await find_outside_contact(work, row.filed_by)
        if outside is None and row.case_id:
            outside = await case_deciders.find_outside_contact(work, row.case_id)
        return Progress(row.filed_at, row.due_at, None, None, None, outside)
    return Progress(row.filed_at, row.due_at, ReportOutcome(outcome), row.answer, row.settled_at)


def unknown_code() -> NotFound:
    """Return the error for a code that belongs to nothing."""
    return NotFound("Nothing that was sent to us has this code.", code="code_not_known")


@dataclass(frozen=True)
class UnplacedReport:
    """A report that waits for somebody to find its post, or to answer it; with why this moderator may not answer."""

    row: Record
    reason: Refusal | None

    @property
    def because(self) -> str | None:
        """The reason as a sentence."""
        return self.reason.detail if self.reason else None


async def list_waiting(work: Work, moderator: Viewer) -> Sequence[UnplacedReport]:
    """Return the reports of which nobody knows the post, or whose post was decided: 100 at most. Raises Forbidden.

    Those due first come first.
    """
    allow(ModerationAct.READ_MESSAGES, moderator)
    waiting = (
        query(
            col(PublicReport.id),
            col(PublicReport.post),
            col(PublicReport.capacity),
            col(PublicReport.category),
            col(PublicReport.illegal_kind),
            col(PublicReport.text),
            col(PublicReport.is_urgent),
            col(PublicReport.is_flagged),
            col(PublicReport.filed_at),
            col(PublicReport.due_at),
            col(PublicReport.filed_by),
        )
        .where(col(PublicReport.is_waiting))
        .order_by(col(PublicReport.due_at), col(PublicReport.id))
        .limit(MOST_LISTED)
    )
    rows = (await work.session.execute(waiting)).all()
    return [UnplacedReport(row, refusal(ModerationAct.ANSWER_REPORT, moderator, row)) for row in rows]


async def get_waiting(work: Work, moderator: Viewer, report_id: UUID) -> UnplacedReport:
    """Return one of the reports that `list_waiting` lists. Raises Forbidden, and NotFound for any other."""
    found = next((report for report in await list_waiting(work, moderator) if report.row.id == report_id), None)
    if found is None:
        raise NotFound("No such report waits.", code="report_not_found")
    return found


async def find_report(session: AsyncSession, token: str) -> PublicReport | None:
    """Return the report with this code, if there is one."""
    this = col(PublicReport.token_digest) == digest(token)
    return (await session.execute(select(PublicReport).where(this))).scalar_one_or_none()
