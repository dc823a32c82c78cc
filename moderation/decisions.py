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
from forum.members.roles import is_staff
from forum.members.standing import standing_at
from forum.members.tables import Member, Role, RoleGrant, Standing
from forum.members.viewer import Viewer
from forum.notifications import inbox
from moderation import cases, redaction, reports, rules, statements
from moderation.cases import Case
from moderation.measures.catalogue import MEASURES, NO_ACTION, apply_measure, refuse_impossible_measures
from moderation.measures.tables import TEXT_MEASURES, UNNAMED_MODERATOR, Kind, MeasureContext, MeasureInput, Target
from moderation.reports import Outcome
from moderation.rules import Rule
from moderation.sanction_expiry import STANDING_ENDED
from moderation.statements import Statement

NOBODY = "nobody"  # is left to decide


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
class DecisionPolicy:
    """How this house decides: whether readers see moderators' names, and how long one may appeal."""

    names_moderators: bool
    appeal_for: timedelta


@dataclass(frozen=True)
class DecisionInput:
    """What a moderator decides, and the case's version and the post's revision that were on the screen."""

    version: int
    revision: int
    measures: tuple[MeasureInput, ...]
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


async def deciders_of_reopened_case(session: AsyncSession, case: Any) -> str | None:
    """Who else can decide, as `free_to_decide` has it, a case that an appeal opened again; None for other cases."""
    return await remaining_deciders(session, case.id, {case.barred_id}) if case.barred_id else None


async def remaining_deciders(session: AsyncSession, case_id: UUID, but_not: Collection[UUID]) -> str:
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
            ~cases.has_recused(place.id, col(Member.id)),
            or_(col(RoleGrant.board_id).is_(None), col(RoleGrant.board_id) == place.board_id),
        )
    )
    roles = set((await session.execute(free)).scalars().all())
    return next((role for role in (Role.MODERATOR, Role.ADMINISTRATOR) if role in roles), NOBODY)


# Verbs


async def decide(
    session: AsyncSession,
    moderator: Viewer,
    case_id: UUID,
    verdict: DecisionInput,
    policy: DecisionPolicy,
    now: datetime,
) -> Decided:
    """Decide a case about a post.

    Raises Conflict when it is decided or somebody else is at it, Stale when the case or the post moved
    on, Forbidden in one's own interest, and Invalid for measures that make no sense.
    """
    post, case = await lock_case_and_post(session, case_id)
    await cases.refuse_unless_free(session, moderator, case, now)
    await refuse_stale(session, case, post, verdict)
    await refuse_own_interest(session, moderator, post, verdict.measures)
    await refuse_repeat_decision(session, moderator, case)
    refuse_impossible_measures(verdict.measures, now, grounded=verdict.is_grounded)
    _refuse_to_leave_waiting(post, verdict)
    cited = await rules.cited(session, verdict.rules)

    decision = await save_decision(session, moderator, case, post, verdict, cited, now)
    statement = await enforce(session, moderator, case, post, decision, verdict, cited, policy, now)

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


async def lock_case_and_post(session: AsyncSession, case_id: UUID) -> tuple[Post, Case]:
    """A case and its post, both rows ours until the commit, and no other post of the thread changes meanwhile.

    The order is the same everywhere, so that nobody waits in a circle: a thread's posts, post, case,
    thread, and the record last.
    """
    about = select(col(Post.id), col(Post.thread_id)).join(Case, col(Case.post_id) == col(Post.id))
    found = (await session.execute(about.where(col(Case.id) == case_id))).one()
    await lock_posts_of_thread(session, found.thread_id, alone=True)
    post = await lock_post_row(session, found.id)
    return post, await cases.lock_case_row(session, case_id)


async def refuse_stale(session: AsyncSession, case: Case, post: Post, verdict: DecisionInput) -> None:
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
    session: AsyncSession, moderator: Viewer, post: Post, measures: tuple[MeasureInput, ...]
) -> None:
    """Raise Forbidden for one's own post, one that one reported oneself, or one whose case one stepped back from."""
    if post.author_id == moderator.id:
        raise Forbidden("You wrote this post: somebody else decides.")
    if (await session.execute(select(reports.reported_by(post.id, moderator.id)))).scalar_one():
        raise Forbidden("You reported this post: somebody else decides.")
    if (await session.execute(select(cases.has_recused(post.id, moderator.id)))).scalar_one():
        raise Forbidden("You stepped back from this case: somebody else decides.")
    on_author = any(MEASURES[measure.kind].acts_on == Target.AUTHOR for measure in measures)
    if on_author and Role.ADMINISTRATOR not in moderator.roles and await is_staff(session, post.author_id):
        raise Forbidden("The author works here: only an administrator decides about their standing.")


