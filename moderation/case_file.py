"""A case on one screen: the post and what is around it, who reported what, and what the moderator may do."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import col

from forum.content.boards import Board
from forum.content.posts import queries
from forum.content.posts.held_edits import list_all
from forum.content.posts.queries import PostView, select_revisions
from forum.content.posts.tables import HeldEdit, HeldState, Post, Visibility
from forum.content.posts.thread_page import list_by_number
from forum.content.threads import titles
from forum.content.threads.tables import Thread
from forum.content.threads.titles import select_titles
from forum.core import audit
from forum.core.database import Query, Record, query
from forum.core.errors import NotFound
from forum.core.work import Transactions, Work
from forum.members.tables import Member
from forum.members.viewer import Viewer
from forum.permissions import Refusal
from moderation import (
    appeals,
    case_calls,
    case_deciders,
    case_queue,
    cases,
    decisions,
    findings,
    member_history,
    refused_texts,
    reports,
    spam_signs,
    watched_terms,
)
from moderation.appeals import Appeal
from moderation.cases import CaseKind, CasePost, CaseState
from moderation.decisions import AppealOutcome, Decision
from moderation.findings import Place
from moderation.first_words import FirstWords, first_words_for
from moderation.measures import renamings
from moderation.measures.catalogue import MEASURES, WITHOUT_POST
from moderation.measures.renamings import Renaming
from moderation.member_history import MemberSummary
from moderation.permissions import ModerationAct, allow, refuse
from moderation.talks import complaints

CONTEXT = 3  # posts before and after


@dataclass(frozen=True)
class AppealFile:
    """The appeal that a case is about, the decision that it is against, and who can decide it now."""

    appeal: Appeal
    decision: Decision
    decided_by: str | None  # None: the old board
    deciders: str
    renamed: Renaming | None


@dataclass(frozen=True)
class CaseFile:
    """Everything to decide a case."""

    case: Record
    posts: Sequence[Record]  # that it holds
    context: Sequence[PostView]
    revisions: Sequence[Record]
    titles: Sequence[Record]  # of an opening post
    held_edits: Sequence[HeldEdit]
    reports: Sequence[Record]
    findings: Sequence[Record]
    copies: Sequence[int]  # the ids of posts that say the same
    signals: Sequence[str]  # of the account of somebody who was new when the case was opened
    terms: Sequence[Record]  # of the charity, in the versions that were found
    refused_texts: Sequence[Record]  # of acute danger, and not published
    notes: Sequence[Record]
    calls: Sequence[Record]  # who was called to it
    complaints: Sequence[Record]  # of what the member wrote as a moderator
    author: MemberSummary
    acts: Sequence[str]  # what can be done with a case of this kind
    not_allowed_because: Refusal | None  # to this moderator now; None: they may
    appeal: AppealFile | None
    from_old_board: bool  # what the old board decided is in force: a decision here takes its place
    deciders: str | None  # who can decide it now; None: it is decided
    first_words: Sequence[FirstWords]  # messages to begin from, to whoever cried for help


async def get_case_file(transactions: Transactions, moderator: Viewer, case_id: UUID) -> CaseFile:
    """Return everything to decide a case. Raises Forbidden, and NotFound when it does not exist for the moderator."""
    allow(ModerationAct.SEE_QUEUE, moderator)
    async with transactions.begin() as work:
        case = await case_queue.get_visible_case(work, moderator, case_id)
        posts = await _rows(work, select_held_posts(case_id))
        edits = await list_all(work.session, cases.posts_of(case_id))
        waiting = [edit.id for edit in edits if edit.state == HeldState.WAITING]
        present = Place(case.post_revision, case.title_revision, post_id=case.post_id)
        found = await _rows(work, findings.select_for_case(case_id, present, waiting))
        file = CaseFile(
            case=case,
            posts=posts,
            context=await _context(transactions, moderator, case),
            revisions=await _rows(work, select_revisions(case.post_id)),
            titles=await _rows(work, select_titles(case.thread_id)) if case.post_number == 1 else [],
            held_edits=edits,
            reports=await _rows(work, reports.select_for_case(case_id)),
            findings=found,
            copies=await spam_signs.list_copies(work.session, case_id),
            signals=await spam_signs.list_signals(work, case_id),
            terms=await watched_terms.list_of_findings(work.session, found),
            refused_texts=await _rows(work, refused_texts.select_for_case(case_id)),
            notes=await _rows(work, cases.select_notes(case_id)),
            calls=await _rows(work, case_calls.select_calls(case_id)),
            complaints=await _rows(work, complaints.select_of_case(case_id)),
            author=await _summary_of_author(work, moderator, case),
            acts=["claim", *_measures(case)],
            not_allowed_because=await _why_not(work, moderator, case),
            appeal=await _appeal(work, case),
            from_old_board=bool(await decisions.list_old_measures(work.session, case_id)),
            deciders=await case_deciders.who_decides(work, case_id) if case.state == CaseState.OPEN else None,
            first_words=first_words_for(case.category, work.settings, work.now),
        )
        await record_reading(work, moderator, posts)
        return file


async def read_sealed_revision(work: Work, moderator: Viewer, case_id: UUID, post_id: int, number: int) -> Record:
    """Return a revision with redacted words of a post that a case holds, and record that it was read.

    For those who may decide the case: whoever hears an appeal against a redaction may moderate no board. Raises
    NotFound, also for a revision that is not sealed, and Forbidden.
    """
    await _allow_reading(work, moderator, case_id)
    held = select_held_posts(case_id).where(col(Post.id) == post_id)
    if (await work.session.execute(held)).one_or_none() is None:
        raise NotFound("There is no such post.", code="post_not_found")
    return await queries.read_sealed_revision(work.session, moderator, post_id, number, work.now)


async def read_sealed_title(work: Work, moderator: Viewer, case_id: UUID, number: int) -> Record:
    """Return a title that a moderator took away, of the thread that a case's post opens, and record that it was read.

    For those who may decide the case. Raises as `read_sealed_revision` does.
    """
    case = await _allow_reading(work, moderator, case_id)
    if case.post_number != 1:
        raise NotFound("There is no such thread.", code="thread_not_found")
    return await titles.read_sealed_title(work.session, moderator, case.thread_id, number, work.now)


async def _allow_reading(work: Work, moderator: Viewer, case_id: UUID) -> Record:
    case = await case_queue.get_workable_case(work, moderator, case_id)
    refuse(await case_deciders.why_not_decide(work, moderator, case_id))
    return case


async def record_reading(work: Work, moderator: Viewer, posts: Sequence[Record]) -> None:
    """Record that somebody read posts that were withdrawn: nowhere else can their words be read."""
    for post in posts:
        if post.visibility == Visibility.WITHDRAWN:
            about = ("post", post.id)
            await audit.record(
                work.session, actor_id=moderator.id, act="withdrawn_post.read", subject=about, now=work.now
            )


def select_held_posts(case_id: UUID) -> Query:
    """Return a select of the posts that a case holds, oldest first, with the revision that was decided on."""
    return (
        query(
            col(Post.id),
            col(Post.thread_id),
            col(Thread.title).label("thread_title"),
            col(Board.slug).label("board"),
            col(Post.number),
            col(Post.revision),
            col(CasePost.revision).label("decided_revision"),
            col(Post.visibility),
            col(Post.content_warning),
            col(Post.body_markdown),
            col(Post.created_at),
        )
        .join(CasePost, col(CasePost.post_id) == col(Post.id))
        .join(Thread, col(Thread.id) == col(Post.thread_id))
        .join(Board, col(Board.id) == col(Thread.board_id))
        .where(col(CasePost.case_id) == case_id)
        .order_by(col(Post.id))
    )


async def _context(transactions: Transactions, moderator: Viewer, case: Record) -> Sequence[PostView]:
    """Return the first post with those before and after it, if the case is about any."""
    if case.post_id is None:
        return []
    first = max(1, case.post_number - CONTEXT)
    length = case.post_number + CONTEXT - first + 1
    return await list_by_number(transactions.reader, moderator, case.thread_id, first, length)


def _measures(case: Record) -> Sequence[str]:
    if case.kind == CaseKind.APPEAL:
        return list(AppealOutcome)
    if case.kind == CaseKind.MEMBER:
        return [kind for kind, measure in MEASURES.items() if measure.acts_on in WITHOUT_POST]
    return list(MEASURES)


async def _rows(work: Work, query: Query) -> Sequence[Record]:
    return (await work.session.execute(query)).all()


async def _summary_of_author(work: Work, moderator: Viewer, case: Record) -> MemberSummary:
    author = await work.session.get_one(Member, case.author_id)
    return await member_history.summarise(work, moderator, author)


async def _why_not(work: Work, moderator: Viewer, case: Record) -> Refusal | None:
    """Return why the moderator may not do anything here: by the same conditions as the actions refuse."""
    if case.state != CaseState.OPEN:
        return Refusal("case_decided", "This case is decided.")
    if case.claimant_handle not in {None, moderator.handle}:
        return Refusal("case_claimed", f"{case.claimant_name} is working on this case.")
    return await case_deciders.why_not_decide(work, moderator, case.id)


async def _appeal(work: Work, case: Record) -> AppealFile | None:
    if case.kind != CaseKind.APPEAL:
        return None
    appeal = await appeals.get_for_case(work.session, case.id)
    decision = await work.session.get_one(Decision, appeal.decision_id)
    decider = await work.session.get_one(Member, decision.decided_by) if decision.decided_by else None
    renamed = (await renamings.list_of(work.session, [decision.id])).get(decision.id)
    decided_by = decider.name if decider else None
    return AppealFile(appeal, decision, decided_by, await case_deciders.who_decides(work, case.id), renamed)
