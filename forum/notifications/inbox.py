"""Notifications: each tells one member one thing. None quotes a post; those of new posts name the thread."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Index,
    Integer,
    Select,
    and_,
    any_,
    case,
    delete,
    exists,
    func,
    or_,
    select,
    text,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import Field, SQLModel, col

from forum.content.boards import Board
from forum.content.posts.tables import Post, Visibility
from forum.content.posts.visibility import POST_VISIBLE
from forum.content.threads.tables import Thread
from forum.content.threads.visibility import THREAD_VISIBLE
from forum.core import pagination
from forum.core.database import Moment, Prepared, Query, Reader, check_one_of, new_id, query, rows_of
from forum.core.work import Work
from forum.members.viewer import VIEWER_ID, VIEWER_PERSONAS, Viewer, as_each, for_each
from forum.notifications import letters


class NotificationKind(StrEnum):
    """What happened."""

    POST_HELD = "post_held"
    POST_PUBLISHED = "post_published"
    POST_EDITED = "post_edited"
    POST_REMOVED = "post_removed"
    THREAD_LOCKED = "thread_locked"
    THREAD_UNLOCKED = "thread_unlocked"
    THREAD_MOVED = "thread_moved"
    THREAD_RETITLED = "thread_retitled"
    STATEMENT_ISSUED = "statement_issued"
    APPEAL_HEARD = "appeal_heard"
    REPORT_RECEIVED = "report_received"
    REPORT_SETTLED = "report_settled"
    TALK_MESSAGE = "talk_message"
    TALK_ANSWERED = "talk_answered"
    COMPLAINT_SETTLED = "complaint_settled"
    CASE_WAITING = "case_waiting"
    CASE_URGENT = "case_urgent"
    CASE_HANDED_OVER = "case_handed_over"
    CASE_TAKEN_OVER = "case_taken_over"
    CASE_OVERDUE = "case_overdue"
    CASE_WITHOUT_DECIDER = "case_without_decider"
    ADDRESS_DISCLOSED = "address_disclosed"
    CONCERN_WAITING = "concern_waiting"
    CONCERN_REVIEW = "concern_review"
    CONCERN_DISCLOSURE = "concern_disclosure"
    CONCERN_WITHOUT_LEAD = "concern_without_lead"
    MESSAGE_WAITING = "message_waiting"
    MESSAGE_URGENT = "message_urgent"
    PUBLIC_REPORT_WAITING = "public_report_waiting"
    PUBLIC_REPORT_URGENT = "public_report_urgent"
    PUBLIC_REPORT_OVERDUE = "public_report_overdue"
    SERVICE_COMPLAINT_WAITING = "service_complaint_waiting"
    SERVICE_COMPLAINT_ANSWERED = "service_complaint_answered"
    SERVICE_COMPLAINT_OVERDUE = "service_complaint_overdue"
    SERVICE_COMPLAINT_WITHOUT_HEARER = "service_complaint_without_hearer"
    ASSESSMENT_DUE = "assessment_due"
    RULES_CHANGED = "rules_changed"
    STANDING_ENDED = "standing_ended"
    LOST_MAILBOX = "lost_mailbox"
    DEPARTURE_WAITS = "departure_waits"
    EXPORT_READY = "export_ready"
    ANSWERS_LATE = "answers_late"
    ANSWERS_VERY_LATE = "answers_very_late"
    CLAIM_ANSWERED = "claim_answered"
    CLAIM_ENDED = "claim_ended"
    ENDORSED = "endorsed"
    ENDORSEMENT_ENDED = "endorsement_ended"
    ADVISER_ANSWERED = "adviser_answered"
    REACTED = "reacted"
    MENTION = "mention"
    QUOTE = "quote"
    REPLY = "reply"
    THREAD_POST = "thread_post"
    BOARD_POST = "board_post"
    MAILS_STOPPED = "mails_stopped"
    BACKUP_FAILED = "backup_failed"
    WEBHOOK_OFF = "webhook_off"


# Of these kinds, at most one about each subject.
ONCE = "kind = 'standing_ended'"
# Of these, at most one for each member and case.
OF_CASES = (
    NotificationKind.CASE_WAITING,
    NotificationKind.CASE_URGENT,
    NotificationKind.CASE_HANDED_OVER,
    NotificationKind.CASE_OVERDUE,
    NotificationKind.CASE_WITHOUT_DECIDER,
)
# Of these, at most one for each member and talk that they have not read yet.
OF_TALKS = (NotificationKind.TALK_MESSAGE, NotificationKind.TALK_ANSWERED)
# Of these, at most one for each member that they have not read yet: many people may write to the charity in an hour.
OF_MESSAGES = (NotificationKind.MESSAGE_WAITING, NotificationKind.MESSAGE_URGENT)
# The same of reports that name no post, and of complaints about the service.
OF_REPORTS = (
    NotificationKind.PUBLIC_REPORT_WAITING,
    NotificationKind.PUBLIC_REPORT_URGENT,
    NotificationKind.SERVICE_COMPLAINT_WAITING,
)
# The same of threads that wait too long for an adviser.
OF_LATE_ANSWERS = (NotificationKind.ANSWERS_LATE, NotificationKind.ANSWERS_VERY_LATE)
# Of these, at most one for each member and concern; the last one names no concern, because its readers may not know it.
OF_CONCERNS = (
    NotificationKind.CONCERN_WAITING,
    NotificationKind.CONCERN_REVIEW,
    NotificationKind.CONCERN_DISCLOSURE,
    NotificationKind.CONCERN_WITHOUT_LEAD,
)
# Of this kind, at most one for each member that they have not read yet: several rules may be changed in a row.
UNREAD_ONCE = "kind = 'rules_changed' AND read_at IS NULL"
# Of this kind too: it tells of all reactions since, to whichever of their posts.
REACTED_UNREAD = "kind = 'reacted' AND read_at IS NULL"
# Of these, at most one for each member and thread that they have not read yet: each tells of several posts. One post is
# told to a member as one kind, the first of these that is so.
OF_NEW_POSTS = (
    NotificationKind.ADVISER_ANSWERED,
    NotificationKind.MENTION,
    NotificationKind.QUOTE,
    NotificationKind.REPLY,
    NotificationKind.THREAD_POST,
    NotificationKind.BOARD_POST,
)
UNREAD_OF_THREAD = "read_at IS NULL AND thread_id IS NOT NULL"
# Of what waits too long, or in vain: administrators are told once.
OF_WHAT_IS_LATE = (
    NotificationKind.PUBLIC_REPORT_OVERDUE,
    NotificationKind.SERVICE_COMPLAINT_OVERDUE,
    NotificationKind.SERVICE_COMPLAINT_WITHOUT_HEARER,
    NotificationKind.WEBHOOK_OFF,
)
# What staff are told of their work: a member who has no role any more does not see it.
FOR_STAFF = (
    *OF_CASES,
    *OF_CONCERNS,
    *OF_MESSAGES,
    *OF_REPORTS,
    *OF_WHAT_IS_LATE,
    *OF_LATE_ANSWERS,
    NotificationKind.ADDRESS_DISCLOSED,
    NotificationKind.CASE_TAKEN_OVER,
    NotificationKind.TALK_ANSWERED,
    NotificationKind.ASSESSMENT_DUE,
    NotificationKind.CLAIM_ANSWERED,
    NotificationKind.CLAIM_ENDED,
    NotificationKind.BACKUP_FAILED,
)
# No letter is sent because of these.
NOT_MAILED = (*FOR_STAFF, NotificationKind.REACTED)


def _listed(kinds: Iterable[NotificationKind]) -> str:
    return ", ".join(repr(str(kind)) for kind in kinds)


class Notification(SQLModel, table=True):
    """Something that a member should know: what it is about, and no text of it. A title is read where it is now."""

    __table_args__ = (
        check_one_of("kind", NotificationKind),
        Index("ix_notification_unread", "member_id", postgresql_where=text("read_at IS NULL")),
        Index("ix_notification_page", "member_id", "id"),
        Index("uq_notification_standing_ended", "subject_id", unique=True, postgresql_where=text(ONCE)),
        CheckConstraint("(thread_id IS NULL) = (numbers IS NULL) AND cardinality(numbers) > 0", name="numbers"),
        Index(
            "uq_notification_thread",
            "member_id",
            "kind",
            "thread_id",
            unique=True,
            postgresql_where=text(UNREAD_OF_THREAD),
        ),
        Index("uq_notification_rules", "member_id", unique=True, postgresql_where=text(UNREAD_ONCE)),
        Index("uq_notification_reacted", "member_id", unique=True, postgresql_where=text(REACTED_UNREAD)),
        Index(
            "uq_notification_case",
            "subject_id",
            "member_id",
            "kind",
            unique=True,
            postgresql_where=text(f"kind IN ({_listed(OF_CASES)})"),
        ),
        Index(
            "uq_notification_talk",
            "subject_id",
            "member_id",
            "kind",
            unique=True,
            postgresql_where=text(f"kind IN ({_listed(OF_TALKS)}) AND read_at IS NULL"),
        ),
        Index(
            "uq_notification_concern",
            "member_id",
            "kind",
            "subject_id",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=text(f"kind IN ({_listed(OF_CONCERNS)})"),
        ),
        Index(
            "uq_notification_message",
            "member_id",
            "kind",
            unique=True,
            postgresql_where=text(f"kind IN ({_listed(OF_MESSAGES)}) AND read_at IS NULL"),
        ),
        Index(
            "uq_notification_late",
            "member_id",
            "kind",
            unique=True,
            postgresql_where=text(f"kind IN ({_listed(OF_LATE_ANSWERS)}) AND read_at IS NULL"),
        ),
        Index(
            "uq_notification_report",
            "member_id",
            "kind",
            unique=True,
            postgresql_where=text(f"kind IN ({_listed(OF_REPORTS)}) AND read_at IS NULL"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE")
    kind: str
    post_id: int | None = Field(default=None, sa_type=BigInteger, foreign_key="post.id")
    subject_id: UUID | None = Field(default=None, description="Of the statement, report, appeal, case, talk …")
    thread_id: int | None = Field(
        default=None, sa_type=BigInteger, foreign_key="thread.id", description="Of new posts: their thread"
    )
    numbers: list[int] | None = Field(default=None, sa_type=ARRAY(Integer), description="Of new posts: which")
    at: datetime = Field(sa_type=Moment)
    read_at: datetime | None = Field(default=None, sa_type=Moment)


BY_ID = TypeAdapter(tuple[UUID])


class NotificationPage(NamedTuple):
    """Some notifications, the cursor of the next page, and how many are unread in all."""

    rows: Sequence[Any]
    next: str | None
    unread: int


# The viewer may know of the post: it is their own, or it exists for them where it is now.
_POST_SEEN = or_(col(Post.author_id) == any_(VIEWER_PERSONAS), POST_VISIBLE)

# The new posts that a notification tells of, as far as readers see them now.
_NewPost, _NUMBERS = aliased(Post), rows_of(Notification).c.numbers  # of the table: SQLModel takes a list for more
_IS_NEW_POST = (
    col(_NewPost.thread_id) == col(Notification.thread_id),
    col(_NewPost.number) == any_(_NUMBERS),
    col(_NewPost.visibility) == Visibility.VISIBLE,
)
_NEW_POSTS = (
    select(
        func.nullif(func.count(), 0).label("count"),
        func.min(_NewPost.number).label("first"),
        func.max(_NewPost.number).label("last"),
    )
    .where(*_IS_NEW_POST)
    .correlate(Notification)
    .lateral("new_posts")
)
_NEW_POST_SEEN = and_(THREAD_VISIBLE, exists().where(*_IS_NEW_POST).correlate(Notification))


def _own(*wanted: Any, is_staff: bool) -> Query:
    """Return a select of these columns of the viewer's notifications, joined with each one's post.

    What is only about posts that the viewer may no longer see has disappeared.
    """
    found = (
        query(*wanted)
        .select_from(Notification)
        .outerjoin(Post, col(Post.id) == col(Notification.post_id))
        .outerjoin(Thread, col(Thread.id) == func.coalesce(col(Post.thread_id), col(Notification.thread_id)))
        .outerjoin(Board, col(Board.id) == col(Thread.board_id))
        .where(
            col(Notification.member_id) == VIEWER_ID,
            case(
                (col(Notification.thread_id).is_not(None), _NEW_POST_SEEN),
                else_=or_(col(Notification.post_id).is_(None), col(Notification.subject_id).is_not(None), _POST_SEEN),
            ),
        )
    )
    return found if is_staff else found.where(*(col(Notification.kind) != kind for kind in FOR_STAFF))


_COUNT_UNREAD = {
    is_staff: _own(func.count().label("unread"), is_staff=is_staff).where(col(Notification.read_at).is_(None))
    for is_staff in (False, True)
}
_UNREAD = {is_staff: Prepared(of_one) for is_staff, of_one in _COUNT_UNREAD.items()}
_UNREAD_OF_EACH = {is_staff: Prepared(for_each(of_one)) for is_staff, of_one in _COUNT_UNREAD.items()}


def select_notifications(viewer: Viewer, after: tuple[UUID] | None, limit: int) -> Query:
    """Return a select of the viewer's notifications, newest first, with the thread and number of each one's post.

    It is executed with the viewer's parameters. Of several new posts the number is the first one's that is seen.

    A report of a post that its reporter may no longer see is told of without the post. Of a thread of one's own that
    moved out of sight, one is told which it is, and not of a post to read.
    """
    page = _own(
        col(Notification.id),
        col(Notification.kind),
        case((POST_VISIBLE, col(Post.id))).label("post_id"),
        func.coalesce(col(Notification.thread_id), case((_POST_SEEN, col(Post.thread_id)))).label("thread_id"),
        case((col(Notification.thread_id).is_not(None), col(Thread.title))).label("thread_title"),
        func.coalesce(_NEW_POSTS.c.first, case((_POST_SEEN, col(Post.number)))).label("number"),
        _NEW_POSTS.c.last.label("last_number"),
        _NEW_POSTS.c.count.label("count"),
        col(Notification.subject_id),
        col(Notification.at),
        col(Notification.read_at),
        is_staff=viewer.is_staff,
    ).join(_NEW_POSTS, true())
    if after:
        page = page.where(col(Notification.id) < after[0])
    return page.order_by(col(Notification.id).desc()).limit(limit)


async def list_notifications(work: Work, viewer: Viewer, after: str | None, limit: int) -> NotificationPage:
    """Return a page of the viewer's notifications, newest first. Raises Invalid for a cursor of another list."""
    place = pagination.decode(after, BY_ID) if after is not None else None
    rows = (await work.session.execute(select_notifications(viewer, place, limit + 1), viewer.query_parameters)).all()
    page = pagination.page_of(rows, limit, lambda row: (str(row.id),))
    return NotificationPage(*page, unread=await count_unread_in_transaction(work, viewer))


