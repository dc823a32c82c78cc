"""Decisions: a moderator decides a case, and all that follows from it happens together."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, UniqueConstraint, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.content.posts.revisions import lock_post_row, refuse_stale_post
from forum.content.posts.tables import Post, Visibility
from forum.content.threads.actions import lock_posts_of_thread
from forum.content.threads.tables import Thread
from forum.core import audit, jobs
from forum.core.database import Moment, new_id
from forum.core.errors import Forbidden, Invalid, Stale
from forum.core.jobs import Job
from forum.members.roles import is_staff
from forum.members.standing import standing_at, standing_of
from forum.members.tables import Member, Role, RoleGrant, Standing
from forum.members.viewer import Viewer
from forum.notifications import inbox
from moderation import cases, enforcement, redaction, reports, rules, statements
from moderation.cases import Case
from moderation.enforcement.measures import IDLE, MEASURES
from moderation.enforcement.tables import SOMEBODY, TEXTUAL, AppliedMeasure, Kind, Scene, Target, Wanted
from moderation.reports import Outcome
from moderation.rules import Rule
from moderation.statements import Statement

NOBODY = "nobody"  # is left to decide

# What is to be done when a measure that ran until some time has run out.
STANDING_ENDED = Job("standing_ended")


class Decision(SQLModel, table=True):
    """What somebody decided, on what they saw. One that hears an appeal names the decision it is about."""

    __table_args__ = (
        UniqueConstraint("id", "decided_by"),
        ForeignKeyConstraint(["hears", "hears_decided_by"], ["decision.id", "decision.decided_by"]),
        CheckConstraint("hears_decided_by <> decided_by", name="heard_by_another"),
        CheckConstraint("(hears IS NULL) = (hears_decided_by IS NULL)", name="hears"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    case_id: UUID = Field(foreign_key="moderation_case.id", index=True)
    decided_by: UUID = Field(foreign_key="member.id", index=True)
    decided_at: datetime = Field(sa_type=Moment)
    case_version: int
    revision: int
    reason: str = Field(description="Told to the author")
    note: str | None = Field(description="For moderators only")
    hears: UUID | None = None
    hears_decided_by: UUID | None = None


class DecisionRule(SQLModel, table=True):
    """A rule, in the version that stood, that a decision cites."""

    __tablename__ = "decision_rule"
    __table_args__ = (ForeignKeyConstraint(["number", "version"], ["rule.number", "rule.version"]),)

    decision_id: UUID = Field(primary_key=True, foreign_key="decision.id")
    number: int = Field(primary_key=True)
    version: int


@dataclass(frozen=True)
class Habits:
    """How this house decides: whether readers see moderators' names, and how long one may appeal."""

    names_moderators: bool
    appeal_for: timedelta


@dataclass(frozen=True)
class Verdict:
    """What a moderator decides, and the case's version and the post's revision that were on the screen."""

    version: int
    revision: int
    measures: tuple[Wanted, ...]
    reason: str
    rules: tuple[int, ...] = ()
    note: str | None = None
    law: str | None = None

    @property
    def is_grounded(self) -> bool:
        """Whether it names a rule or a law that was broken."""
        return bool(self.rules or self.law)


@dataclass(frozen=True)
class Decided:
    """A decision, what the post's author is told of it, if anything, and who that is."""

    decision: Decision
    statement: Statement | None
    author_id: UUID


# Queries


async def deciders(session: AsyncSession, case: Any) -> str | None:
    """Who else can decide, as `free_to_decide` has it, a case that an appeal opened again; None for other cases."""
    return await free_to_decide(session, case.id, {case.barred_id}) if case.barred_id else None


async def free_to_decide(session: AsyncSession, case_id: UUID, but_not: Collection[UUID]) -> str:
    """Who is left: "moderator", "administrator" where there is no moderator, or "nobody".

    Free is who is in good standing, did not write or report the post, and did not step back from it.
    """
    post = (
        select(col(Post.id), col(Post.author_id), col(Thread.board_id))
        .join(Thread, col(Thread.id) == col(Post.thread_id))
        .join(Case, col(Case.post_id) == col(Post.id))
        .where(col(Case.id) == case_id)
    )
    place = (await session.execute(post)).one()
    free = (
        select(col(RoleGrant.role))
        .join(Member, col(Member.id) == col(RoleGrant.member_id))
        .where(
            col(Member.id).not_in([*but_not, place.author_id]),
            standing_at(func.now()) == Standing.ACTIVE,
            ~reports.reported_by(place.id, col(Member.id)),
            ~cases.stepped_back(place.id, col(Member.id)),
            or_(col(RoleGrant.board_id).is_(None), col(RoleGrant.board_id) == place.board_id),
        )
    )
    roles = set((await session.execute(free)).scalars().all())
    return next((role for role in (Role.MODERATOR, Role.ADMINISTRATOR) if role in roles), NOBODY)


