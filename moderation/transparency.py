"""What happened in moderation in a year, in numbers that give nobody away.

A small service in the United Kingdom owes no such report: the duty is that of the largest ones (Online Safety Act 2023,
s.77). It is published all the same, of years that are over: who reads the same numbers every day would see in them what
happened in between.

Of one to four, it says “fewer than five”. Of each thing there is one count by kind and no second one, and its total is
a range as soon as one of its numbers is hidden, so that no subtraction gives the hidden one.

What an old board decided, and what was reported there, came here with the import and is none of it.

A year that is over is counted once, by a job in the night after it, and kept as it is told: what is decided or deleted
later changes none of its numbers, and no difference between two readings tells what happened.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import String, and_, cast, exists, func, literal, select, text
from sqlalchemy import case as case_when
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.core.database import Moment, Query, query
from forum.core.errors import NotFound
from forum.core.jobs import Handler, Job, Payload
from forum.core.settings import Settings
from forum.core.work import Work
from forum.importers.undo.going import FILED_THERE
from forum.members.viewer import Viewer
from moderation.appeals import Appeal
from moderation.case_calls import CaseCall
from moderation.cases import Case
from moderation.decisions import Decision, DecisionRule
from moderation.measures.tables import AppliedMeasure
from moderation.reports import Report
from moderation.service_complaints.tables import ServiceComplaint

KEEP = Job("keep_transparency")
LEAST_SHOWN = 5
FIRST_YEAR = 2000
VOLUNTARY = (
    "A small service in the United Kingdom need not publish such a report. We do so of our own accord. Numbers from "
    "one to four are said as fewer than five, so that they give nobody away; where one is hidden, the total is a range."
)


class TransparencyYear(SQLModel, table=True):
    """The report of a year that is over, as it is told: nobody is in it."""

    __tablename__ = "transparency_year"

    year: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    sections: list[dict[str, Any]] = Field(sa_type=JSONB)
    median_minutes: int | None = None
    kept_at: datetime = Field(sa_type=Moment)


class Counted(StrEnum):
    """What is counted, each by its kinds."""

    REPORTS = "reports"  # by category
    CASES = "cases"  # opened, by category
    MEASURES = "measures"  # by kind
    RULES = "rules"  # cited by decisions, by number
    APPEALS = "appeals"  # by outcome; "waiting" without one
    COMPLAINTS = "complaints"  # about the service, by what they are about
    CALLS = "calls"  # of people on call: "answered" or "unanswered"


class Count(NamedTuple):
    """How many there were of a kind. None: one to four."""

    kind: str
    number: int | None


@dataclass(frozen=True)
class Section:
    """One thing, counted by its kinds; all of them together are from `least` to `most`."""

    counted: Counted
    counts: Sequence[Count]
    least: int
    most: int


@dataclass(frozen=True)
class TransparencyReport:
    """The numbers of a year. The median is in minutes; None where it would rest on fewer than five calls."""

    year: int
    sections: Sequence[Section]
    median_minutes: int | None


async def read_report(work: Work, _viewer: Viewer, year: int) -> TransparencyReport:
    """Return the report of a year for everybody. Raises NotFound for one that is not over."""
    if not FIRST_YEAR <= year <= _last_year(work.settings, work.now):
        raise NotFound("There is a report of each year once it is over.", code="year_not_over")
    return await find_report(work.session, work.settings, year)


async def find_report(session: AsyncSession, settings: Settings, year: int) -> TransparencyReport:
    """Return the report of a year as it was kept, or as it would be now: for the command line also of this year."""
    kept = await session.get(TransparencyYear, year)
    return _as_kept(kept) if kept else await _make_report(session, settings, year)


def make_keeper(settings: Settings) -> Handler:
    """Return the job handler that keeps the report of each year that is over and that it has not kept yet."""

    async def keep(session: AsyncSession, _payload: Payload, now: datetime) -> None:
        zone, last = ZoneInfo(settings.time_zone), _last_year(settings, now)
        begun = (await session.execute(select(func.min(col(Case.opened_at))).where(_IS_OF_HOUSE))).scalar_one()
        first = begun.astimezone(zone).year if begun else last
        kept = set((await session.execute(select(col(TransparencyYear.year)))).scalars())
        for year in sorted(set(range(max(first, FIRST_YEAR), last + 1)) - kept):
            report = await _make_report(session, settings, year)
            sections = [asdict(section) for section in report.sections]
            row = {"year": year, "sections": sections, "median_minutes": report.median_minutes, "kept_at": now}
            await session.execute(insert(TransparencyYear).values(row).on_conflict_do_nothing())

    return keep


def _last_year(settings: Settings, now: datetime) -> int:
    return now.astimezone(ZoneInfo(settings.time_zone)).year - 1


def _as_kept(kept: TransparencyYear) -> TransparencyReport:
    sections = [
        Section(Counted(one["counted"]), [Count(*count) for count in one["counts"]], one["least"], one["most"])
        for one in kept.sections
    ]
    return TransparencyReport(kept.year, sections, kept.median_minutes)


async def _make_report(session: AsyncSession, settings: Settings, year: int) -> TransparencyReport:
    zone = ZoneInfo(settings.time_zone)
    begins, ends = datetime(year, 1, 1, tzinfo=zone), datetime(year + 1, 1, 1, tzinfo=zone)
    sections = []
    for counted, (kind, at, joined) in _COUNTED.items():
        rows = await session.execute(joined.where(at >= begins, at < ends).group_by(kind).order_by(kind))
        sections.append(section_of(counted, [(str(row[0]), int(row[1])) for row in rows.all()]))
    return TransparencyReport(year, sections, await _median_minutes(session, begins, ends))


def section_of(counted: Counted, numbers: Iterable[tuple[str, int]]) -> Section:
    """Return what may be said of these numbers, by kind."""
    there = [(kind, number) for kind, number in numbers if number]
    counts = [Count(kind, number if number >= LEAST_SHOWN else None) for kind, number in there]
    shown = sum(count.number for count in counts if count.number is not None)
    hidden = sum(count.number is None for count in counts)
    # Nothing but the shown numbers and how many are hidden: it says no more than these.
    return Section(counted, counts, shown + hidden, shown + hidden * (LEAST_SHOWN - 1))


async def _median_minutes(session: AsyncSession, begins: datetime, ends: datetime) -> int | None:
    minutes = func.extract("epoch", col(CaseCall.acknowledged_at) - col(CaseCall.at)) / 60
    median = func.percentile_cont(0.5).within_group(minutes)
    answered = select(func.count(), median).where(
        col(CaseCall.at) >= begins, col(CaseCall.at) < ends, col(CaseCall.acknowledged_at).is_not(None)
    )
    number, found = (await session.execute(answered)).one()
    return round(found) if number >= LEAST_SHOWN else None


def _by(kind: Any, at: Any, *conditions: Any) -> tuple[Any, Any, Query]:
    """Return by what something is counted, when it happened, and a select of both."""
    return kind, at, query(kind, func.count()).where(*conditions)


# Not what the old board decided, and nobody since.
_IS_OF_HOUSE = ~exists().where(
    and_(
        col(Decision.case_id) == col(Case.id),
        col(Decision.import_run_id).is_not(None),
        col(Decision.decided_at) == col(Case.decided_at),
    )
)
_ANSWERED = case_when((col(CaseCall.acknowledged_at).is_not(None), "answered"), else_="unanswered")
_OUTCOME = func.coalesce(col(Appeal.outcome), literal("waiting"))
_COUNTED = {
    Counted.REPORTS: _by(col(Report.category), col(Report.filed_at), text(f"({FILED_THERE}) IS NOT TRUE")),
    Counted.CASES: _by(col(Case.category), col(Case.opened_at), _IS_OF_HOUSE),
    Counted.MEASURES: _by(
        col(AppliedMeasure.kind),
        col(AppliedMeasure.applied_at),
        exists().where(col(Decision.id) == col(AppliedMeasure.decision_id), col(Decision.import_run_id).is_(None)),
    ),
    Counted.RULES: (
        cast(col(DecisionRule.number), String),
        col(Decision.decided_at),
        query(cast(col(DecisionRule.number), String), func.count()).join(
            Decision, col(Decision.id) == col(DecisionRule.decision_id)
        ),
    ),
    Counted.APPEALS: _by(_OUTCOME, col(Appeal.lodged_at)),
    Counted.COMPLAINTS: _by(col(ServiceComplaint.about), col(ServiceComplaint.made_at)),
    Counted.CALLS: _by(_ANSWERED, col(CaseCall.at)),
}