async def has_news(session: AsyncSession, viewer: Viewer) -> bool:
    """Return whether the viewer has not read something of which letters tell."""
    mailed = (col(Notification.kind).not_in(NOT_MAILED), col(Notification.read_at).is_(None))
    unread = _own(col(Notification.id), is_staff=viewer.is_staff).where(*mailed).limit(1)
    return (await session.execute(unread, viewer.query_parameters)).first() is not None


async def count_unread(reader: Reader, viewer: Viewer) -> int:
    """Return how many notifications the viewer has not read."""
    return int((await reader.row(_UNREAD[viewer.is_staff], **viewer.query_parameters)).unread)


async def count_unread_of(reader: Reader, viewers: Collection[Viewer]) -> Mapping[Viewer, int]:
    """Return how many notifications each of these viewers has not read: in two statements, however many they are."""
    counted: dict[Viewer, int] = {}
    for is_staff, statement in _UNREAD_OF_EACH.items():
        some = [viewer for viewer in viewers if viewer.is_staff == is_staff]
        rows = await reader.rows(statement, viewers=as_each(some)) if some else ()
        counted.update({some[row.place]: row.unread for row in rows})
    return counted


async def count_unread_in_transaction(work: Work, viewer: Viewer) -> int:
    """Return how many notifications the viewer has not read, as it is in this transaction."""
    return int((await work.session.execute(_UNREAD[viewer.is_staff].query, viewer.query_parameters)).scalar_one())


