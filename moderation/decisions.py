"""Decisions: a moderator decides a case, and all that follows from it happens in one transaction."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, Select, UniqueConstraint, func, select, text
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.content.posts import held_edits
from forum.content.posts.quotes import lock_posts_and_copies
from forum.content.posts.revisions import lock_post_rows, refuse_stale_post
from forum.content.posts.tables import Post, Visibility
from forum.content.threads.changes import refuse_stale_title
from forum.content.threads.tables import Thread
from forum.core import audit, jobs
from forum.core.database import Moment, new_id, query
from forum.core.errors import Invalid, Stale
from forum.core.work import Work
from forum.members.aliases import get_owner, owner_of
from forum.members.queries import lock_member_row
from forum.members.standing import standing_of
from forum.members.tables import Standing
from forum.members.viewer import Viewer
from forum.notifications import inbox
from moderation import case_deciders, cases, findings, redaction, reports, statements
from moderation.case_priority import Category
from moderation.cases import Case, CaseKind, CasePost
from moderation.finding_tallies import Tally
from moderation.measures.catalogue import (
    MEASURES,
    NO_ACTION,
    apply_measure,
    refuse_impossible_measures,
    refuse_misplaced_measures,
    undo_measure,
)
from moderation.measures.tables import (
    TEXT_MEASURES,
    AppliedMeasure,
    MeasureContext,
    MeasureInput,
    MeasureKind,
    MeasureTarget,
)
from moderation.permissions import refuse
from moderation.public_reports.actions import tell_settled
from moderation.reports import ReportOutcome
from moderation.rules import Rule, get_cited_rules
from moderation.sanction_expiry import STANDING_ENDED
from moderation.statements import Statement


class AppealOutcome(StrEnum):
    """What can come of an appeal."""

    UPHOLD = "uphold"
    CHANGE = "change"
    OVERTURN = "overturn"


class Decision(SQLModel, table=True):
    """What somebody decided, and on what they saw. The decision of an appeal names the one that it is about.

    What the old board decided came with a run of the import, and nobody here decided it.
    """

    __table_args__ = (
        UniqueConstraint("id", "decided_by"),
        UniqueConstraint("id", "import_run_id"),
        ForeignKeyConstraint(["hears", "hears_decided_by"], ["decision.id", "decision.decided_by"]),
        ForeignKeyConstraint(["hears", "hears_run_id"], ["decision.id", "decision.import_run_id"]),
        CheckConstraint("(decided_by IS NULL) = (import_run_id IS NOT NULL)", name="decided_by"),
        CheckConstraint("hears_decided_by <> decided_by", name="heard_by_another"),
        CheckConstraint("num_nonnulls(hears_decided_by, hears_run_id) = num_nonnulls(hears)", name="hears"),
        Index("ix_decision_import_run_id", "import_run_id", postgresql_where=text("import_run_id IS NOT NULL")),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    case_id: UUID = Field(foreign_key="moderation_case.id", index=True)
    decided_by: UUID | None = Field(foreign_key="member.id", index=True, description="Null: the old board")
    decided_at: datetime = Field(sa_type=Moment)
    case_version: int
    revision: int | None = Field(description="Of the first post, if it is about any")
    reason: str = Field(description="Told to the author")
    note: str | None = Field(description="For moderators only")
    title_revision: int | None = Field(default=None, description="Of the thread's title, for an opening post")
    hears: UUID | None = None
    hears_decided_by: UUID | None = None
    import_run_id: UUID | None = Field(
        default=None, foreign_key="import_run.id", description="What brought it, where the old board decided"
    )
    hears_run_id: UUID | None = None


class DecisionRule(SQLModel, table=True):
    """A rule that a decision cites, in the version of that time."""

    __tablename__ = "decision_rule"
    __table_args__ = (ForeignKeyConstraint(["number", "version"], ["rule.number", "rule.version"]),)

    decision_id: UUID = Field(primary_key=True, foreign_key="decision.id")
    number: int = Field(primary_key=True)
    version: int


@dataclass(frozen=True)
class DecisionInput:
    """What a moderator decides, and the case's version and the post's revision that were on the screen."""

    version: int | None
    revision: int | None
    measures: tuple[MeasureInput, ...]
    reason: str
    rules: tuple[int, ...] = ()
    note: str | None = None
    law: str | None = None
    outcomes: tuple[AppealOutcome, ...] = ()  # of an appeal: exactly one
    title_revision: int | None = None  # of the thread's title, for an opening post

    @property
    def is_grounded(self) -> bool:
        """Whether it names a rule or a law that was broken."""
        return bool(self.rules or self.law)

    @property
    def renames(self) -> bool:
        """Whether a measure takes a name or handle of the author."""
        return any(measure.kind == MeasureKind.RENAME for measure in self.measures)

    @property
    def report_outcome(self) -> ReportOutcome:
        """What those who reported or complained are told."""
        is_dismissal = all(measure.kind in NO_ACTION for measure in self.measures)
        return ReportOutcome.DISMISSED if is_dismissal else ReportOutcome.UPHELD

    @property
    def acts_on_author(self) -> bool:
        """Whether a measure is against the author themselves, not only against their words."""
        return any(MEASURES[measure.kind].acts_on == MeasureTarget.AUTHOR for measure in self.measures)


class LockedCase(NamedTuple):
    """A case and the posts that it holds, all rows locked until the transaction ends, and whom it is about."""

    case: Case
    posts: Sequence[Post]
    member_id: UUID

    @property
    def first_post(self) -> Post | None:
        """Return the post that the case began with, if it is about any."""
        return next((post for post in self.posts if post.id == self.case.post_id), None)


@dataclass(frozen=True)
class Ruling:
    """A decision that was saved, and what is needed to carry it out."""

    locked: LockedCase
    decision: Decision
    input: DecisionInput
    rules: Sequence[Rule]


@dataclass(frozen=True)
class Decided:
    """A decision, and what the post's author is told of it, if anything."""

    decision: Decision
    statement: Statement | None


