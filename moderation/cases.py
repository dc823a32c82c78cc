"""Cases: what waits for a moderator, worst first, and who is at it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    Index,
    and_,
    delete,
    exists,
    literal,
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import Field, SQLModel, col

from forum.content import boards
from forum.content.boards import Board
from forum.content.posts.tables import Post
from forum.content.threads.tables import Thread
from forum.core import audit, pagination
from forum.core.database import Moment, Query, columns, new_id, query
from forum.core.errors import Conflict
from forum.members.tables import Member, Role
from forum.members.viewer import Viewer

LEASE = timedelta(minutes=10)


class Kind(StrEnum):
    """What a case is about."""

    POST = "post"
    APPEAL = "appeal"


class State(StrEnum):
    """Whether a case still waits."""

    OPEN = "open"
    DECIDED = "decided"


class Category(StrEnum):
    """Why somebody should look, worst first."""

    RISK = "risk"
    INTIMATE_IMAGE = "intimate_image"
    ILLEGAL = "illegal"
    PERSONAL_INFORMATION = "personal_information"
    RULE = "rule"
    APPEAL = "appeal"
    HELD = "held"
    OTHER = "other"
    SPAM = "spam"


# Of each category: how grave it is, and within what time it should be decided.
GRAVITY: Mapping[Category, tuple[int, timedelta]] = {
    Category.RISK: (90, timedelta(hours=1)),
    Category.INTIMATE_IMAGE: (80, timedelta(hours=4)),
    Category.ILLEGAL: (70, timedelta(hours=12)),
    Category.PERSONAL_INFORMATION: (60, timedelta(hours=4)),
    Category.RULE: (40, timedelta(days=2)),
    Category.APPEAL: (35, timedelta(days=7)),
    Category.HELD: (30, timedelta(hours=12)),
    Category.OTHER: (20, timedelta(days=3)),
    Category.SPAM: (10, timedelta(days=3)),
}


class Case(SQLModel, table=True):
    """One thing to decide: a post, or an appeal against what was decided on one."""

    __tablename__ = "moderation_case"
    __table_args__ = (
        CheckConstraint("kind IN ('post', 'appeal')", name="kind"),
        CheckConstraint("state IN ('open', 'decided')", name="state"),
        CheckConstraint(f"category IN ({', '.join(repr(str(c)) for c in Category)})", name="category"),
        CheckConstraint("(state = 'decided') = (decided_at IS NOT NULL)", name="decided"),
        Index("uq_moderation_case_post", "post_id", unique=True, postgresql_where=text("kind = 'post'")),
        Index("ix_moderation_case_queue", "priority", "due_at", "id", postgresql_where=text("state = 'open'")),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    kind: str
    post_id: int = Field(sa_type=BigInteger, foreign_key="post.id", index=True)
    state: str = State.OPEN
    category: str
    reports: int = 0
    findings: int = Field(
        default=0, sa_column_kwargs={"server_default": text("0")}, description="What screening found, if it did"
    )
    priority: int = Field(description="Lower is worse, so that the queue's index is read forwards")
    version: int = 1
    opened_at: datetime = Field(sa_type=Moment)
    due_at: datetime = Field(sa_type=Moment)
    decided_at: datetime | None = Field(default=None, sa_type=Moment)
    decided_revision: int | None = Field(default=None, description="The post's revision that was decided on")
    changed_at: datetime = Field(sa_type=Moment)
    changed_by: UUID | None = Field(default=None, foreign_key="member.id")
    barred_id: UUID | None = Field(
        default=None, foreign_key="member.id", description="Whose dismissal was overturned: somebody else decides"
    )


class Claim(SQLModel, table=True):
    """Who is at a case, and until when: its key says that nobody else is."""

    __tablename__ = "case_claim"

    case_id: UUID = Field(primary_key=True, foreign_key="moderation_case.id", ondelete="CASCADE")
    moderator_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", index=True)
    claimed_at: datetime = Field(sa_type=Moment)
    until: datetime = Field(sa_type=Moment, index=True)


class Recusal(SQLModel, table=True):
    """Who stepped back from a case, for good."""

    __tablename__ = "case_recusal"

    case_id: UUID = Field(primary_key=True, foreign_key="moderation_case.id", ondelete="CASCADE")
    moderator_id: UUID = Field(primary_key=True, foreign_key="member.id", ondelete="CASCADE")
    at: datetime = Field(sa_type=Moment)


class Note(SQLModel, table=True):
    """What one moderator tells the others about a case."""

    __tablename__ = "case_note"

    id: UUID = Field(default_factory=new_id, primary_key=True)
    case_id: UUID = Field(foreign_key="moderation_case.id", ondelete="CASCADE", index=True)
    author_id: UUID = Field(foreign_key="member.id")
    text: str
    at: datetime = Field(sa_type=Moment)


# Where the queue goes on: the sort key of its last row.
BY_PRIORITY = TypeAdapter(tuple[int, pagination.Instant, UUID])


def priority(category: Category, reports: int, standing_of_reporters: int = 0, findings: int = 0) -> int:
    """How urgent a case is; lower is worse.

    The category's gravity leads; each further report (at most nine count), what screening found (at most four
    findings count) and the reporters' record (upheld minus dismissed reports, from -5 to 5) move it within its
    band, and so never past a graver one.
    """
    gravity, _ = GRAVITY[category]
    return -(gravity * 12 + min(reports, 9) * 5 + min(findings, 4) + max(-5, min(5, standing_of_reporters)))


def graver(one: Category, other: Category) -> Category:
    """The graver of two categories."""
    return max(one, other, key=lambda category: GRAVITY[category][0])


# Queries

_Author, _Holder = aliased(Member, name="author"), aliased(Member, name="holder")

_SEEN = (
    query(
        *columns(Case),
        col(Thread.id).label("thread_id"),
        col(Thread.title).label("thread_title"),
        col(Post.number).label("post_number"),
        col(Post.revision).label("post_revision"),
        col(Board.id).label("board_id"),
        col(Board.slug).label("board_slug"),
        col(Board.name).label("board_name"),
        col(_Author.id).label("author_id"),
        col(_Author.handle).label("author_handle"),
        col(_Author.name).label("author_name"),
        col(_Author.title).label("author_title"),
        col(_Holder.handle).label("holder_handle"),
        col(_Holder.name).label("holder_name"),
        col(_Holder.title).label("holder_title"),
        col(Claim.until).label("claimed_until"),
    )
    .join(Post, col(Post.id) == col(Case.post_id))
    .join(Thread, col(Thread.id) == col(Post.thread_id))
    .join(Board, col(Board.id) == col(Thread.board_id))
    .join(_Author, col(_Author.id) == col(Post.author_id))
)


def visible_to(viewer: Viewer) -> Any:
    """The condition, on Case joined with its board, that the case exists for the viewer.

    Moderators see their boards' cases; administrators see appeals and what was reopened by one, for they decide
    those that nobody else may.
    """
    seen = boards.moderated_by(viewer)
    if Role.ADMINISTRATOR in viewer.roles:
        return or_(seen, col(Case.kind) == Kind.APPEAL, col(Case.barred_id).is_not(None))
    return seen


def select_visible(viewer: Viewer, now: datetime) -> Query:
    """One row a case that exists for the viewer, with its post's place and whoever is at it."""
    live = and_(col(Claim.case_id) == col(Case.id), col(Claim.until) > now)
    return (
        _SEEN.outerjoin(Claim, live)
        .outerjoin(_Holder, col(_Holder.id) == col(Claim.moderator_id))
        .where(visible_to(viewer))
    )


