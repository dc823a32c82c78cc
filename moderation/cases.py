"""Cases: what waits for a decision, and who is working on it."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ColumnElement,
    Index,
    Select,
    String,
    Uuid,
    and_,
    delete,
    exists,
    false,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy import case as case_when
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import Field, SQLModel, col

from forum.content.boards import Board
from forum.content.posts.tables import Post
from forum.content.threads.tables import Thread
from forum.core import jobs
from forum.core.database import Moment, Query, check_one_of, new_id, query, rows_of
from forum.core.errors import Conflict
from forum.core.figures import figure
from forum.core.jobs import Job
from forum.core.work import Work
from forum.members.queries import changer_of, get_changer, named_columns
from forum.members.tables import Member, Persona
from forum.members.viewer import Viewer
from forum.notifications import inbox
from moderation.case_priority import GRAVITY, Category, graver, priority, start_of

# Tells those who may decide a case that it waits; with `by`, that somebody handed it over.
ALERT = Job("alert_case")


class CaseKind(StrEnum):
    """What a case is about. A post has one case of its own, which is opened again when there is something new."""

    POST = "post"
    POSTS = "posts"  # several of one author, decided together, once
    MEMBER = "member"
    APPEAL = "appeal"


class CaseState(StrEnum):
    """Whether a case still waits to be decided."""

    OPEN = "open"
    DECIDED = "decided"


class Case(SQLModel, table=True):
    """Something to decide: a post, several, a member without a post, or an appeal against a decision about these.

    A database trigger holds its post in `case_post`; for a post, it also fills in the author as its subject, because
    the release before this one does not.
    """

    __tablename__ = "moderation_case"
    __table_args__ = (
        check_one_of("kind", CaseKind),
        check_one_of("state", CaseState),
        check_one_of("category", Category),
        CheckConstraint("(state = 'decided') = (decided_at IS NOT NULL)", name="decided"),
        CheckConstraint("kind = 'appeal' OR (kind = 'member') = (post_id IS NULL)", name="post"),
        Index("uq_moderation_case_post", "post_id", unique=True, postgresql_where=text("kind = 'post'")),
        Index(
            "uq_moderation_case_member",
            "subject_persona_id",
            unique=True,
            postgresql_where=text("kind = 'member' AND state = 'open'"),
        ),
        Index("ix_moderation_case_decided", "decided_at", "id", postgresql_where=text("state = 'decided'")),
        Index("ix_moderation_case_queue", "priority", "due_at", "id", postgresql_where=text("state = 'open'")),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    kind: str
    subject_persona_id: UUID = Field(foreign_key="persona.id", index=True, description="Whom it is about")
    post_id: int | None = Field(
        default=None, sa_type=BigInteger, foreign_key="post.id", index=True, description="The first that it holds"
    )
    state: str = CaseState.OPEN
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
    decided_revision: int | None = Field(default=None, description="The first post's revision that was decided on")
    changed_at: datetime = Field(sa_type=Moment)
    changed_by: UUID | None = Field(default=None, foreign_key="member.id")
    dangers: list[str] = Field(
        default_factory=list,
        sa_type=ARRAY(String),
        sa_column_kwargs={"server_default": text("'{}'")},
        description="The kinds of acute danger that screening found",
    )
    is_flagged: bool = Field(
        default=False,
        sa_column_kwargs={"server_default": false()},
        description="Whether a trusted flagger reported it: it is one step graver than its category",
    )
    calls: bool = Field(
        default=True,
        sa_column_kwargs={"server_default": text("true")},
        description="Whether a grave one calls people; one of a worry waits in the queue",
    )
    danger_at: datetime | None = Field(
        default=None, sa_type=Moment, description="When words of danger were found in it last"
    )
    barred_id: UUID | None = Field(
        default=None,
        foreign_key="member.id",
        description="Took the decision that is looked at again, here or on the old board: another decides",
    )


class CasePost(SQLModel, table=True):
    """A post that a case holds. It is in one open case at most, besides appeals."""

    __tablename__ = "case_post"
    __table_args__ = (Index("uq_case_post_open", "post_id", unique=True, postgresql_where=text("is_open")),)

    case_id: UUID = Field(primary_key=True, foreign_key="moderation_case.id", ondelete="CASCADE")
    post_id: int = Field(sa_type=BigInteger, primary_key=True, foreign_key="post.id", index=True)
    revision: int | None = Field(default=None, description="That was decided on")
    title_revision: int | None = Field(default=None, description="Of its thread's title: that was decided on")
    is_open: bool = Field(description="As its case is, unless that is an appeal's; a trigger on cases keeps it so")


FIGURES = (
    figure(
        "forum_cases_open", "Cases that nobody has decided", "count(*)", "FROM moderation_case WHERE state = 'open'"
    ),
    figure(
        "forum_cases_overdue",
        "Cases whose time has passed and that nobody has decided",
        "count(*)",
        "FROM moderation_case WHERE state = 'open' AND due_at <= now()",
    ),
)


class CaseClaim(SQLModel, table=True):
    """Who is working on a case, and until when. The primary key allows one at a time.

    One that ran out stays until the case is claimed again or decided: whoever let it run out is away.
    """

    __tablename__ = "case_claim"

    case_id: UUID = Field(primary_key=True, foreign_key="moderation_case.id", ondelete="CASCADE")
    moderator_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", index=True)
    claimed_at: datetime = Field(sa_type=Moment)
    until: datetime = Field(sa_type=Moment, index=True)


class CaseRecusal(SQLModel, table=True):
    """A moderator who stepped back from a case, for good."""

    __tablename__ = "case_recusal"

    case_id: UUID = Field(primary_key=True, foreign_key="moderation_case.id", ondelete="CASCADE")
    moderator_id: UUID = Field(primary_key=True, foreign_key="member.id", ondelete="CASCADE")
    at: datetime = Field(sa_type=Moment)


class CaseNote(SQLModel, table=True):
    """What a moderator tells the other moderators about a case."""

    __tablename__ = "case_note"

    id: UUID = Field(default_factory=new_id, primary_key=True)
    case_id: UUID = Field(foreign_key="moderation_case.id", ondelete="CASCADE", index=True)
    author_id: UUID = Field(foreign_key="member.id")
    text: str
    at: datetime = Field(sa_type=Moment)


class CaseDanger(NamedTuple):
    """What screening found of danger in a text: the acute kinds, and within what time somebody should decide."""

    kinds: frozenset[str]
    within: timedelta

    @property
    def calls(self) -> bool:
        """Whether it calls people: a worry waits in the queue."""
        return bool(self.kinds)


class Revisions(NamedTuple):
    """What was on a screen: the revision of a post, and of its thread's title where it is the opening post."""

    post: int | None
    title: int | None