# Verbs


async def decide(
    session: AsyncSession, moderator: Viewer, case_id: UUID, verdict: Verdict, habits: Habits, now: datetime
) -> Decided:
    """Decide a case about a post.

    Raises Conflict when it is decided or somebody else is at it, Stale when the case or the post moved
    on, Forbidden in one's own interest, and Invalid for measures that make no sense.
    """
    post, case = await hold(session, case_id)
    await cases.refuse_unless_free(session, moderator, case, now)
    await refuse_stale(session, case, post, verdict)
    await refuse_own_interest(session, moderator, post, verdict.measures)
    await refuse_second_say(session, moderator, case)
    enforcement.refuse_nonsense(verdict.measures, now, grounded=verdict.is_grounded)
    _refuse_to_leave_waiting(post, verdict)
    cited = await rules.cited(session, verdict.rules)

    decision = await write(session, moderator, case, post, verdict, cited, now)
    statement = await enforce(session, moderator, case, post, decision, verdict, cited, habits, now)

    _tell_author(session, post, verdict, statement, now)
    await reports.settle(session, case, _outcome(verdict), now)
    await cases.close(session, moderator, case, post.revision, now)
    await audit.record(
        session,
        actor_id=moderator.id,
        act="case.decided",
        subject=("case", case.id),
        now=now,
        details={"decision": str(decision.id), "measures": [str(measure.kind) for measure in verdict.measures]},
    )
    return Decided(decision, statement, post.author_id)


async def hold(session: AsyncSession, case_id: UUID) -> tuple[Post, Case]:
    """A case and its post, both rows ours until the commit, and no other post of the thread changes meanwhile.

    The order is the same everywhere, so that nobody waits in a circle: a thread's posts, post, case,
    thread, and the record last.
    """
    about = select(col(Post.id), col(Post.thread_id)).join(Case, col(Case.post_id) == col(Post.id))
    found = (await session.execute(about.where(col(Case.id) == case_id))).one()
    await lock_posts_of_thread(session, found.thread_id, alone=True)
    post = await lock_post_row(session, found.id)
    return post, await cases.hold(session, case_id)


async def refuse_stale(session: AsyncSession, case: Case, post: Post, verdict: Verdict) -> None:
    """Raise Stale, with what changed, by whom and when, unless both are as they were on the screen."""
    if post.revision != verdict.revision:
        await refuse_stale_post(session, post, verdict.revision)
    if case.version != verdict.version:
        raise Stale(
            "This case changed while you were looking at it: there are new reports, or it was opened again.",
            current=case.version,
            changed_by=None,
            changed_at=case.changed_at,
        )


async def refuse_own_interest(
    session: AsyncSession, moderator: Viewer, post: Post, measures: tuple[Wanted, ...]
) -> None:
    """Raise Forbidden for one's own post, one that one reported oneself, or one whose case one stepped back from."""
    if post.author_id == moderator.id:
        raise Forbidden("You wrote this post: somebody else decides.")
    if (await session.execute(select(reports.reported_by(post.id, moderator.id)))).scalar_one():
        raise Forbidden("You reported this post: somebody else decides.")
    if (await session.execute(select(cases.stepped_back(post.id, moderator.id)))).scalar_one():
        raise Forbidden("You stepped back from this case: somebody else decides.")
    on_author = any(MEASURES[measure.kind].acts_on == Target.AUTHOR for measure in measures)
    if on_author and Role.ADMINISTRATOR not in moderator.roles and await is_staff(session, post.author_id):
        raise Forbidden("The author works here: only an administrator decides about their standing.")


async def refuse_second_say(session: AsyncSession, moderator: Viewer, case: Any) -> None:
    """Raise Forbidden for whoever dismissed what an appeal opened again, as long as somebody else can decide it."""
    if case.barred_id == moderator.id and await deciders(session, case) != NOBODY:
        raise Forbidden("Your dismissal of this was overturned: somebody else decides.")


def _refuse_to_leave_waiting(post: Post, verdict: Verdict) -> None:
    """Raise Invalid unless a held post comes out or goes: decided and still held, nobody would look at it again."""
    if post.visibility == Visibility.HELD and not {measure.kind for measure in verdict.measures} & {
        Kind.PUBLISH,
        Kind.REMOVE,
    }:
        raise Invalid("This post waits for you: publish or remove it.", "#/measures")