# Queries


async def list_posts_of(session: AsyncSession, decision_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[int]]:
    """Return the ids of the posts that each of these decisions is about."""
    post_ids = func.array_agg(aggregate_order_by(col(CasePost.post_id), col(CasePost.post_id)))
    found = query(col(Decision.id), post_ids.label("post_ids"))
    held = found.join(CasePost, col(CasePost.case_id) == col(Decision.case_id)).group_by(col(Decision.id))
    rows = (await session.execute(held.where(col(Decision.id).in_(decision_ids)))).all()
    return {row.id: row.post_ids for row in rows}


async def list_from_old_board(session: AsyncSession, decision_ids: Collection[UUID]) -> Collection[UUID]:
    """Return which of these decisions the old board took."""
    came = select(col(Decision.id)).where(col(Decision.id).in_(decision_ids), col(Decision.import_run_id).is_not(None))
    return set((await session.execute(came)).scalars()) if decision_ids else ()


async def list_old_measures(session: AsyncSession, case_id: UUID) -> Sequence[AppliedMeasure]:
    """Return the measures of the old board that are in force in a case, the last one first."""
    in_force = (
        select(AppliedMeasure)
        .join(Decision, col(Decision.id) == col(AppliedMeasure.decision_id))
        .where(
            col(Decision.case_id) == case_id,
            col(Decision.import_run_id).is_not(None),
            col(AppliedMeasure.undone_at).is_(None),
        )
    )
    return (await session.execute(in_force.order_by(col(AppliedMeasure.id).desc()))).scalars().all()


async def get_decided(session: AsyncSession, decision_id: UUID) -> Decided:
    """Return a decision, and the statement to the author, if there is one."""
    decision = await session.get_one(Decision, decision_id)
    statement = await session.execute(select(Statement).where(col(Statement.decision_id) == decision_id))
    return Decided(decision, statement.scalar_one_or_none())


# Actions