def with_board_of_case(of_cases: Query) -> Query:
    """Return the same select of cases, joined with the first post, thread and board of each that holds a post."""
    posts = of_cases.outerjoin(Post, col(Post.id) == col(Case.post_id))
    threads = posts.outerjoin(Thread, col(Thread.id) == col(Post.thread_id))
    return threads.outerjoin(Board, col(Board.id) == col(Thread.board_id))


def posts_of(case_id: Any) -> Select[int]:
    """Return a select of the ids of the posts that a case holds."""
    return select(col(CasePost.post_id)).where(col(CasePost.case_id) == case_id).correlate_except(CasePost)


def cases_on_same_member(case_id: Any) -> Select[UUID]:
    """Return a select of the ids of the cases without a post about the same member, if a case is one; appeals too."""
    other, this = aliased(Case), aliased(Case)
    same = select(col(other.id)).join(this, col(this.subject_persona_id) == col(other.subject_persona_id))
    without_post = (col(this.post_id).is_(None), col(other.post_id).is_(None))
    return same.where(col(this.id) == case_id, *without_post).correlate_except(other, this)


def select_notes(case_id: UUID) -> Query:
    """Return a select of what moderators wrote about a case, oldest first."""
    return (
        query(
            col(CaseNote.id),
            col(CaseNote.text),
            col(CaseNote.at),
            *named_columns(Member, "author"),
        )
        .join(Member, col(Member.id) == col(CaseNote.author_id))
        .where(col(CaseNote.case_id) == case_id)
        .order_by(col(CaseNote.at), col(CaseNote.id))
    )