async def write(
    session: AsyncSession,
    moderator: Viewer,
    case: Case,
    post: Post,
    verdict: Verdict,
    cited: list[Rule],
    now: datetime,
    hears: Decision | None = None,
) -> Decision:
    """Put a decision down, with the rules that it cites."""
    decision = Decision(
        case_id=case.id,
        decided_by=moderator.member_id,
        decided_at=now,
        case_version=case.version,
        revision=post.revision,
        reason=verdict.reason,
        note=verdict.note,
        hears=hears.id if hears else None,
        hears_decided_by=hears.decided_by if hears else None,
    )
    session.add(decision)
    await session.flush()
    session.add_all(DecisionRule(decision_id=decision.id, number=rule.number, version=rule.version) for rule in cited)
    await session.flush()
    return decision


async def enforce(
    session: AsyncSession,
    moderator: Viewer,
    case: Case,
    post: Post,
    decision: Decision,
    verdict: Verdict,
    cited: list[Rule],
    habits: Habits,
    now: datetime,
) -> Statement | None:
    """Take each measure, and tell the author if one of them is against them."""
    words = _words(post, verdict)
    scene = scene_of(moderator, post, verdict.rules, habits, now)
    for measure in verdict.measures:
        applied = await enforcement.apply(session, decision.id, scene, measure)
        if applied.until:
            await jobs.enqueue(session, STANDING_ENDED, {"measure": str(applied.id)}, at=applied.until)
    if not any(MEASURES[measure.kind].tells for measure in verdict.measures):
        return None
    return await statements.issue(
        session,
        Statement(
            decision_id=decision.id,
            member_id=post.author_id,
            post_id=post.id,
            measures=[_spoken(measure) for measure in verdict.measures],
            excerpts=words,
            reason=verdict.reason,
            rules=[rule.model_dump(include={"number", "version", "title", "text"}) for rule in cited],
            law=verdict.law,
            initiative="report" if case.reports else "hold" if case.category == cases.Category.HELD else "moderator",
            automated_detection=case.findings > 0,
            automated_decision=False,
            issued_at=now,
            appeal_until=now + habits.appeal_for,
        ),
    )


async def standing_ended(session: AsyncSession, payload: jobs.Payload, now: datetime) -> None:
    """Tell a member that they are in good standing again, if they are; not when the measure was undone."""
    applied = await session.get(AppliedMeasure, int(payload["measure"]), with_for_update=True)
    if applied is None or applied.undone_at or applied.until is None:
        return
    then = max(now, applied.until)  # the database's clock, which let the job go, may be ahead of ours
    if await standing_of(session, applied.member_id, then) != Standing.ACTIVE:
        return
    if await enforcement.ended_later(session, applied, then):
        return
    statement = await statements.of_decision(session, applied.decision_id)
    ended = inbox.Kind.STANDING_ENDED
    await inbox.notify_once(session, applied.member_id, ended, then, post_id=applied.post_id, subject_id=statement.id)


def scene_of(moderator: Viewer, post: Post, cited: tuple[int, ...], habits: Habits, now: datetime) -> Scene:
    """Where measures act, and the name under which readers see them."""
    byline = (moderator.name if habits.names_moderators else None) or SOMEBODY
    return Scene(moderator, byline, post, tuple(sorted(set(cited))), now)


def _tell_author(
    session: AsyncSession, post: Post, verdict: Verdict, statement: Statement | None, now: datetime
) -> None:
    if any(measure.kind == Kind.PUBLISH for measure in verdict.measures):
        inbox.notify(session, post.author_id, inbox.Kind.POST_PUBLISHED, now, post_id=post.id)
    if statement:
        issued = _news(verdict)
        inbox.notify(session, post.author_id, issued, now, post_id=post.id, subject_id=statement.id)


def _news(verdict: Verdict) -> inbox.Kind:
    """What the author is told first; the statement that comes with it says the rest."""
    kinds = {measure.kind for measure in verdict.measures}
    if Kind.REMOVE in kinds:
        return inbox.Kind.POST_REMOVED
    return inbox.Kind.POST_EDITED if kinds & set(TEXTUAL) else inbox.Kind.STATEMENT_ISSUED


def _words(post: Post, verdict: Verdict) -> list[str]:
    """The words that a decision is about: what is redacted, or else the whole post."""
    for measure in verdict.measures:
        if measure.kind == Kind.REDACT:
            return redaction.excerpts(post.body_markdown, measure.spans)
    return [post.body_markdown]


def _spoken(measure: Wanted) -> dict[str, str | None]:
    return {"kind": measure.kind, "until": measure.until.isoformat() if measure.until else None}


def _outcome(verdict: Verdict) -> Outcome:
    is_idle = all(measure.kind in IDLE for measure in verdict.measures)
    return Outcome.DISMISSED if is_idle else Outcome.UPHELD