async def decide(work: Work, moderator: Viewer, case_id: UUID, wanted: DecisionInput) -> Decided:
    """Decide a case about posts or a member, which the moderator may work on (`case_actions.decide` asks that first).

    What the old board decided in it is undone: what is decided here takes its place.

    Raises Conflict when it is decided or somebody else is working on it, Stale when the case or a post changed,
    Forbidden for whoever is not free to decide it, and Invalid for measures that make no sense.
    """
    locked = await lock_case_and_posts(work.session, case_id, and_member=wanted.renames)
    _refuse_incomplete(locked.case, wanted)
    await cases.refuse_unless_free(work, moderator, locked.case)
    await refuse_stale(work.session, locked, wanted)
    refuse(await case_deciders.why_not_decide(work, moderator, case_id, sanctions=wanted.acts_on_author))
    refuse_impossible_measures(wanted.measures, work.now, grounded=wanted.is_grounded)
    refuse_misplaced_measures(wanted.measures, len(locked.posts))
    await _refuse_to_leave_held(work.session, locked.posts, wanted)
    rules = await get_cited_rules(work.session, wanted.rules)

    ruling = await save_decision(work, moderator, locked, wanted, rules)
    statement = await enforce(work, moderator, ruling)
    await _undo_old_measures(work, moderator, ruling)

    await _tell_author(work, ruling, statement)
    await reports.settle(work, locked.case, wanted.report_outcome)
    await tell_settled(work.session, locked.case.id, work.now)
    await cases.close(work, moderator, locked.case, ruling.decision.revision)
    outcome = Tally.UPHELD if wanted.report_outcome == ReportOutcome.UPHELD else Tally.DISMISSED
    await findings.tally_decision(work.session, case_id, outcome, work.now)
    await audit.record(
        work.session,
        actor_id=moderator.id,
        act="case.decided",
        subject=("case", case_id),
        now=work.now,
        details={"decision": str(ruling.decision.id), "measures": [str(m.kind) for m in wanted.measures]},
    )
    work.forget_sessions_of(locked.member_id)
    return Decided(ruling.decision, statement)


async def lock_case_and_posts(session: AsyncSession, case_id: UUID, *, and_member: bool = False) -> LockedCase:
    """Lock a case and the posts that it holds, and keep the other posts of their threads and copies elsewhere
    from changing meanwhile; `and_member` says whether names of the member whom it is about may change, too.

    Everybody locks in the same order, so that no two wait for each other: the threads' posts, posts, member, case,
    thread, and the audit record last; of each, the lower id first.
    """
    posts = await lock_posts(session, cases.posts_of(case_id))
    if and_member:  # before the case: screening opens one about a member who takes another name at this moment
        subject = select(owner_of(col(Case.subject_persona_id))).where(col(Case.id) == case_id)
        await lock_member_row(session, (await session.execute(subject)).scalar_one())
    case = await cases.lock_case_row(session, case_id)
    return LockedCase(case, posts, await get_owner(session, case.subject_persona_id))


async def lock_posts(session: AsyncSession, post_ids: Select[int]) -> Sequence[Post]:
    """Lock these posts, as `lock_case_and_posts` does, and return them by id."""
    await lock_posts_and_copies(session, (await session.execute(post_ids)).scalars().all())
    return await lock_post_rows(session, post_ids)


async def refuse_stale(session: AsyncSession, locked: LockedCase, wanted: DecisionInput) -> None:
    """Return when case and post are as they were on the screen. Raises Stale, with what changed, otherwise."""
    case, post = locked.case, locked.first_post
    if wanted.revision is not None and post:
        await refuse_stale_post(session, post, wanted.revision)
    if wanted.title_revision is not None and post:
        await refuse_stale_title(session, await session.get_one(Thread, post.thread_id), wanted.title_revision)
    if case.version != wanted.version:
        raise Stale(
            "This case changed while you were looking at it: there are new reports, or it was opened again.",
            code="case_changed",
            current=case.version,
            changed_by=None,
            changed_at=case.changed_at,
        )


def _refuse_incomplete(case: Case, wanted: DecisionInput) -> None:
    if wanted.version is None:
        raise Invalid("Send the version of the case that was on your screen.", "#/version", code="version_missing")
    if wanted.revision is None and case.kind == CaseKind.POST:
        raise Invalid("Send the revision of the post that was on your screen.", "#/revision", code="revision_missing")
    if wanted.outcomes:
        raise Invalid("Only an appeal is upheld, changed or overturned.", "#/measures", code="not_an_appeal")