async def get_case_of_post(session: AsyncSession, post_id: int) -> Case | None:
    """Return the case that a post is in: the open one, else the one that was decided last, if there ever was one."""
    holding = select(col(CasePost.case_id)).where(col(CasePost.post_id) == post_id)
    found = (
        select(Case)
        .where(col(Case.id).in_(holding), col(Case.kind) != CaseKind.APPEAL)
        .order_by(col(Case.state) == CaseState.DECIDED, col(Case.decided_at).desc(), col(Case.id).desc())
        .limit(1)
    )
    return (await session.execute(found)).scalar_one_or_none()


async def get_decided_revisions(session: AsyncSession, case_id: UUID, post_id: int) -> Revisions:
    """Return the revision of a post, and that of its thread's title, on which its case was decided last, if it was."""
    this = (col(CasePost.case_id) == case_id, col(CasePost.post_id) == post_id)
    decided = select(col(CasePost.revision), col(CasePost.title_revision)).where(*this)
    return Revisions._make((await session.execute(decided)).one())


async def lock_case_row(session: AsyncSession, case_id: UUID) -> Case:
    """Return the case, locked until the transaction ends."""
    found = select(Case).where(col(Case.id) == case_id).with_for_update(key_share=True)
    return (await session.execute(found, execution_options={"populate_existing": True})).scalar_one()


def is_appeal(case_id: Any) -> ColumnElement[bool]:
    """Return the condition that a case is an appeal."""
    this = aliased(Case)
    return exists().where(col(this.id) == case_id, col(this.kind) == CaseKind.APPEAL).correlate_except(this)


def has_recused(case_id: Any, moderator_id: Any) -> ColumnElement[bool]:
    """Return the condition that a moderator stepped back from this case, or from another about the same.

    That is one about the same post, or about the same member without a post; an appeal's, too.
    """
    held, here = aliased(CasePost), aliased(CasePost)
    on_post = select(col(held.case_id)).join(here, col(here.post_id) == col(held.post_id))
    on_post = on_post.where(col(here.case_id) == case_id).correlate_except(held, here)
    same = or_(col(CaseRecusal.case_id).in_(on_post), col(CaseRecusal.case_id).in_(cases_on_same_member(case_id)))
    return exists().where(col(CaseRecusal.moderator_id) == moderator_id, same).correlate_except(CaseRecusal)


# Actions