def select_queue(viewer: Viewer, now: datetime, after: tuple[int, datetime, UUID] | None, limit: int) -> Query:
    """Open cases, worst first, then by when they are due."""
    key = (col(Case.priority), col(Case.due_at), col(Case.id))
    # As literals: with parameters in their place, PostgreSQL plans anew for each request, because a plan for
    # any state cannot use the queue's index, nor one for any limit know how soon it may stop.
    page = select_visible(viewer, now).where(col(Case.state) == literal(State.OPEN.value, literal_execute=True))
    if after:
        page = page.where(tuple_(*key) > tuple_(*after))
    return page.order_by(*key).limit(literal(limit, literal_execute=True))


def select_notes(case_id: UUID) -> Query:
    """What moderators wrote about a case, oldest first."""
    return (
        query(
            col(Note.id),
            col(Note.text),
            col(Note.at),
            col(Member.handle).label("author_handle"),
            col(Member.name).label("author_name"),
            col(Member.title).label("author_title"),
        )
        .join(Member, col(Member.id) == col(Note.author_id))
        .where(col(Note.case_id) == case_id)
        .order_by(col(Note.at), col(Note.id))
    )


async def get_case_of_post(session: AsyncSession, post_id: int) -> Case | None:
    """The case about a post itself, if there ever was one."""
    found = await session.execute(select(Case).where(col(Case.post_id) == post_id, col(Case.kind) == Kind.POST))
    return found.scalar_one_or_none()