async def _refuse_to_leave_held(session: AsyncSession, posts: Sequence[Post], wanted: DecisionInput) -> None:
    """Raise Invalid unless what is held is decided too: once the case is, nobody would look at it again."""
    kinds = {measure.kind for measure in wanted.measures}
    is_held = any(post.visibility == Visibility.HELD for post in posts)
    if is_held and not kinds & {MeasureKind.PUBLISH, MeasureKind.REMOVE}:
        raise Invalid("This post is held: publish or remove it.", "#/measures", code="post_left_held")
    waiting = await held_edits.list_waiting(session, [post.id for post in posts])
    if waiting and not kinds & {MeasureKind.PUBLISH, MeasureKind.REFUSE, MeasureKind.REMOVE}:
        detail = "An edit of this post waits: publish it, refuse it, or remove the post."
        raise Invalid(detail, "#/measures", code="edit_left_waiting")
    changes = {MeasureKind.RETITLE if edit.title else kind for edit in waiting for kind in TEXT_MEASURES}
    if MeasureKind.PUBLISH in kinds and kinds & changes:
        detail = "What you publish takes the place of the words that you change. Refuse it, or leave the words alone."
        raise Invalid(detail, "#/measures", code="publish_and_change")


async def save_decision(
    work: Work,
    moderator: Viewer,
    locked: LockedCase,
    wanted: DecisionInput,
    rules: Sequence[Rule],
    *,
    hears: Decision | None = None,
) -> Ruling:
    """Save a decision with the rules that it cites; `hears` is the one that an appeal is about."""
    decision = Decision(
        case_id=locked.case.id,
        decided_by=moderator.member_id,
        decided_at=work.now,
        case_version=locked.case.version,
        revision=locked.first_post.revision if locked.first_post else None,
        title_revision=await _title_revision(work.session, locked.first_post),
        reason=wanted.reason,
        note=wanted.note,
        hears=hears.id if hears else None,
        hears_decided_by=hears.decided_by if hears else None,
        hears_run_id=hears.import_run_id if hears else None,
    )
    work.session.add(decision)
    await work.session.flush()
    cited = [DecisionRule(decision_id=decision.id, number=rule.number, version=rule.version) for rule in rules]
    work.session.add_all(cited)
    await work.session.flush()
    return Ruling(locked, decision, wanted, rules)


async def enforce(work: Work, moderator: Viewer, ruling: Ruling) -> Statement | None:
    """Take each measure of a ruling. Return the statement to the author, if one of them is against them."""
    wanted = ruling.input
    # Before the measures change the words.
    excerpts = await _excerpts(work.session, ruling.locked.posts, wanted)
    for measure in wanted.measures:
        for context in _contexts(work, moderator, ruling, MEASURES[measure.kind].acts_on):
            applied = await apply_measure(context, measure)
            if applied.until:
                await jobs.enqueue(work.session, STANDING_ENDED, {"measure": str(applied.id)}, at=applied.until)
    if not any(MEASURES[measure.kind].tells_author for measure in wanted.measures):
        return None
    return await statements.issue(work.session, _statement(work, ruling, excerpts))


async def _undo_old_measures(work: Work, moderator: Viewer, ruling: Ruling) -> None:
    """Undo what the old board decided in a case. What is decided now stays, also where it is the same.

    Whose post is there again, or who may come back, is told.
    """
    posts, member_id = {post.id: post for post in ruling.locked.posts}, ruling.locked.member_id
    for applied in await list_old_measures(work.session, ruling.locked.case.id):
        post = posts[applied.on_post] if applied.post_id else None
        await undo_measure(MeasureContext(work, moderator, post, ruling.decision.id, applied.member_id), applied)
        told = await statements.find_for_decision(work.session, applied.decision_id)
        if post and post.visibility == Visibility.VISIBLE:
            await inbox.notify(
                work.session, member_id, inbox.NotificationKind.POST_PUBLISHED, work.now, post_id=post.id
            )
        elif told and not post and await standing_of(work.session, member_id, work.now) == Standing.ACTIVE:
            ended = inbox.NotificationKind.STANDING_ENDED
            await inbox.notify(work.session, member_id, ended, work.now, subject_id=told.id)