async def open_on_post(
    session: AsyncSession,
    post_id: int,
    category: Category,
    now: datetime,
    *,
    reports: int = 0,
    reporter_score: int = 0,
    is_flagged: bool = False,
    findings: int = 0,
    danger: CaseDanger | None = None,
) -> Case:
    """Open the case of this post, or open it again if it was decided. Return it, locked.

    A post has one case of its own, unless an open one of several holds it. If it is open already, the graver category
    and the earlier due time stay. Whoever is called by a case is called again only by another kind of danger.
    """
    due_at, before = now + (danger.within if danger else start_of(category, is_flagged=is_flagged)[1]), None
    case = await _lock_case_with_others(session, post_id)
    if case is None:
        await _insert_unless_there(session, post_id, category, now)
        found = (
            select(Case)
            .where(col(Case.post_id) == post_id, col(Case.kind) == CaseKind.POST)
            .with_for_update(key_share=True)
        )
        case = (await session.execute(found, execution_options={"populate_existing": True})).scalar_one()
    called = set[str]()
    if case.version == 0 or case.state == CaseState.DECIDED:  # new, or to be decided again
        case.state, case.decided_at, case.category = CaseState.OPEN, None, category
        case.reports, case.findings = reports, findings
        case.opened_at, case.due_at, case.is_flagged = now, due_at, is_flagged
        case.dangers, case.calls = [], danger is None or danger.calls
    else:
        before, called = (case.category, case.calls), set(case.dangers)
        case.category = graver(Category(case.category), category)
        # Of what is as grave as the case is now, one call is enough.
        case.calls = (case.calls and case.category == before[0]) or (
            case.category == category and (danger is None or danger.calls)
        )
        # Screening reads all of the words each time: what it found before, it finds again, or it is gone.
        case.reports, case.findings = case.reports + reports, max(case.findings, findings)
        case.due_at, case.is_flagged = min(case.due_at, due_at), case.is_flagged or is_flagged
    if danger:
        case.dangers, case.danger_at = sorted({*case.dangers, *danger.kinds}), now
    _reckon(case, reporter_score)
    raise_version(case, None, now)
    await session.flush()
    is_new_danger = before is not None and not called.issuperset(case.dangers)
    if (case.category, case.calls) != before or is_new_danger:
        await enqueue_alert(session, case.id, anew=is_new_danger)
    return case


async def note_danger(session: AsyncSession, case: Case, danger: CaseDanger, now: datetime, *, is_new: bool) -> None:
    """Note what danger was found in an open case about a member, whose row the caller has locked.

    Whoever was called by it before is called again by another kind of danger.
    """
    is_new_danger = not danger.kinds.issubset(case.dangers)
    case.dangers, case.danger_at = sorted({*case.dangers, *danger.kinds}), now
    case.due_at = min(case.due_at, now + danger.within)
    await session.flush()
    if is_new_danger and not is_new:
        raise_version(case, None, now)
        await session.flush()
        await enqueue_alert(session, case.id, anew=True)


async def lock_case_of_night(session: AsyncSession, post: Post, since: datetime) -> Case | None:
    """Return the open case of danger of the author of a post on the same board, locked, if there is one since then.

    On the same board, for a case of several boards is seen by those alone who moderate all of them. Of two posts at
    once, the second waits here for the first one's case.
    """
    await session.execute(
        select(col(Persona.id)).where(col(Persona.id) == post.author_id).with_for_update(key_share=True)
    )
    first, thread, here = aliased(Post), aliased(Thread), aliased(Thread)
    found = (
        select(Case)
        .join(first, col(first.id) == col(Case.post_id))
        .join(thread, col(thread.id) == col(first.thread_id))
        .join(here, and_(col(here.id) == post.thread_id, col(here.board_id) == col(thread.board_id)))
        .where(
            col(Case.subject_persona_id) == post.author_id,
            col(Case.state) == CaseState.OPEN,
            col(Case.kind).in_((CaseKind.POST, CaseKind.POSTS)),
            col(Case.danger_at) >= since,
        )
        .order_by(col(Case.danger_at).desc(), col(Case.id))
        .limit(1)
        .with_for_update(of=Case, key_share=True)
    )
    return (await session.execute(found, execution_options={"populate_existing": True})).scalar_one_or_none()


async def join(session: AsyncSession, case: Case, post_id: int) -> None:
    """Have an open case, whose row the caller has locked, hold this post too, which is in no open case yet."""
    case.kind = CaseKind.POSTS
    await hold_posts(session, case, select(col(Post.id)).where(col(Post.id) == post_id))
    await session.flush()


async def _lock_case_with_others(session: AsyncSession, post_id: int) -> Case | None:
    """Return the open case of several posts that holds this one, locked, if there is one."""
    holding = select(col(CasePost.case_id)).where(col(CasePost.post_id) == post_id, col(CasePost.is_open))
    found = select(Case).where(
        col(Case.id).in_(holding), col(Case.kind) == CaseKind.POSTS, col(Case.state) == CaseState.OPEN
    )
    locked = found.with_for_update(key_share=True)
    return (await session.execute(locked, execution_options={"populate_existing": True})).scalar_one_or_none()