async def notify(
    session: AsyncSession,
    member_id: UUID,
    kind: NotificationKind,
    now: datetime,
    *,
    post_id: int | None = None,
    subject_id: UUID | None = None,
) -> None:
    """Notify a member, in the transaction in which it happens."""
    session.add(Notification(member_id=member_id, kind=kind, post_id=post_id, subject_id=subject_id, at=now))
    await _mark_due(session, [member_id], kind, now)


async def notify_once(
    session: AsyncSession,
    member_id: UUID,
    kind: NotificationKind,
    now: datetime,
    *,
    post_id: int | None,
    subject_id: UUID,
) -> None:
    """Notify a member, unless there is such a notification about the same subject already; for the kinds of `ONCE`."""
    values = {"id": new_id(), "member_id": member_id, "kind": kind, "post_id": post_id, "subject_id": subject_id}
    added = (
        insert(Notification)
        .values(**values, at=now)
        .on_conflict_do_nothing(index_elements=[col(Notification.subject_id)], index_where=text(ONCE))
        .returning(col(Notification.member_id))
    )
    await _mark_due(session, (await session.execute(added)).scalars().all(), kind, now)


async def is_told(session: AsyncSession, kind: NotificationKind, subject_id: UUID) -> bool:
    """Return whether somebody was told this of a subject, and it was not withdrawn since."""
    told = exists().where(col(Notification.kind) == kind, col(Notification.subject_id) == subject_id)
    return bool((await session.execute(select(told))).scalar_one())


