"""A case on one screen: the post and what is around it, who reported what, and what the moderator may do."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from forum.content.posts.held_edits import list_all
from forum.content.posts.queries import PostView, select_revisions
from forum.content.posts.tables import HeldEdit, HeldState
from forum.content.posts.thread_page import list_by_number
from forum.content.threads.titles import select_titles
from forum.core.database import Query, Record
from forum.core.work import Transactions, Work
from forum.members.tables import Member
from forum.members.viewer import Viewer
from moderation import appeals, case_queue, cases, decisions, findings, member_history, reports
from moderation.appeals import Appeal
from moderation.case_deciders import missing_permission, own_interest
from moderation.cases import CaseKind, CaseState
from moderation.decisions import AppealOutcome, Decision
from moderation.findings import Place
from moderation.measures.catalogue import MEASURES
from moderation.member_history import MemberSummary
from moderation.permissions import ModerationAct, allow

CONTEXT = 3  # posts before and after


@dataclass(frozen=True)
class AppealFile:
    """The appeal that a case is about, the decision that it is against, and who can decide it now."""

    appeal: Appeal
    decision: Decision
    decided_by: str
    deciders: str


@dataclass(frozen=True)
class CaseFile:
    """Everything to decide a case."""

    case: Record
    context: Sequence[PostView]
    revisions: Sequence[Record]
    titles: Sequence[Record]  # of an opening post
    held_edits: Sequence[HeldEdit]
    reports: Sequence[Record]
    findings: Sequence[Record]
    notes: Sequence[Record]
    author: MemberSummary
    acts: Sequence[str]  # what can be done with a case of this kind
    not_allowed_because: str | None  # to this moderator now; None: they may
    appeal: AppealFile | None
    deciders: str | None  # of a case that an appeal opened again


async def get_case_file(transactions: Transactions, moderator: Viewer, case_id: UUID) -> CaseFile:
    """Return everything to decide a case. Raises Forbidden, and NotFound when it does not exist for the moderator."""
    allow(ModerationAct.SEE_QUEUE, moderator)
    async with transactions.begin() as work:
        case = await case_queue.get_visible_case(work, moderator, case_id)
        first = max(1, case.post_number - CONTEXT)
        length = case.post_number + CONTEXT - first + 1
        measures = list(MEASURES) if case.kind == CaseKind.POST else list(AppealOutcome)
        edits = await list_all(work.session, case.post_id)
        waiting = [edit.id for edit in edits if edit.state == HeldState.WAITING]
        present = Place(case.post_revision, case.title_revision)
        return CaseFile(
            case=case,
            context=await list_by_number(transactions.reader, moderator, case.thread_id, first, length),
            revisions=await _rows(work, select_revisions(case.post_id)),
            titles=await _rows(work, select_titles(case.thread_id)) if case.post_number == 1 else [],
            held_edits=edits,
            # Nobody learns who reported their own post.
            reports=[] if case.author_id == moderator.id else await _rows(work, reports.select_for_post(case.post_id)),
            findings=await _rows(work, findings.select_for_case(case_id, present, waiting)),
            notes=await _rows(work, cases.select_notes(case_id)),
            author=await _summary_of_author(work, moderator, case),
            acts=["claim", *measures],
            not_allowed_because=await _why_not(work, moderator, case),
            appeal=await _appeal(work, case),
            deciders=await decisions.deciders_of_reopened_case(work.session, case),
        )


async def _rows(work: Work, query: Query) -> Sequence[Record]:
    return (await work.session.execute(query)).all()


async def _summary_of_author(work: Work, moderator: Viewer, case: Record) -> MemberSummary:
    author = await work.session.get_one(Member, case.author_id)
    return await member_history.summarise(work, moderator, author)


async def _why_not(work: Work, moderator: Viewer, case: Record) -> str | None:
    """Return why the moderator may not do anything here: by the same conditions as the actions refuse."""
    if reason := await missing_permission(work, moderator, case):
        return reason.detail
    if case.state != CaseState.OPEN:
        return "This case is decided."
    if case.claimant_handle not in {None, moderator.handle}:
        return f"{case.claimant_name} is working on this case."
    reason = await own_interest(work, moderator, case)
    return reason.detail if reason else None


async def _appeal(work: Work, case: Record) -> AppealFile | None:
    if case.kind != CaseKind.APPEAL:
        return None
    appeal = await appeals.get_for_case(work.session, case.id)
    decision = await work.session.get_one(Decision, appeal.decision_id)
    decider = await work.session.get_one(Member, decision.decided_by)
    deciders = await appeals.appeal_deciders(work.session, appeal)
    return AppealFile(appeal, decision, decider.name, deciders)
