"""Assessments that the law asks for, as dated documents: none is changed, another version takes its place.

Of illegal content (Online Safety Act 2023, s.9), of whether children can use the forum (s.36), the record of measures
and the reviews of both (s.23). Administrators write them, moderators of the whole forum read them. Whoever administers
is reminded on the day of the next review, which is within a year.
"""

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import UniqueConstraint, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.core import audit
from forum.core.database import Moment, Record, check_one_of, new_id, query
from forum.core.errors import Invalid, NotFound, Stale
from forum.core.jobs import Job, Payload
from forum.core.work import Work
from forum.members.queries import get_changer, named_columns
from forum.members.standing import standing_at
from forum.members.tables import Member, Role, RoleGrant, Standing
from forum.members.viewer import Viewer
from forum.notifications import inbox
from forum.notifications.inbox import NotificationKind
from forum.permissions import Refusal
from moderation.permissions import ModerationAct, allow, refusal

TEXT_MAX = 100_000
LONGEST = timedelta(days=366)  # until the next review
REMIND = Job("remind_of_assessments")
_BEGINNING = datetime(1980, 1, 1, tzinfo=UTC)  # the earliest time that a ZIP can have


class AssessmentKind(StrEnum):
    """What is assessed."""

    ILLEGAL_CONTENT = "illegal_content"
    CHILDRENS_ACCESS = "childrens_access"
    MEASURES = "measures"
    REVIEW = "review"


class LegalAssessment(SQLModel, table=True):
    """One version of a document. It stays as it was written."""

    __tablename__ = "assessment"
    __table_args__ = (check_one_of("kind", AssessmentKind), UniqueConstraint("kind", "version"))

    id: UUID = Field(default_factory=new_id, primary_key=True)
    kind: str
    version: int
    text: str
    assessed_on: date
    next_review_on: date
    written_at: datetime = Field(sa_type=Moment)
    written_by: UUID = Field(foreign_key="member.id")


@dataclass(frozen=True)
class AssessmentDraft:
    """A document as it is written, and the version that was on the screen: 0 where there was none."""

    text: str
    assessed_on: date
    next_review_on: date
    version: int


@dataclass(frozen=True)
class AssessmentShelf:
    """Every version of every document, without its text, the newest of each first; and why the viewer may not write."""

    versions: Sequence[Record]
    no_change_because: Refusal | None

    def of(self, kind: AssessmentKind) -> Sequence[Record]:
        """Return the versions of one document."""
        return [version for version in self.versions if version.kind == kind]


@dataclass(frozen=True)
class OpenAssessment:
    """One version of a document with its text, if there is one yet, and every version."""

    kind: AssessmentKind
    row: Record | None
    shelf: AssessmentShelf

    @property
    def newest(self) -> int:
        """The number of the newest version; 0 where there is none."""
        return max((version.version for version in self.shelf.of(self.kind)), default=0)


_HEAD = (
    col(LegalAssessment.id),
    col(LegalAssessment.kind),
    col(LegalAssessment.version),
    col(LegalAssessment.assessed_on),
    col(LegalAssessment.next_review_on),
    col(LegalAssessment.written_at),
    *named_columns(Member, "author"),
)
_BY = Member, col(Member.id) == col(LegalAssessment.written_by)


# Reading


async def read_shelf(work: Work, reader: Viewer) -> AssessmentShelf:
    """Return every version of every document. Raises Forbidden."""
    allow(ModerationAct.READ_ASSESSMENTS, reader)
    listed = query(*_HEAD).join(*_BY).order_by(col(LegalAssessment.kind), col(LegalAssessment.version).desc())
    rows = (await work.session.execute(listed)).all()
    return AssessmentShelf(rows, refusal(ModerationAct.WRITE_ASSESSMENTS, reader))


async def read_assessment(
    work: Work, reader: Viewer, kind: AssessmentKind, version: int | None = None
) -> OpenAssessment:
    """Return a version of a document, or the newest; none where nobody has written it yet.

    Raises Forbidden, and NotFound for a version that there is not.
    """
    shelf = await read_shelf(work, reader)
    own = shelf.of(kind)
    wanted = version or (own[0].version if own else None)
    if wanted is None:
        return OpenAssessment(kind, None, shelf)
    this = (col(LegalAssessment.kind) == kind, col(LegalAssessment.version) == wanted)
    found = query(*_HEAD, col(LegalAssessment.text)).join(*_BY).where(*this)
    row = (await work.session.execute(found)).one_or_none()
    if row is None:
        raise NotFound("There is no such assessment.", code="assessment_not_found")
    return OpenAssessment(kind, row, shelf)


async def get_assessment(work: Work, reader: Viewer, kind: AssessmentKind, version: int) -> Record:
    """Return one version of a document. Raises Forbidden and NotFound."""
    row = (await read_assessment(work, reader, kind, version)).row
    if row is None:
        raise RuntimeError("A version that was asked for was not found, nor refused.")
    return row