async def refuse_repeat_decision(session: AsyncSession, moderator: Viewer, case: Any) -> None:
    """Raise Forbidden for whoever dismissed what an appeal opened again, as long as somebody else can decide it."""
    if case.barred_id == moderator.id and await deciders_of_reopened_case(session, case) != NOBODY:
        raise Forbidden("Your dismissal of this was overturned: somebody else decides.")


def _refuse_to_leave_waiting(post: Post, verdict: DecisionInput) -> None:
    """Raise Invalid unless a held post comes out or goes: decided and still held, nobody would look at it again."""
    if post.visibility == Visibility.HELD and not {measure.kind for measure in verdict.measures} & {
        Kind.PUBLISH,
        Kind.REMOVE,
    }:
        raise Invalid("This post waits for you: publish or remove it.", "#/measures")


async def save_decision(
    session: AsyncSession,
    moderator: Viewer,
    case: Case,
    post: Post,
    verdict: DecisionInput,
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
    verdict: DecisionInput,
    cited: list[Rule],
    policy: DecisionPolicy,
    now: datetime,
) -> Statement | None:
    """Take each measure, and tell the author if one of them is against them."""
    words = _words(post, verdict)
    context = measure_context(moderator, post, verdict.rules, policy, now)
    for measure in verdict.measures:
        applied = await apply_measure(session, decision.id, context, measure)
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
            measures=[measure_json(measure) for measure in verdict.measures],
            excerpts=words,
            reason=verdict.reason,
            rules=[rule.model_dump(include={"number", "version", "title", "text"}) for rule in cited],
            law=verdict.law,
            initiative="report" if case.reports else "hold" if case.category == cases.Category.HELD else "moderator",
            automated_detection=case.findings > 0,
            automated_decision=False,
            issued_at=now,
            appeal_until=now + policy.appeal_for,
        ),
    )


def measure_context(
    moderator: Viewer, post: Post, cited: tuple[int, ...], policy: DecisionPolicy, now: datetime
) -> MeasureContext:
    """Where measures act, and the name under which readers see them."""
    shown_name = (moderator.name if policy.names_moderators else None) or UNNAMED_MODERATOR
    return MeasureContext(moderator, shown_name, post, tuple(sorted(set(cited))), now)


def _tell_author(
    session: AsyncSession, post: Post, verdict: DecisionInput, statement: Statement | None, now: datetime
) -> None:
    if any(measure.kind == Kind.PUBLISH for measure in verdict.measures):
        inbox.notify(session, post.author_id, inbox.NotificationKind.POST_PUBLISHED, now, post_id=post.id)
    if statement:
        issued = _news(verdict)
        inbox.notify(session, post.author_id, issued, now, post_id=post.id, subject_id=statement.id)


def _news(verdict: DecisionInput) -> inbox.NotificationKind:
    """What the author is told first; the statement that comes with it says the rest."""
    kinds = {measure.kind for measure in verdict.measures}
    if Kind.REMOVE in kinds:
        return inbox.NotificationKind.POST_REMOVED
    return inbox.NotificationKind.POST_EDITED if kinds & set(TEXT_MEASURES) else inbox.NotificationKind.STATEMENT_ISSUED


def _words(post: Post, verdict: DecisionInput) -> list[str]:
    """The words that a decision is about: what is redacted, or else the whole post."""
    for measure in verdict.measures:
        if measure.kind == Kind.REDACT:
            return redaction.excerpts(post.body_markdown, measure.spans)
    return [post.body_markdown]


def measure_json(measure: MeasureInput) -> dict[str, str | None]:
    """Return what a statement of reasons keeps of a measure."""
    return {"kind": measure.kind, "until": measure.until.isoformat() if measure.until else None}


def _outcome(verdict: DecisionInput) -> Outcome:
    is_idle = all(measure.kind in NO_ACTION for measure in verdict.measures)
    return Outcome.DISMISSED if is_idle else Outcome.UPHELD