async def list_told_of(session: AsyncSession, kind: NotificationKind, subjects: Collection[UUID]) -> set[UUID]:
    """Return of which of these subjects somebody was told this, and it was not withdrawn since."""
    about = col(Notification.subject_id)
    told = select(about).where(col(Notification.kind) == kind, about.in_(subjects)).distinct()
    return {subject_id for subject_id in (await session.execute(told)).scalars() if subject_id}


async def notify_each(
    session: AsyncSession,
    members: Collection[UUID],
    kind: NotificationKind,
    now: datetime,
    *,
    subject_id: UUID | None = None,
) -> Sequence[UUID]:
    """Notify each of these members, but those who are told already: of cases, talks, messages and rules.

    Return who was not told before.
    """
    if not members:
        return []
    rows = [
        {"id": new_id(), "member_id": member_id, "kind": kind, "subject_id": subject_id, "at": now}
        for member_id in members
    ]
    added = insert(Notification).values(rows).on_conflict_do_nothing().returning(col(Notification.member_id))
    told = (await session.execute(added)).scalars().all()
    await _mark_due(session, told, kind, now)
    return told


async def _mark_due(session: AsyncSession, told: Collection[UUID], kind: NotificationKind, now: datetime) -> None:
    if kind not in NOT_MAILED:
        await letters.mark_due(session, told, now)


async def withdraw(
    session: AsyncSession,
    kinds: Collection[NotificationKind],
    subject_id: UUID | None,
    *,
    but_of: Collection[UUID] = (),
) -> None:
    """Delete the notifications of these kinds about a subject, but those of some members: it needs nobody else now."""
    told = (col(Notification.subject_id) == subject_id, col(Notification.kind).in_(kinds))
    await session.execute(delete(Notification).where(*told, col(Notification.member_id).not_in(but_of)))


async def mark_read(work: Work, viewer: Viewer, up_to: UUID) -> None:
    """Mark a notification and all before it as read. Idempotent."""
    own = (col(Notification.member_id) == viewer.id, col(Notification.id) <= up_to)
    unread = col(Notification.read_at).is_(None)
    await work.session.execute(update(Notification).where(*own, unread).values(read_at=work.now))


async def withdraw_but_about(
    session: AsyncSession, kinds: Collection[NotificationKind], subjects: Select[UUID] | Collection[UUID]
) -> None:
    """Delete the notifications of these kinds, but those about these subjects: the others wait no more."""
    over = (col(Notification.kind).in_(kinds), col(Notification.subject_id).not_in(subjects))
    await session.execute(delete(Notification).where(*over))