async def make_archive(work: Work, reader: Viewer) -> bytes:
    """Return a ZIP with every version of every document, and a list of them: the same bytes while nothing is written.

    Raises Forbidden.
    """
    allow(ModerationAct.READ_ASSESSMENTS, reader)
    listed = (
        query(*_HEAD, col(LegalAssessment.text))
        .join(*_BY)
        .order_by(col(LegalAssessment.kind), col(LegalAssessment.version))
    )
    content, index = io.BytesIO(), []
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for row in (await work.session.execute(listed)).all():
            name = f"{row.kind}-{row.version}.md"
            _add(archive, name, row.text, row.written_at)
            index.append(
                {
                    "file": name,
                    "kind": row.kind,
                    "version": row.version,
                    "assessed_on": row.assessed_on.isoformat(),
                    "next_review_on": row.next_review_on.isoformat(),
                    "written_at": row.written_at.isoformat(),
                    "written_by": row.author_name,
                }
            )
        _add(archive, "index.json", json.dumps(index, indent=2, ensure_ascii=False), _BEGINNING)
    return content.getvalue()


def _add(archive: zipfile.ZipFile, name: str, text: str, at: datetime) -> None:
    about = zipfile.ZipInfo(name, at.timetuple()[:6])
    about.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(about, text)


# Writing


async def write_assessment(work: Work, author: Viewer, kind: AssessmentKind, draft: AssessmentDraft) -> Record:
    """Write another version of a document, and return it.

    Raises Forbidden, Invalid for a day to come and for a next review that does not follow within a year, and Stale
    where somebody wrote another version meanwhile.
    """
    allow(ModerationAct.WRITE_ASSESSMENTS, author)
    if draft.assessed_on > work.now.astimezone(ZoneInfo(work.settings.time_zone)).date():
        raise Invalid("This day has not come yet.", "#/assessed_on", code="time_to_come")
    # The difference: what comes after a day in the year 9999 is no day.
    if not timedelta(0) < draft.next_review_on - draft.assessed_on <= LONGEST:
        sentence = "The next review comes after the assessment, and within a year."
        raise Invalid(sentence, "#/next_review_on", code="review_not_within_a_year")
    # One version at a time: of two who write at once, the second is told of the first.
    await work.session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"assessment {kind}"))))
    newest = await _find_newest(work.session, kind)
    present = newest.version if newest else 0
    if newest and present != draft.version:
        raise Stale(
            "Somebody wrote another version of this assessment.",
            code="assessment_changed",
            current=present,
            changed_by=await get_changer(work.session, newest.written_by),
            changed_at=newest.written_at,
        )
    written = LegalAssessment(
        kind=kind,
        version=present + 1,
        text=draft.text,
        assessed_on=draft.assessed_on,
        next_review_on=draft.next_review_on,
        written_at=work.now,
        written_by=author.member_id,
    )
    work.session.add(written)
    await work.session.flush()
    if newest:
        await inbox.withdraw(work.session, (NotificationKind.ASSESSMENT_DUE,), newest.id)
    await audit.record(
        work.session,
        actor_id=author.id,
        act="assessment.written",
        subject=("assessment", str(kind)),
        now=work.now,
        details={"version": written.version},
    )
    return await get_assessment(work, author, kind, written.version)


async def _find_newest(session: AsyncSession, kind: AssessmentKind) -> LegalAssessment | None:
    newest = (
        select(LegalAssessment)
        .where(col(LegalAssessment.kind) == kind)
        .order_by(col(LegalAssessment.version).desc())
        .limit(1)
    )
    return (await session.execute(newest)).scalar_one_or_none()


# Reminding


async def remind(session: AsyncSession, _payload: Payload, now: datetime) -> None:
    """Job handler: remind every administrator, once, of each document whose review is due."""
    for kind in AssessmentKind:
        newest = await _find_newest(session, kind)
        if newest is None or newest.next_review_on > now.date():
            continue
        if await inbox.is_told(session, NotificationKind.ASSESSMENT_DUE, newest.id):
            continue
        told = await _list_administrators(session, now)
        await inbox.notify_each(session, told, NotificationKind.ASSESSMENT_DUE, now, subject_id=newest.id)


async def _list_administrators(session: AsyncSession, now: datetime) -> Sequence[UUID]:
    administrators = (
        select(col(Member.id))
        .join(RoleGrant, col(RoleGrant.member_id) == col(Member.id))
        .where(col(RoleGrant.role) == Role.ADMINISTRATOR, standing_at(now) == Standing.ACTIVE)
        .order_by(col(Member.id))
    )
    return (await session.execute(administrators)).scalars().all()