async def make_graver(session: AsyncSession, case: Case, category: Category, now: datetime) -> None:
    """Make an open case, whose row the caller has locked, at least this grave."""
    before, case.category = (case.category, case.calls), graver(Category(case.category), category)
    case.calls = case.calls or case.category == category
    case.due_at = min(case.due_at, now + GRAVITY[category][1])
    _reckon(case)
    raise_version(case, None, now)
    await session.flush()
    if (case.category, case.calls) != before:
        await enqueue_alert(session, case.id)


async def enqueue_alert(session: AsyncSession, case_id: UUID, *, by: UUID | None = None, anew: bool = False) -> None:
    """Have those who may decide a case be told that it waits, or that somebody handed it over.

    With `anew`, also those who were told before: there is something new.
    """
    payload = {"case": str(case_id)} | ({"by": str(by)} if by else {}) | ({"anew": "1"} if anew else {})
    await jobs.enqueue(session, ALERT, payload)


async def lock_open_case_of_member(session: AsyncSession, persona_id: UUID) -> Case | None:
    """Return the open case about a member without a post, locked, if there is one.

    Of two who look for it at once, the second waits here for the case that the first one opens.
    """
    await session.execute(select(col(Persona.id)).where(col(Persona.id) == persona_id).with_for_update(key_share=True))
    this = (col(Case.subject_persona_id) == persona_id, col(Case.kind) == CaseKind.MEMBER)
    found = select(Case).where(*this, col(Case.state) == CaseState.OPEN).with_for_update(key_share=True)
    return (await session.execute(found, execution_options={"populate_existing": True})).scalar_one_or_none()


async def open_on_member(
    session: AsyncSession, persona_id: UUID, category: Category | None, now: datetime
) -> tuple[Case, bool]:
    """Open a case about a member without a post, or find the open one. Return it, locked, and whether it is new.

    One that is open already gets a graver category.
    """
    case = await lock_open_case_of_member(session, persona_id)
    is_new = case is None
    if case is None:
        case = _new_case(CaseKind.MEMBER, persona_id, category or Category.OTHER, now)
        session.add(case)
        await session.flush()
        await enqueue_alert(session, case.id)
    elif category:
        await make_graver(session, case, category, now)
    return case, is_new


def _new_case(kind: CaseKind, persona_id: UUID, category: Category, now: datetime) -> Case:
    return Case(
        kind=kind,
        subject_persona_id=persona_id,
        category=category,
        priority=priority(category, 0),
        opened_at=now,
        due_at=now + GRAVITY[category][1],
        changed_at=now,
    )


async def _insert_unless_there(session: AsyncSession, post_id: int, category: Category, now: datetime) -> None:
    """Insert a case of version 0. Of two who report at once, the second waits here for the first one's case."""
    row = insert(Case).values(
        id=new_id(),
        kind=CaseKind.POST,
        post_id=post_id,
        subject_persona_id=select(col(Post.author_id)).where(col(Post.id) == post_id).scalar_subquery(),
        category=category,
        reports=0,
        findings=0,
        state=CaseState.OPEN,
        version=0,
        priority=0,
        opened_at=now,
        due_at=now + GRAVITY[category][1],
        changed_at=now,
    )
    await session.execute(
        row.on_conflict_do_nothing(index_elements=[col(Case.post_id)], index_where=text("kind = 'post'"))
    )


async def refuse_decided(session: AsyncSession, case: Case) -> None:
    """Return when the case is open. Raises Conflict, with who decided it and when, otherwise."""
    if case.state == CaseState.OPEN:
        return
    raise Conflict(
        "This case is decided already.",
        code="case_decided",
        changed_by=await get_changer(session, case.changed_by),
        changed_at=case.decided_at,
        current=case.version,
    )


