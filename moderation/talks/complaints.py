"""Complaints: a member complains of what a moderator wrote to them in a talk, and somebody else looks at it."""

from datetime import datetime
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import CheckConstraint, select
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Field, SQLModel, col

from forum.core import pagination
from forum.core.database import Moment, Query, check_one_of, new_id, query
from forum.core.errors import Invalid
from forum.core.pagination import Page
from forum.core.work import Work
from forum.members.aliases import get_owner
from forum.members.queries import named_columns
from forum.members.tables import Member
from forum.members.viewer import Viewer
from forum.notifications import inbox
from forum.notifications.inbox import NotificationKind
from moderation import cases
from moderation.case_priority import Category
from moderation.cases import CaseRecusal
from moderation.reports import ReportOutcome
from moderation.talks import actions
from moderation.talks.tables import TalkMessage

COMPLAINT_MAX = 2000


class TalkComplaint(SQLModel, table=True):
    """What a member says is wrong with a moderator's message to them; it is in a case about that moderator."""

    __tablename__ = "talk_complaint"
    __table_args__ = (
        check_one_of("outcome", ReportOutcome),
        CheckConstraint("(outcome IS NULL) = (settled_at IS NULL)", name="settled"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    message_id: UUID = Field(foreign_key="talk_message.id", unique=True)
    case_id: UUID = Field(foreign_key="moderation_case.id", index=True)
    persona_id: UUID = Field(foreign_key="persona.id", index=True, description="Who complains")
    text: str
    at: datetime = Field(sa_type=Moment)
    outcome: str | None = Field(default=None, description="What its member is told: nothing of what was done to whom")
    settled_at: datetime | None = Field(default=None, sa_type=Moment)


# What a cursor into one's own complaints holds: the id of the last one of the page before.
BY_ID = TypeAdapter(tuple[UUID])


def select_of_case(case_id: UUID) -> Query:
    """Return a select of the complaints in a case, oldest first, with the message of each: for moderators."""
    return (
        query(
            col(TalkComplaint.id),
            col(TalkComplaint.text),
            col(TalkComplaint.at),
            col(TalkMessage.text).label("message"),
            *named_columns(Member, "member"),
        )
        .join(TalkMessage, col(TalkMessage.id) == col(TalkComplaint.message_id))
        .join(Member, col(Member.id) == col(TalkComplaint.persona_id))
        .where(col(TalkComplaint.case_id) == case_id)
        .order_by(col(TalkComplaint.id))
    )


def select_own(viewer: Viewer) -> Query:
    """Return a select of what the viewer complained of, oldest first."""
    return _select_own(viewer).order_by(col(TalkComplaint.id))


def _select_own(viewer: Viewer) -> Query:
    own = query(
        col(TalkComplaint.id),
        col(TalkComplaint.message_id),
        col(TalkComplaint.text),
        col(TalkComplaint.at),
        col(TalkComplaint.outcome),
        col(TalkComplaint.settled_at),
    )
    return own.where(col(TalkComplaint.persona_id).in_(viewer.personas))


async def list_own(work: Work, viewer: Viewer, after: str | None, limit: int) -> Page:
    """Return a page of the viewer's own complaints, newest first. Raises Invalid for a cursor of another list."""
    place = pagination.decode(after, BY_ID) if after is not None else None
    own = _select_own(viewer).order_by(col(TalkComplaint.id).desc()).limit(limit + 1)
    found = own.where(col(TalkComplaint.id) < place[0]) if place else own
    rows = (await work.session.execute(found)).all()
    return pagination.page_of(rows, limit, lambda row: (str(row.id),))


async def complain(work: Work, member: Viewer, talk_id: UUID, message_id: UUID, words: str) -> TalkComplaint:
    """Complain of a moderator's message in one's own talk: it opens a case about that moderator, or joins it.

    A repeat returns the first complaint. Raises Throttled, NotFound for a talk with somebody else, and Invalid for a
    message that no moderator wrote there.
    """
    await work.count_try("report", "reports", member.id)
    talk = await actions.lock_own_talk(work, member, talk_id)
    message = await work.session.get(TalkMessage, message_id)
    if message is None or message.talk_id != talk.id or message.moderator_id is None:
        raise Invalid("No moderator wrote this message in this talk.", "#/message_id", code="message_not_found")
    earlier = select(TalkComplaint).where(col(TalkComplaint.message_id) == message_id)
    if found := (await work.session.execute(earlier)).scalar_one_or_none():
        return found
    category = Category.RISK if await actions.tells_of_danger(work, member, words) else Category.OTHER
    case, _ = await cases.open_on_member(work.session, message.moderator_id, category, work.now)
    complaint = TalkComplaint(
        message_id=message_id, case_id=case.id, persona_id=talk.persona_id, text=words, at=work.now
    )
    work.session.add(complaint)
    if member.is_staff:  # whoever complains does not decide
        row = insert(CaseRecusal).values(case_id=case.id, moderator_id=member.id, at=work.now)
        await work.session.execute(row.on_conflict_do_nothing())
    await work.session.flush()
    return complaint


async def settle(work: Work, case_id: UUID, outcome: ReportOutcome) -> None:
    """Give every complaint of a case that still waits its outcome, and tell each member who complained."""
    waiting = select(TalkComplaint).where(col(TalkComplaint.case_id) == case_id, col(TalkComplaint.outcome).is_(None))
    for complaint in (await work.session.execute(waiting)).scalars().all():
        complaint.outcome, complaint.settled_at = outcome, work.now
        owner = await get_owner(work.session, complaint.persona_id)
        await inbox.notify(work.session, owner, NotificationKind.COMPLAINT_SETTLED, work.now, subject_id=complaint.id)
    await work.session.flush()