def _contexts(work: Work, moderator: Viewer, ruling: Ruling, acts_on: MeasureTarget) -> list[MeasureContext]:
    """Return in what a measure is taken: each post, each thread by its first post, or once for the whole case."""
    locked = ruling.locked
    places: Sequence[Post | None] = [locked.first_post]
    if acts_on == MeasureTarget.POST:
        places = locked.posts
    elif acts_on == MeasureTarget.THREAD:
        places = list({post.thread_id: post for post in reversed(locked.posts)}.values())[::-1]
    cited = tuple(sorted(set(ruling.input.rules)))
    together = frozenset(post.id for post in locked.posts)
    return [
        MeasureContext(work, moderator, post, ruling.decision.id, locked.member_id, cited, together) for post in places
    ]


def _statement(work: Work, ruling: Ruling, excerpts: list[str]) -> Statement:
    case, wanted = ruling.locked.case, ruling.input
    return Statement(
        decision_id=ruling.decision.id,
        member_id=ruling.locked.member_id,
        post_id=case.post_id,
        measures=[_measure_json(measure) for measure in wanted.measures],
        excerpts=excerpts,
        reason=wanted.reason,
        rules=[rule.model_dump(include={"number", "version", "title", "text"}) for rule in ruling.rules],
        law=wanted.law,
        initiative="report" if case.reports else "hold" if case.category == Category.HELD else "moderator",
        automated_detection=case.findings > 0,
        automated_decision=False,
        issued_at=work.now,
        appeal_until=work.now + timedelta(days=work.settings.appeal_days),
    )


async def _tell_author(work: Work, ruling: Ruling, statement: Statement | None) -> None:
    member_id, kinds = ruling.locked.member_id, {measure.kind for measure in ruling.input.measures}
    if MeasureKind.PUBLISH in kinds:
        for post in ruling.locked.posts:
            published = inbox.NotificationKind.POST_PUBLISHED
            await inbox.notify(work.session, member_id, published, work.now, post_id=post.id)
    if statement:
        news = _notification_kind(kinds)
        post_id = statement.post_id
        await inbox.notify(work.session, member_id, news, work.now, post_id=post_id, subject_id=statement.id)


def _notification_kind(kinds: Collection[MeasureKind]) -> inbox.NotificationKind:
    """Return what the author is told first; the statement says the rest."""
    if MeasureKind.REMOVE in kinds:
        return inbox.NotificationKind.POST_REMOVED
    return (
        inbox.NotificationKind.POST_EDITED if {*kinds} & {*TEXT_MEASURES} else inbox.NotificationKind.STATEMENT_ISSUED
    )


async def _title_revision(session: AsyncSession, post: Post | None) -> int | None:
    """Return the revision of the title that belongs to a post: to the first of its thread."""
    if post is None or post.number != 1:
        return None
    return (await session.get_one(Thread, post.thread_id)).title_revision


async def _excerpts(session: AsyncSession, posts: Sequence[Post], wanted: DecisionInput) -> list[str]:
    """Return the words that a decision is about: the title that it changes, the edits that it refuses, and what is
    redacted of the posts, or else all of them. Names that it takes are not among them: the measure keeps those, until
    their member leaves.
    """
    kinds = {measure.kind for measure in wanted.measures}
    found = []
    if MeasureKind.RETITLE in kinds:
        found += [(await session.get_one(Thread, post.thread_id)).title for post in posts]
    if MeasureKind.REFUSE in kinds:
        found += [edit.words for edit in await held_edits.list_waiting(session, [post.id for post in posts])]
    is_about_posts = not kinds <= {MeasureKind.RETITLE, MeasureKind.REFUSE, MeasureKind.RENAME}
    return found + (_excerpts_of_posts(posts, wanted) if is_about_posts else [])


def _excerpts_of_posts(posts: Sequence[Post], wanted: DecisionInput) -> list[str]:
    spans = [span for measure in wanted.measures if measure.kind == MeasureKind.REDACT for span in measure.spans]
    if spans:
        return [words for post in posts for words in redaction.excerpts(post.body_markdown, spans)]
    return [post.body_markdown for post in posts]


def _measure_json(measure: MeasureInput) -> dict[str, str | None]:
    return {"kind": measure.kind, "until": measure.until.astimezone(UTC).isoformat() if measure.until else None}