async def refuse_unless_free(work: Work, moderator: Viewer, case: Case) -> None:
    """Return when the moderator may act on this case, whose row the caller has locked.

    Raises Conflict when it is decided already, or when somebody else is working on it.
    """
    await refuse_decided(work.session, case)
    claim = await work.session.get(CaseClaim, case.id, populate_existing=True)
    if claim and claim.until > work.now and claim.moderator_id != moderator.id:
        raise await claimed_by_another(work.session, case.id)


async def claimed_by_another(session: AsyncSession, case_id: UUID) -> Conflict:
    """Return the error that says who is working on a case, and until when."""
    claim = query(
        *(col(Member.handle), col(Member.name), col(Member.title)), col(CaseClaim.claimed_at), col(CaseClaim.until)
    ).join(CaseClaim, col(CaseClaim.moderator_id) == col(Member.id))
    row = (await session.execute(claim.where(col(CaseClaim.case_id) == case_id))).one()
    return Conflict(
        f"{row.name} is working on this case. You can take it over if you give a reason.",
        code="case_claimed",
        changed_by=changer_of(row),
        changed_at=row.claimed_at,
        until=row.until,
    )


def count_report(case: Case, reporter_score: int, *, is_flagged: bool = False) -> None:
    """Count one more member who reported what an open case, whose row the caller has locked, is about."""
    case.reports, case.is_flagged = case.reports + 1, case.is_flagged or is_flagged
    if is_flagged:
        case.due_at = min(case.due_at, case.opened_at + start_of(Category(case.category), is_flagged=True)[1])
    _reckon(case, reporter_score)


def discount_report(case: Case) -> None:
    """Count one report less: it was made by somebody who may decide, on sight."""
    case.reports -= 1
    _reckon(case)


def _reckon(case: Case, reporter_score: int = 0) -> None:
    case.priority = priority(
        Category(case.category), case.reports, reporter_score, case.findings, is_flagged=case.is_flagged
    )


async def hold_posts(session: AsyncSession, case: Case, posts: Select[int]) -> None:
    """Have a case hold these posts too; it holds its first by itself."""
    is_open = case.kind != CaseKind.APPEAL and case.state == CaseState.OPEN
    wanted = posts.subquery()
    rows = select(literal(case.id, Uuid()), wanted.c[0], literal(is_open))
    added = insert(CasePost).from_select(["case_id", "post_id", "is_open"], rows)
    await session.execute(added.on_conflict_do_nothing(index_elements=[col(CasePost.case_id), col(CasePost.post_id)]))


async def close(work: Work, moderator: Viewer, case: Case, revision: int | None) -> None:
    """Mark the case decided, on its posts as they are; the first, if there is one, is at `revision`. End its claim."""
    await mark_decided(work.session, case, revision, by=moderator, now=work.now)


async def mark_decided(
    session: AsyncSession, case: Case, revision: int | None, *, by: Viewer | None, now: datetime
) -> None:
    """Do the same, where perhaps nobody here decided it."""
    case.state, case.decided_at, case.decided_revision, case.barred_id = CaseState.DECIDED, now, revision, None
    raise_version(case, by, now)
    held = rows_of(CasePost)
    decided = update(held).where(
        held.c.case_id == case.id, held.c.post_id == col(Post.id), col(Thread.id) == col(Post.thread_id)
    )
    title_revision = case_when((col(Post.number) == 1, col(Thread.title_revision)))
    await session.execute(decided.values(revision=col(Post.revision), title_revision=title_revision))
    await session.execute(delete(CaseClaim).where(col(CaseClaim.case_id) == case.id))
    await session.flush()
    await inbox.withdraw(session, inbox.OF_CASES, case.id)


def raise_version(case: Case, by: Viewer | None, now: datetime) -> None:
    """Give the case a new version, so that a decision on what somebody saw before is refused."""
    case.version += 1
    case.changed_at, case.changed_by = now, by.id if by else None