async def lock_case_row(session: AsyncSession, case_id: UUID) -> Case:
    """The case as it is now, its row ours until the commit."""
    found = select(Case).where(col(Case.id) == case_id).with_for_update(key_share=True)
    return (await session.execute(found, execution_options={"populate_existing": True})).scalar_one()


def has_recused(post_id: int, moderator_id: Any) -> ColumnElement[bool]:
    """The condition that a moderator stepped back from a case about this post: its own, or an appeal's."""
    about = select(col(Case.id)).where(col(Case.post_id) == post_id)
    return exists().where(col(Recusal.moderator_id) == moderator_id, col(Recusal.case_id).in_(about))


# Verbs


async def open_on_post(
    session: AsyncSession,
    post_id: int,
    category: Category,
    now: datetime,
    *,
    reports: int = 0,
    record: int = 0,
    findings: int = 0,
) -> Case:
    """The case of this post: a new one, or the one there is, reopened if it was decided.

    One post has one case; the graver category and the earlier due time stay.
    """
    gravity_due = now + GRAVITY[category][1]
    fresh = insert(Case).values(
        id=new_id(),
        kind=Kind.POST,
        post_id=post_id,
        category=category,
        reports=reports,
        findings=findings,
        state=State.OPEN,
        version=0,
        priority=0,
        opened_at=now,
        due_at=gravity_due,
        changed_at=now,
    )
    await session.execute(
        fresh.on_conflict_do_nothing(index_elements=[col(Case.post_id)], index_where=text("kind = 'post'"))
    )
    found = (
        select(Case).where(col(Case.post_id) == post_id, col(Case.kind) == Kind.POST).with_for_update(key_share=True)
    )
    case = (await session.execute(found, execution_options={"populate_existing": True})).scalar_one()
    if case.state == State.DECIDED:
        case.state, case.decided_at, case.category = State.OPEN, None, category
        case.reports, case.findings = reports, findings
        case.opened_at, case.due_at = now, gravity_due
    elif case.version > 0:
        case.category = graver(Category(case.category), category)
        # Screening looks at all of the words each time; what it found before is found again, or gone.
        case.reports, case.findings = case.reports + reports, max(case.findings, findings)
        case.due_at = min(case.due_at, gravity_due)
    case.priority = priority(Category(case.category), case.reports, record, case.findings)
    raise_version(case, None, now)
    await session.flush()
    return case


async def claim(
    session: AsyncSession, moderator: Viewer, case_id: UUID, now: datetime, *, takeover_because: str | None = None
) -> Claim:
    """Take a case for ten minutes, or renew one's own claim.

    An expired claim of another is released in the statement that takes it. Raises Conflict, with who
    holds it and until when, unless `takeover_because` gives a reason to take it over; Conflict too for
    a decided case.
    """
    case = await lock_case_row(session, case_id)
    if case.state != State.OPEN:
        raise await already_decided(session, case)
    mine: dict[str, Any] = {"moderator_id": moderator.member_id, "claimed_at": now, "until": now + LEASE}
    taking = insert(Claim).values(case_id=case_id, **mine)
    free = or_(col(Claim.until) <= now, col(Claim.moderator_id) == moderator.member_id)
    taken = taking.on_conflict_do_update(
        index_elements=[col(Claim.case_id)], set_=mine, where=None if takeover_because else free
    ).returning(col(Claim.case_id))
    if (await session.execute(taken)).first() is None:
        raise await _held_by_another(session, case_id)
    act = "case.taken_over" if takeover_because else "case.claimed"
    if takeover_because:
        await add_note(session, moderator, case_id, takeover_because, now)
    await audit.record(session, actor_id=moderator.id, act=act, subject=("case", case_id), now=now)
    return Claim(case_id=case_id, **mine)


async def release(session: AsyncSession, moderator: Viewer, case_id: UUID, now: datetime) -> None:
    """Let go of one's own claim; done twice, it is as done once."""
    await lock_case_row(session, case_id)  # before the claim's row: whoever decides takes them in this order
    mine = delete(Claim).where(col(Claim.case_id) == case_id, col(Claim.moderator_id) == moderator.member_id)
    if (await session.execute(mine.returning(col(Claim.case_id)))).first():
        await audit.record(session, actor_id=moderator.id, act="case.released", subject=("case", case_id), now=now)


async def recuse(session: AsyncSession, moderator: Viewer, case_id: UUID, now: datetime) -> None:
    """Step back from a case for good; done twice, it is as done once."""
    row = insert(Recusal).values(case_id=case_id, moderator_id=moderator.member_id, at=now)
    added = row.on_conflict_do_nothing().returning(col(Recusal.case_id))
    if (await session.execute(added)).first():
        await release(session, moderator, case_id, now)
        await audit.record(session, actor_id=moderator.id, act="case.recused", subject=("case", case_id), now=now)


async def add_note(session: AsyncSession, moderator: Viewer, case_id: UUID, words: str, now: datetime) -> Note:
    """Tell the other moderators something; whoever is at the case stays at it for ten minutes more."""
    written = Note(case_id=case_id, author_id=moderator.member_id, text=words, at=now)
    session.add(written)
    mine = and_(col(Claim.case_id) == case_id, col(Claim.moderator_id) == moderator.member_id, col(Claim.until) > now)
    await session.execute(update(Claim).where(mine).values(until=now + LEASE))
    await session.flush()
    return written


async def refuse_unless_free(session: AsyncSession, moderator: Viewer, case: Case, now: datetime) -> None:
    """Return when the moderator may act on this case, whose row the caller holds.

    Raises Conflict when it is decided already, or somebody else is at it.
    """
    if case.state != State.OPEN:
        raise await already_decided(session, case)
    holder = await session.get(Claim, case.id, populate_existing=True)
    if holder and holder.until > now and holder.moderator_id != moderator.id:
        raise await _held_by_another(session, case.id)


async def close(session: AsyncSession, moderator: Viewer, case: Case, revision: int, now: datetime) -> None:
    """The case is decided, on the words that `revision` of the post has, and nobody is at it any more."""
    case.state, case.decided_at, case.decided_revision, case.barred_id = State.DECIDED, now, revision, None
    raise_version(case, moderator, now)
    await session.execute(delete(Claim).where(col(Claim.case_id) == case.id))
    await session.flush()


async def tidy(session: AsyncSession, now: datetime) -> None:
    """Delete claims that ran out."""
    await session.execute(delete(Claim).where(col(Claim.until) <= now))


def raise_version(case: Case, by: Viewer | None, now: datetime) -> None:
    """The case is not what it was: whoever looks at an older version is told."""
    case.version += 1
    case.changed_at, case.changed_by = now, by.id if by else None


async def already_decided(session: AsyncSession, case: Case) -> Conflict:
    """What the second of two moderators is told: who decided, and when."""
    winner = await session.get(Member, case.changed_by) if case.changed_by else None
    return Conflict(
        "This case is decided already.",
        changed_by=winner.name if winner else None,
        changed_at=case.decided_at,
        current=case.version,
    )


async def _held_by_another(session: AsyncSession, case_id: UUID) -> Conflict:
    held = select(col(Member.name), col(Claim.claimed_at), col(Claim.until)).join(
        Claim, col(Claim.moderator_id) == col(Member.id)
    )
    row = (await session.execute(held.where(col(Claim.case_id) == case_id))).one()
    return Conflict(
        f"{row.name} is at this case. You can take it over, with a reason.",
        changed_by=row.name,
        changed_at=row.claimed_at,
        until=row.until,
    )
